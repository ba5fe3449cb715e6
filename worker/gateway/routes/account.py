"""Money, models, voices, and what holds the queue."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api_models.account import CreditsView, GateChange, GateView, HoldList, ModelList, Quote, QuoteIn, Spend, VoiceList
from api_models.jobs import JobIn
from api_models.registry import MODELS, VOICES
from api_models.spending import By
from api_models.verdict import GateScope
from worker.gateway import answers, batched_enqueue, strict_json, views
from worker.gateway.answers import Admin, Operator, Reader, gateway_of, problems
from worker.gateway.parts import Gateway
from worker.gateway.problems import not_found
from worker.gateway.routes.jobs import within_the_calendar
from worker.producer import content_of
from worker.store import account
from worker.store.money import balances, pricing, spending
from worker.store.queries import holds as store_holds

router = APIRouter(prefix="/v1", tags=["account"])

ENOUGH_TEXTS: Final = 20
"""From so many spoken texts on, what they cost says more than the published average."""
EXAMPLE: Final = {"jobs": [{"text": "Good morning."}, {"text": "Good night."}]}


@router.post("/quote", response_model=Quote, responses=problems(), openapi_extra=answers.with_body(QuoteIn, EXAMPLE))
async def quote(request: Request, caller: Reader) -> Response:
    """What texts would cost, were they handed in now. Nothing is taken, nothing spent."""
    gateway = gateway_of(request)
    answers.require_json(request)
    body = await request.body()
    return answers.json(await run_in_threadpool(_quoted, gateway, caller.tenant, body))


def _quoted(gateway: Gateway, tenant: str, body: bytes) -> dict[str, Any]:
    lines = batched_enqueue.judged(strict_json.parsed(QuoteIn, body).jobs, gateway)
    contents: dict[str, JobIn] = {}
    fresh = 0
    for line in lines:
        content = content_of(
            line.job,
            origin=gateway.settings.segmind_base_url,
            tenant=tenant,
            shared=gateway.settings.shares_content,
        )
        fresh += line.job.cache == "bypass"
        contents.setdefault(f"{content}:{fresh}" if line.job.cache == "bypass" else content, line.job)
    with gateway.database.read() as connection:
        known = pricing.bought(connection, (content for content in contents if ":" not in content))
        prices = {model: _price(pricing.seen(connection, model), model) for model in MODELS}
    texts = Counter(line.job.model for line in lines)
    calls = Counter(job.model for content, job in contents.items() if content not in known)
    parts = [
        {
            "model": model,
            "texts": texts[model],
            "calls": calls[model],
            "cost": views.amount(prices[model] * calls[model]),
        }
        for model in MODELS
        if texts[model]
    ]
    total = sum((prices[model] * number for model, number in calls.items()), Decimal(0))
    return {
        "texts": len(lines),
        "calls": calls.total(),
        "cached": len(lines) - calls.total(),
        "cost": views.amount(total),
        "parts": parts,
    }


def _price(seen: pricing.Seen | None, model: str) -> Decimal:
    return seen.cost if seen is not None and seen.texts >= ENOUGH_TEXTS else MODELS[model].price


@router.get("/models", response_model=ModelList, responses=problems())
async def list_models(caller: Reader) -> Response:  # noqa: ARG001 - as above; nothing here waits
    """The models, what they take and what they cost."""
    models = [
        {
            "slug": model.slug,
            "title": model.title,
            "default_voice": model.default_voice,
            "voices": list(model.voices),
            "price": views.amount(model.price),
            "mean_seconds": model.mean_seconds,
            "max_text_bytes": model.max_text_bytes,
            "understands_tags": model.understands_tags,
        }
        for model in MODELS.values()
    ]
    return answers.json({"models": models})


@router.get("/voices", response_model=VoiceList, responses=problems())
async def list_voices(caller: Reader) -> Response:  # noqa: ARG001 - as above
    """The voices, each in a word."""
    voices = [
        {
            "name": name,
            "character": character,
            "models": [model.slug for model in MODELS.values() if name in model.voices],
        }
        for name, character in VOICES.items()
    ]
    return answers.json({"voices": voices})


@router.get("/holds", response_model=HoldList, responses=problems())
def list_holds(request: Request, caller: Operator) -> Response:  # noqa: ARG001 - as above
    """Why jobs wait: every closed gate, a pause that the API asked for, missing workers."""
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        found = store_holds.holds(connection, now=gateway.database.now(connection))
    holds = [
        {
            "name": hold.name,
            "code": hold.code,
            "message": hold.message,
            "since": views.stamp(hold.since),
            "until": views.stamp(hold.until),
        }
        for hold in found
    ]
    return answers.json({"holds": holds})


@router.put(
    "/gates/{name}",
    response_model=GateView,
    responses=problems(404),
    openapi_extra=answers.with_body(GateChange, {"closed": True, "reason": "The new voices come at noon."}),
)
async def change_gate(
    request: Request,
    caller: Admin,  # noqa: ARG001 - as above
    name: Annotated[str, Path(min_length=1, max_length=80, examples=["account"])],
) -> Response:
    """Hold everything, the storage, or one model (`model:gemini-3.1-flash-tts`) by hand; or open it again.

    Gates concern every tenant of the installation.
    """
    gateway = gateway_of(request)
    answers.require_json(request)
    wanted = strict_json.parsed(GateChange, await request.body())
    return answers.json(await run_in_threadpool(_changed, gateway, name, wanted))


def _changed(gateway: Gateway, name: str, wanted: GateChange) -> dict[str, Any]:
    scope, model = _gate(name)
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        if wanted.closed:
            account.hold_gate(connection, scope, model, message=wanted.reason or "It was closed by hand.", now=now)
            changed = True
        else:
            changed = account.open_gate(connection, account.gate_name(scope, model))
    return {"name": account.gate_name(scope, model), "closed": wanted.closed, "changed": changed}


def _gate(name: str) -> tuple[GateScope, str | None]:
    word, _, model = name.partition(":")
    if name in {GateScope.ACCOUNT, GateScope.STORAGE}:
        return GateScope(name), None
    if word == GateScope.MODEL and model in MODELS:
        return GateScope.MODEL, model
    raise not_found("gate")


@router.get("/credits", response_model=CreditsView, responses=problems())
def get_credits(request: Request, caller: Operator) -> Response:  # noqa: ARG001 - as above
    """What is left in the account, as an answer of the API last said."""
    with gateway_of(request).database.read() as connection:
        found = balances.last(connection)
    if found is None:
        return answers.json({"remaining": None, "seen_at": None})
    return answers.json({"remaining": views.amount(found.remaining), "seen_at": views.stamp(found.seen_at)})


@router.get("/spend", response_model=Spend, responses=problems())
def get_spend(
    request: Request,
    caller: Reader,
    by: Annotated[By, Query()] = By.DAY,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Response:
    """What your calls have cost, exact to the last digit."""
    gateway = gateway_of(request)
    which = spending.Filter(within_the_calendar(since, "since"), within_the_calendar(until, "until"), caller.tenant)
    with gateway.database.read() as connection:
        found = spending.spent(connection, by, which)
    lines = [
        {
            "key": line.key,
            "name": line.name,
            "calls": line.calls,
            "paid": views.amount(line.paid),
            "estimated": views.amount(line.estimated),
            "possibly_billed": line.possibly_billed,
            "copies": line.copies,
            "saved": views.amount(line.saved),
        }
        for line in found
    ]
    return answers.json({"lines": lines, "paid": views.amount(spending.total(found).paid)})
