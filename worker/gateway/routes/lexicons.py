"""`/v1/lexicons`: pronunciation rules. A change makes a new version, which later jobs use."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api_models.lexicons import LexiconIn, LexiconList, LexiconView
from api_models.problems import Fault
from api_models.wording import LEXICON_NAME
from worker.gateway import answers, strict_json, views
from worker.gateway.answers import Admin, Reader, gateway_of, problems
from worker.gateway.problems import invalid, not_found
from worker.store import lexicons
from worker.store.lexicons import LexiconRecord

router = APIRouter(prefix="/v1/lexicons", tags=["lexicons"])

EXAMPLE: Final = {"rules": [{"match": "Nguyen", "say": "win"}, {"match": "NASA", "spell": True}]}
MAX_VERSION: Final = 2**31 - 1

Name = Annotated[str, Path(min_length=1, max_length=64)]
Version = Annotated[int | None, Query(ge=1, le=MAX_VERSION)]


@router.get("", response_model=LexiconList, responses=problems())
def list_lexicons(request: Request, caller: Reader) -> Response:
    """List the newest version of each lexicon, by name."""
    with gateway_of(request).database.read() as connection:
        found = lexicons.listed(connection, caller.tenant)
    return answers.json({"lexicons": [_summary(record) for record in found]})


@router.get("/{name}", response_model=LexiconView, responses=problems(404))
def get_lexicon(request: Request, name: Name, caller: Reader, version: Version = None) -> Response:
    """Return a lexicon with its rules: the newest version, or the named one."""
    with gateway_of(request).database.read() as connection:
        record = lexicons.find(connection, caller.tenant, name, version)
    if record is None:
        raise not_found("lexicon")
    return answers.json(_view(record))


@router.put(
    "/{name}",
    response_model=LexiconView,
    responses={200: {"description": "The lexicon with its version; equal rules make no new one."}, **problems(404)},
    openapi_extra=answers.with_body(LexiconIn, EXAMPLE),
)
async def put_lexicon(request: Request, name: Name, caller: Admin) -> Response:
    """Replace all rules of a lexicon, or create it. Jobs submitted before stay as they are."""
    gateway = gateway_of(request)
    answers.require_json(request)
    wanted = await strict_json.parsed_body(LexiconIn, await request.body())
    if not LEXICON_NAME.fullmatch(name):
        message = "must begin with a letter or digit and have letters, digits, dots, hyphens and underscores alone"
        raise invalid([Fault(field="name", message=message)])

    def save() -> LexiconRecord:
        with gateway.database.begin() as connection:
            return lexicons.save(connection, caller.tenant, name, wanted.rules, now=gateway.now())

    return answers.json(_view(await run_in_threadpool(save)))


@router.delete("/{name}", status_code=204, response_class=Response, responses=problems(404))
def remove_lexicon(request: Request, name: Name, caller: Admin) -> Response:
    """Remove all versions of a lexicon. Jobs submitted before stay as they are."""
    gateway = gateway_of(request)
    with gateway.database.begin() as connection:
        if not name.isprintable() or not lexicons.remove(connection, caller.tenant, name):
            raise not_found("lexicon")
    return Response(status_code=204)


def _summary(record: LexiconRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "version": record.version,
        "rules": record.size,
        "unapplied": record.unapplied,
        "created_at": views.stamp(record.created_at),
    }


def _view(record: LexiconRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "version": record.version,
        "created_at": views.stamp(record.created_at),
        "rules": [rule.stored() for rule in record.read()],
    }
