"""Try: one text in some voices, with the price before anything is bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from uuid_utils.compat import uuid7

from api_models.access import Scope
from api_models.http_problems import Trouble
from api_models.jobs import JobIn
from api_models.problems import faults_of
from api_models.registry import DEFAULT_MODEL, MODELS, VOICES
from worker.gateway import entries
from worker.gateway.answers import gateway_of
from worker.gateway.console import pages
from worker.gateway.console.access import Action, Reader, Submitting, note
from worker.gateway.entries import Origin
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError
from worker.gateway.routes import account
from worker.producer import content_of
from worker.store.money import balances, pricing

router = APIRouter(prefix="/console/try", include_in_schema=False)

MAX_VOICES: Final = 6
EXAMPLE: Final = "The ferry leaves at ten past four. Please have your tickets ready."


@dataclass(frozen=True, slots=True)
class Offer:
    """What a text in these voices would buy."""

    jobs: tuple[JobIn, ...]
    calls: int
    price: Decimal
    balance: Decimal | None

    @property
    def copies(self) -> int:
        return len(self.jobs) - self.calls


@router.get("")
def get_try(request: Request, visitor: Reader) -> Response:
    """Show the form."""
    return _page(request, visitor, {"text": EXAMPLE, "voices": [MODELS[DEFAULT_MODEL].default_voice]})


@router.post("")
async def post_try(request: Request, action: Submitting) -> Response:
    """Quote first; buy when the quote was confirmed."""
    gateway = gateway_of(request)
    given = _given(action)
    jobs, errors = _jobs(gateway, given)
    if errors:
        return _page(request, action.visitor, given | {"errors": errors}, status=400)
    offer = await run_in_threadpool(_offer, gateway, action, jobs)
    if action.field("confirmed") != f"{offer.price:f}":
        return _page(request, action.visitor, given | {"offer": offer})
    return await _buy(request, gateway, action, offer)


def _given(action: Action) -> dict[str, Any]:
    voices = [voice for voice in action.form.getlist("voice") if isinstance(voice, str) and voice in VOICES]
    return {
        "text": action.field("text").replace("\r\n", "\n"),
        "voices": list(dict.fromkeys(voices)),
        "model": action.field("model", DEFAULT_MODEL),
        "fresh": action.field("fresh") == "yes",
    }


def _jobs(gateway: Gateway, given: dict[str, Any]) -> tuple[tuple[JobIn, ...], list[str]]:
    if not 0 < len(given["voices"]) <= MAX_VOICES:
        return (), [f"Choose one to {MAX_VOICES} voices."]
    jobs: list[JobIn] = []
    for voice in given["voices"]:
        wanted = {"text": given["text"], "voice_1": voice, "model": given["model"], "tags": ["console"]}
        wanted |= {"cache": "bypass"} if given["fresh"] else {}
        try:
            jobs.append(JobIn.model_validate(wanted, context=gateway.context))
        except ValidationError as error:
            return (), [str(fault) for fault in faults_of(error)]
    return tuple(jobs), []


def _offer(gateway: Gateway, action: Action, jobs: Sequence[JobIn]) -> Offer:
    settings, visitor = gateway.settings, action.visitor
    contents = {
        content_of(job, origin=settings.segmind_base_url, tenant=visitor.tenant, shared=settings.shares_content): job
        for job in jobs
    }
    with gateway.database.read() as connection:
        known = pricing.bought(connection, contents)
        calls = [job for content, job in contents.items() if content not in known or job.cache == "bypass"]
        price = sum((account.price_of(connection, job.model).of(len(job.text)) for job in calls), Decimal(0))
        found = balances.last(connection) if visitor.may(Scope.OPERATE) else None
    return Offer(tuple(jobs), len(calls), price, found.remaining if found else None)


async def _buy(request: Request, gateway: Gateway, action: Action, offer: Offer) -> Response:
    caller = action.visitor.caller
    if caller.key is not None and caller.key.budget is not None:
        await run_in_threadpool(gateway.keyring.refuse_overspending, caller)
    origin = Origin.of(gateway.settings, caller, request.headers)
    tag = f"try-{str(uuid7())[-12:]}"
    rows = [
        entries.entry(job.model_copy(update={"tags": (*job.tags, tag)}), origin, now=gateway.now())
        for job in offer.jobs
    ]
    for row, job in zip(rows, offer.jobs, strict=True):
        await gateway.submissions.put(row, None)
        gateway.keyring.count_submitted(caller, job.model)
    await run_in_threadpool(_log, gateway, action, [row["id"] for row in rows], offer)
    if len(rows) == 1:
        return pages.see_other(f"/console/jobs/{rows[0]['id']}")
    return pages.see_other(f"/console/jobs?filter=tag:{tag}")


def _log(gateway: Gateway, action: Action, job_ids: Sequence[UUID], offer: Offer) -> None:
    with gateway.database.begin() as connection:
        detail = f"{len(job_ids)} jobs, {offer.calls} calls, ${offer.price:f}"
        note(connection, action, "try", str(job_ids[0]), detail, now=gateway.database.now(connection))


def _page(request: Request, visitor: Reader, values: dict[str, Any], *, status: int = 200) -> Response:
    if not visitor.can(Scope.SUBMIT):
        raise ProblemError(Trouble.NOT_PERMITTED, "This page requires a session with the scope `submit`.")
    defaults = {
        "model": DEFAULT_MODEL,
        "fresh": False,
        "offer": None,
        "errors": [],
        "known_voices": VOICES,
        "models": MODELS,
        "max_voices": MAX_VOICES,
    }
    return pages.render(request, "try.html", visitor, defaults | values, status=status)
