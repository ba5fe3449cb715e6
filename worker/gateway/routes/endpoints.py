"""`/v1/endpoints` and `/v1/deliveries`: webhook endpoints, and the log of deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from uuid_utils.compat import uuid7

from api_models.endpoints import (
    DeliveryInFull,
    DeliveryPage,
    EndpointChange,
    EndpointIn,
    EndpointList,
    EndpointSecret,
    EndpointView,
    Redelivered,
    Redelivery,
)
from api_models.http_problems import Trouble
from api_models.problems import Fault
from worker.gateway import answers, strict_json, views
from worker.gateway.answers import Admin, Operator, gateway_of, problems
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, invalid, not_found
from worker.gateway.routes.jobs import MAX_PER_PAGE, check_callback, in_calendar
from worker.store.outbox import deliveries, endpoints
from worker.store.outbox.deliveries import DeliveryRecord, Try
from worker.store.outbox.endpoints import EndpointRecord
from worker.webhooks import signatures

router = APIRouter(prefix="/v1", tags=["webhooks"])

MAX_ENDPOINTS: Final = 50
"""Per tenant."""
SECRET_OVERLAP: Final = timedelta(hours=24)
"""How long messages carry a second signature after a secret was rotated."""
EXAMPLE: Final = {"url": "https://example.org/hooks/speech", "events": ["job.succeeded", "job.failed"]}


@router.post(
    "/endpoints",
    status_code=201,
    response_model=EndpointView,
    responses={201: {"headers": {"Location": {"schema": {"type": "string"}}}}, **problems(409)},
    openapi_extra=answers.with_body(EndpointIn, EXAMPLE),
)
async def create_endpoint(request: Request, caller: Admin) -> Response:
    """Create a webhook endpoint. Messages are signed according to Standard Webhooks."""
    gateway = gateway_of(request)
    answers.require_json(request)
    body = await strict_json.parsed_body(EndpointIn, await request.body())
    check_callback(gateway, body.url, field="url")
    record = EndpointRecord(
        id=uuid7(),
        tenant=caller.tenant,
        url=body.url,
        secret=signatures.new_secret(),
        old_secret=None,
        old_secret_until=None,
        events=" ".join(body.events),
        ordered=body.ordered,
        thin=body.thin,
        created_at=gateway.now(),
        failing_since=None,
        disabled_at=None,
        disabled_why=None,
        flat=body.flat,
        header_name=body.header_name,
        header_value=body.header_value,
    )
    await run_in_threadpool(add_endpoint, gateway, record)
    return answers.json(_endpoint(record), 201, {"location": f"{gateway.base}/v1/endpoints/{record.id}"})


def add_endpoint(gateway: Gateway, record: EndpointRecord) -> None:
    """Store a new endpoint. Raises ProblemError: the tenant has as many as it may have."""
    with gateway.database.begin() as connection:
        if len(endpoints.listed(connection, tenant=record.tenant)) >= MAX_ENDPOINTS:
            raise ProblemError(
                Trouble.CONFLICT, f"A tenant may have at most {MAX_ENDPOINTS} endpoints; delete one first."
            )
        endpoints.add(connection, record)


@router.get("/endpoints", response_model=EndpointList, responses=problems())
def list_endpoints(request: Request, caller: Operator) -> Response:
    """List webhook endpoints, the oldest first."""
    with gateway_of(request).database.read() as connection:
        found = endpoints.listed(connection, tenant=caller.tenant)
    return answers.json({"endpoints": [_endpoint(record) for record in found]})


@router.get("/endpoints/{endpoint_id}", response_model=EndpointView, responses=problems(404))
def get_endpoint(request: Request, endpoint_id: UUID, caller: Operator) -> Response:
    """Return one endpoint and its health."""
    return answers.json(_endpoint(_read(gateway_of(request), caller.tenant, endpoint_id)))


@router.patch(
    "/endpoints/{endpoint_id}",
    response_model=EndpointView,
    responses=problems(404, 409),
    openapi_extra=answers.with_body(EndpointChange, {"disabled": False}),
)
async def change_endpoint(request: Request, endpoint_id: UUID, caller: Admin) -> Response:
    """Change the events or format of an endpoint, disable it, or re-enable it."""
    gateway = gateway_of(request)
    answers.require_json(request)
    body = await strict_json.parsed_body(EndpointChange, await request.body())
    await run_in_threadpool(_change, gateway, caller.tenant, endpoint_id, body)
    return answers.json(_endpoint(await run_in_threadpool(_read, gateway, caller.tenant, endpoint_id)))


def _change(gateway: Gateway, tenant: str, endpoint_id: UUID, body: EndpointChange) -> None:
    record = _read(gateway, tenant, endpoint_id)
    values: dict[str, Any] = {
        name: value for name in ("ordered", "thin", "flat") if (value := getattr(body, name)) is not None
    }
    if body.model_fields_set & {"header_name", "header_value"}:
        _refuse_shared_secret(record, body)
        values |= {"header_name": body.header_name, "header_value": body.header_value}
    if body.events is not None:
        values["events"] = " ".join(body.events)
    if body.disabled is False:
        values |= {"disabled_at": None, "disabled_why": None, "failing_since": None}
    with gateway.database.begin() as connection:
        if values:
            endpoints.change(connection, endpoint_id, values)
        if body.disabled:
            now = gateway.database.now(connection)
            endpoints.disable(connection, endpoint_id, "disabled by request", now=now)
            deliveries.drop(connection, endpoint_id, now=now)


def _refuse_shared_secret(record: EndpointRecord, body: EndpointChange) -> None:
    """Jobs choose the addresses of callbacks, and their producers would receive the secret there."""
    if record.url is None and body.header_value is not None:
        detail = "Callback URLs carry no shared secret; put a token into the URL, or verify the signature."
        raise ProblemError(Trouble.CONFLICT, detail)


@router.delete("/endpoints/{endpoint_id}", status_code=204, response_class=Response, responses=problems(404))
def remove_endpoint(request: Request, endpoint_id: UUID, caller: Admin) -> Response:
    """Delete an endpoint and its delivery log."""
    gateway = gateway_of(request)
    _read(gateway, caller.tenant, endpoint_id)
    with gateway.database.begin() as connection:
        endpoints.remove(connection, endpoint_id)
    return Response(status_code=204)


@router.get("/endpoints/{endpoint_id}/secret", response_model=EndpointSecret, responses=problems(404))
def get_secret(request: Request, endpoint_id: UUID, caller: Admin) -> Response:
    """Return the signing secret."""
    return answers.json(_secret(_read(gateway_of(request), caller.tenant, endpoint_id)))


@router.post("/endpoints/{endpoint_id}/secret", response_model=EndpointSecret, responses=problems(404))
def rotate_secret(request: Request, endpoint_id: UUID, caller: Admin) -> Response:
    """Rotate the signing secret. For 24 hours messages also carry a signature of the old one."""
    gateway = gateway_of(request)
    record = _read(gateway, caller.tenant, endpoint_id)
    with gateway.database.begin() as connection:
        until = gateway.database.now(connection) + SECRET_OVERLAP
        endpoints.rotate(connection, record, fresh_secret=signatures.new_secret(), both_until=until)
    return answers.json(_secret(_read(gateway, caller.tenant, endpoint_id)))


@router.post(
    "/endpoints/{endpoint_id}/redeliver",
    response_model=Redelivered,
    responses=problems(404, 409),
    openapi_extra=answers.with_body(Redelivery, {"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z"}),
)
async def redeliver_range(request: Request, endpoint_id: UUID, caller: Admin) -> Response:
    """Redeliver what failed in a time range, or everything in it."""
    gateway = gateway_of(request)
    answers.require_json(request)
    body = await strict_json.parsed_body(Redelivery, await request.body())
    number = await run_in_threadpool(_redeliver_range, gateway, caller.tenant, endpoint_id, body)
    return answers.json({"deliveries": number})


def _redeliver_range(gateway: Gateway, tenant: str, endpoint_id: UUID, body: Redelivery) -> int:
    since, until = in_calendar(body.since, "since"), in_calendar(body.until, "until")
    if since is None or until is None or until <= since:
        raise invalid([Fault(field="until", message="must be after since")])
    _refuse_disabled(_read(gateway, tenant, endpoint_id))
    states = ("failed", "delivered") if body.delivered else ("failed",)
    with gateway.database.begin() as connection:
        which = deliveries.between(endpoint_id, since, until, states=states)
        return deliveries.redeliver(connection, which, now=gateway.database.now(connection))


class DeliveryQuery(BaseModel):
    endpoint_id: UUID | None = None
    state: Literal["pending", "sent", "sending", "delivered", "failed"] | None = None
    cursor: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PER_PAGE)] = 50


@router.get("/deliveries", response_model=DeliveryPage, responses=problems())
def list_deliveries(request: Request, caller: Operator, query: Annotated[DeliveryQuery, Query()]) -> Response:
    """List deliveries, the newest first."""
    with gateway_of(request).database.read() as connection:
        found = deliveries.listed(
            connection,
            tenant=caller.tenant,
            endpoint_id=query.endpoint_id,
            state=query.state,
            before=query.cursor,
            most=query.limit,
        )
    return answers.json(views.page("deliveries", [_delivery(record) for record in found], query.limit))


@router.get("/deliveries/{delivery_id}", response_model=DeliveryInFull, responses=problems(404))
def get_delivery(request: Request, delivery_id: UUID, caller: Operator) -> Response:
    """Return one delivery with every request made and its response."""
    gateway = gateway_of(request)
    record = _read_delivery(gateway, caller.tenant, delivery_id)
    with gateway.database.read() as connection:
        tries = deliveries.tries(connection, delivery_id)
    return answers.json(_delivery(record) | {"tries": [_try(outcome) for outcome in tries]})


@router.post("/deliveries/{delivery_id}/redeliver", response_model=Redelivered, responses=problems(404, 409))
def redeliver_one(request: Request, delivery_id: UUID, caller: Admin) -> Response:
    """Redeliver one message; a pending retry is sent at once. The message keeps its id."""
    gateway = gateway_of(request)
    record = _read_delivery(gateway, caller.tenant, delivery_id)
    _refuse_disabled(_read(gateway, caller.tenant, record.endpoint_id))
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        number = deliveries.redeliver(connection, deliveries.one(delivery_id), now=now)
    return answers.json({"deliveries": number})


def _refuse_disabled(record: EndpointRecord) -> None:
    if record.disabled_at is not None:
        raise ProblemError(Trouble.CONFLICT, "The endpoint is disabled; re-enable it first.")


def _read(gateway: Gateway, tenant: str, endpoint_id: UUID) -> EndpointRecord:
    with gateway.database.read() as connection:
        record = endpoints.by_id(connection, endpoint_id, tenant=tenant)
    if record is None:
        raise not_found("endpoint")
    return record


def _read_delivery(gateway: Gateway, tenant: str, delivery_id: UUID) -> DeliveryRecord:
    with gateway.database.read() as connection:
        record = deliveries.by_id(connection, delivery_id)
    if record is None or record.tenant != tenant:
        raise not_found("delivery")
    return record


def _endpoint(record: EndpointRecord) -> dict[str, Any]:
    return {
        "id": str(record.id),
        "url": record.url,
        "events": record.events.split(),
        "ordered": record.ordered,
        "thin": record.thin,
        "flat": record.is_flat,
        "header_name": record.header_name,
        "created_at": views.stamp(record.created_at),
        "failing_since": views.stamp(record.failing_since),
        "disabled_at": views.stamp(record.disabled_at),
        "disabled_why": record.disabled_why,
    }


def _secret(record: EndpointRecord) -> dict[str, Any]:
    return {"secret": record.secret, "old_secret_until": views.stamp(record.old_secret_until)}


def _delivery(record: DeliveryRecord) -> dict[str, Any]:
    return {
        "id": str(record.id),
        "endpoint_id": str(record.endpoint_id),
        "event_id": record.event_id,
        "type": record.type,
        "subject": record.subject,
        "state": record.state,
        "attempts": record.attempts,
        "created_at": views.stamp(record.created_at),
        "next_at": views.stamp(record.next_at),
        "finished_at": views.stamp(record.finished_at),
    }


def _try(outcome: Try) -> dict[str, Any]:
    return {
        "number": outcome.number,
        "at": views.stamp(outcome.at),
        "seconds": outcome.seconds,
        "status": outcome.status,
        "request": dict(outcome.request),
        "response": outcome.response,
        "error": outcome.error,
    }
