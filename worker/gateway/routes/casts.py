"""`/v1/casts`: the voices of scripts' speakers. A change makes a new version, which later scripts use."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api_models.casts import REFERENCE, CastIn, CastList, CastView
from api_models.problems import Fault, InvalidInputError
from worker.gateway import answers, strict_json, views
from worker.gateway.answers import Admin, Reader, gateway_of, problems
from worker.gateway.parts import Gateway
from worker.gateway.problems import invalid, not_found
from worker.scripts.cast.cast import cast_of
from worker.scripts.cast.kept import kept_cast
from worker.store import casts
from worker.store.casts import CastRecord

router = APIRouter(prefix="/v1/casts", tags=["casts"])

EXAMPLE: Final = {"roles": {"Anna": {"voice": "Kore", "style": "hurried"}, "narrator": "Sulafat"}}
MAX_VERSION: Final = 2**31 - 1

Name = Annotated[str, Path(min_length=1, max_length=64)]
Version = Annotated[int | None, Query(ge=1, le=MAX_VERSION)]


@router.get("", response_model=CastList, responses=problems())
def list_casts(request: Request, caller: Reader) -> Response:
    """List the newest version of each cast, by name."""
    with gateway_of(request).database.read() as connection:
        found = casts.latest(connection, caller.tenant)
    return answers.json({"casts": [_summary(record) for record in found]})


@router.get("/{name}", response_model=CastView, responses=problems(404))
def get_cast(request: Request, name: Name, caller: Reader, version: Version = None) -> Response:
    """Return a cast with its roles: the newest version, or the named one."""
    view = _view(gateway_of(request), caller.tenant, name, version)
    if view is None:
        raise not_found("cast")
    return answers.json(view)


@router.put(
    "/{name}",
    response_model=CastView,
    responses={200: {"description": "The cast with its version; equal roles make no new one."}, **problems(404)},
    openapi_extra=answers.with_body(CastIn, EXAMPLE),
)
async def put_cast(request: Request, name: Name, caller: Admin) -> Response:
    """Replace all roles of a cast, or create it. What was submitted before keeps its voices."""
    gateway = gateway_of(request)
    answers.require_json(request)
    wanted = await strict_json.parsed_body(CastIn, await request.body())
    if not REFERENCE.fullmatch(name) or "@" in name:
        message = "must begin with a letter or digit and have letters, digits and any of . : _ - alone"
        raise invalid([Fault(field="name", message=message)])
    roles = {
        speaker: role if isinstance(role, str) else role.model_dump(exclude_unset=True)
        for speaker, role in wanted.roles.items()
    }
    try:
        cast_of(roles, name)
    except InvalidInputError as error:
        faults = [fault.model_copy(update={"field": f"roles.{fault.field}"}) for fault in error.faults]
        raise invalid(faults) from None

    def save() -> dict[str, Any] | None:
        with gateway.database.begin() as connection:
            casts.put(connection, caller.tenant, name, roles, now=gateway.now())
        return _view(gateway, caller.tenant, name, None)

    return answers.json(await run_in_threadpool(save))


@router.delete("/{name}", status_code=204, response_class=Response, responses=problems(404))
def remove_cast(request: Request, name: Name, caller: Admin) -> Response:
    """Remove all versions of a cast; their numbers are not used again. What was submitted before stays as it is."""
    gateway = gateway_of(request)
    with gateway.database.begin() as connection:
        if not name.isprintable() or not casts.remove(connection, caller.tenant, name):
            raise not_found("cast")
    return Response(status_code=204)


def _view(gateway: Gateway, tenant: str, name: str, version: int | None) -> dict[str, Any] | None:
    if not name.isprintable():
        return None
    with gateway.database.read() as connection:
        record = casts.find(connection, tenant, name, version)
        versions = casts.versions(connection, tenant, name)
    if record is None:
        return None
    return {**_summary(record), "roles": record.roles, "versions": versions, "warnings": _warnings(record)}


def _warnings(record: CastRecord) -> list[str]:
    try:
        return kept_cast(record).warnings()
    except InvalidInputError as error:  # a model has lost a voice since
        return [str(fault) for fault in error.faults]


def _summary(record: CastRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "version": record.version,
        "roles": len(record.roles),
        "created_at": views.stamp(record.created_at),
    }
