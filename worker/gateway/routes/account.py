"""Credits, spending, models, voices, and the gates that hold the queue."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api_models.account import CreditsView, GateChange, GateView, HoldList, ModelList, Quote, QuoteIn, Spend, VoiceList
from api_models.jobs import JobIn
from api_models.registry import MODELS, VOICES
from api_models.speech_model import Price
from api_models.spending import By
from api_models.verdict import GateScope
from worker.gateway import answers, batched_enqueue, parsing, strict_json, views
from worker.gateway.answers import InstallationAdmin, Operator, Reader, gateway_of, problems
from worker.gateway.batched_enqueue import IsGone
from worker.gateway.parts import Gateway
from worker.gateway.problems import not_found
from worker.gateway.routes.jobs import in_calendar
from worker.producer import content_of
from worker.store import account
from worker.store.money import balances, pricing, spending
from worker.store.queries import holds as store_holds

router = APIRouter(prefix="/v1", tags=["account"])

MIN_TEXTS: Final = 20
"""Spoken texts from which on their cost is a better estimate than the published average."""
EXAMPLE: Final = {"jobs": [{"text": "Good morning."}, {"text": "Good night."}]}


@router.post("/quote", response_model=Quote, responses=problems(), openapi_extra=answers.with_body(QuoteIn, EXAMPLE))
async def create_quote(request: Request, caller: Reader) -> Response:
    """Estimate what texts would cost. Nothing is queued or charged."""
    gateway = gateway_of(request)
    answers.require_json(request)
    with SpooledTemporaryFile(max_size=parsing.IN_MEMORY_BYTES) as body:
        await parsing.spool(request, body)
        return answers.json(await parsing.run(request, gateway.parsing, partial(_quoted, gateway, caller.tenant, body)))


def _quoted(gateway: Gateway, tenant: str, body: IO[bytes], is_gone: IsGone) -> dict[str, Any]:
    given = batched_enqueue.validated(strict_json.parsed(QuoteIn, body.read()).jobs, gateway, is_gone)
    lines = batched_enqueue.prepared(given, gateway, tenant)
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
        prices = {model: price_of(connection, model) for model in MODELS}
    texts = Counter(line.job.model for line in lines)
    bought = [job for content, job in contents.items() if content not in known]
    calls = Counter(job.model for job in bought)
    characters = Counter[str]()
    for job in bought:
        characters[job.model] += len(job.text)
    costs = {model: prices[model].of(characters[model], calls[model]) for model in MODELS}
    parts = [
        {
            "model": model,
            "texts": texts[model],
            "calls": calls[model],
            "cost": views.amount(costs[model]),
        }
        for model in MODELS
        if texts[model]
    ]
    total = sum(costs.values(), Decimal(0))
    return {
        "texts": len(lines),
        "calls": calls.total(),
        "cached": len(lines) - calls.total(),
        "cost": views.amount(total),
        "parts": parts,
        "warnings": batched_enqueue.warnings(lines, batched_enqueue.item),
    }


def price_of(connection: Connection, model: str) -> Price:
    """Return the expected cost of a call: what the newest ones cost, else the list price of the day."""
    seen = pricing.seen(connection, model)
    return Price(seen.cost) if seen is not None and seen.texts >= MIN_TEXTS else MODELS[model].price_today


@router.get("/models", response_model=ModelList, responses=problems())
async def list_models(caller: Reader) -> Response:  # noqa: ARG001 - as above; nothing here waits
    """List the models, their parameters and prices."""
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
            "tags": model.tags,
            "max_speakers": model.max_speakers,
            "successor": model.successor,
            "sunset": model.sunset,
        }
        for model in MODELS.values()
    ]
    return answers.json({"models": models})


@router.get("/voices", response_model=VoiceList, responses=problems())
async def list_voices(caller: Reader) -> Response:  # noqa: ARG001 - as above
    """List the voices, each with a one-word description."""
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
    """List what holds jobs: closed gates, a pause requested by the API, missing workers."""
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
    caller: InstallationAdmin,  # noqa: ARG001 - as above
    name: Annotated[str, Path(min_length=1, max_length=80, examples=["account"])],
) -> Response:
    """Close or open a gate by hand: everything, the store, or one model (`model:gemini-3.1-flash-tts`).

    Gates hold the jobs of every tenant, so the key needs the scope `installation`, which no key has by default.
    """
    gateway = gateway_of(request)
    answers.require_json(request)
    change = await strict_json.parsed_body(GateChange, await request.body())
    return answers.json(await run_in_threadpool(_changed, gateway, name, change))


def _changed(gateway: Gateway, name: str, change: GateChange) -> dict[str, Any]:
    scope, model = _gate(name)
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        if change.closed:
            account.hold_gate(connection, scope, model, message=change.reason or "Closed by an operator.", now=now)
            changed = True
        else:
            changed = account.open_gate(connection, account.gate_name(scope, model))
    return {"name": account.gate_name(scope, model), "closed": change.closed, "changed": changed}


def _gate(name: str) -> tuple[GateScope, str | None]:
    scope, _, model = name.partition(":")
    if name in {GateScope.ACCOUNT, GateScope.STORAGE}:
        return GateScope(name), None
    if scope == GateScope.MODEL and model in MODELS:
        return GateScope.MODEL, model
    raise not_found("gate")


@router.get("/credits", response_model=CreditsView, responses=problems())
def get_credits(request: Request, caller: Operator) -> Response:  # noqa: ARG001 - as above
    """Return the account balance, as last reported by the API."""
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
    """Return the exact cost of your calls."""
    gateway = gateway_of(request)
    which = spending.Filter(in_calendar(since, "since"), in_calendar(until, "until"), caller.tenant)
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
            "suspected": views.amount(line.suspected),
        }
        for line in found
    ]
    return answers.json({"lines": lines, "paid": views.amount(spending.total(found).paid)})
