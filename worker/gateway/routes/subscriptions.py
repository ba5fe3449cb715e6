"""`/v1/subscriptions`: REST hooks. A subscription is a flat webhook endpoint for one event type."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import JsonValue
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from uuid_utils.compat import uuid7

from api_models import event_samples, links
from api_models.flat_events import flat
from api_models.happenings import Happening
from api_models.subscriptions import EventTypeList, SubscriptionIn, SubscriptionList, SubscriptionView
from worker.gateway import answers, strict_json, views
from worker.gateway.answers import Admin, Operator, Reader, gateway_of, problems
from worker.gateway.parts import Gateway
from worker.gateway.problems import not_found
from worker.gateway.routes.endpoints import add_endpoint
from worker.gateway.routes.jobs import check_callback
from worker.store.outbox import endpoints
from worker.store.outbox.endpoints import EndpointRecord
from worker.store.queries import tenant_pages
from worker.store.queries.tenant_pages import EventEntry
from worker.webhooks import signatures

router = APIRouter(prefix="/v1/subscriptions", tags=["webhooks"])

MAX_SAMPLES: Final = 3
EXAMPLE: Final = {"target_url": "https://hooks.zapier.com/hooks/standard/1/a/", "event": "job.succeeded"}


@router.post(
    "",
    status_code=201,
    response_model=SubscriptionView,
    responses={
        201: {"headers": {"Location": {"schema": {"type": "string"}}}},
        200: {"model": SubscriptionView, "description": "This address already receives the event."},
        **problems(409),
    },
    openapi_extra=answers.with_body(SubscriptionIn, EXAMPLE),
)
async def create_subscription(request: Request, caller: Admin) -> Response:
    """Subscribe an address to one event type. Repeating it changes nothing."""
    gateway = gateway_of(request)
    answers.require_json(request)
    body = await strict_json.parsed_body(SubscriptionIn, await request.body())
    check_callback(gateway, body.target_url, "target_url")
    record, is_new = await run_in_threadpool(_subscribed, gateway, caller.tenant, body)
    place = f"{gateway.base}/v1/subscriptions/{record.id}"
    return answers.json(_view(record), 201 if is_new else 200, {"location": place})


def _subscribed(gateway: Gateway, tenant: str, body: SubscriptionIn) -> tuple[EndpointRecord, bool]:
    with gateway.database.read() as connection:
        found = [one for one in endpoints.listed(connection, tenant=tenant) if _is_subscription(one)]
    same = (body.target_url, body.event, body.header_name, body.header_value)
    for one in found:
        if (one.url, one.events, one.header_name, one.header_value) == same and one.disabled_at is None:
            return one, False
    record = EndpointRecord(
        id=uuid7(),
        tenant=tenant,
        url=body.target_url,
        secret=signatures.new_secret(),
        old_secret=None,
        old_secret_until=None,
        events=str(body.event),
        ordered=False,
        thin=False,
        created_at=gateway.now(),
        failing_since=None,
        disabled_at=None,
        disabled_why=None,
        flat=True,
        header_name=body.header_name,
        header_value=body.header_value,
    )
    add_endpoint(gateway, record)
    return record, True


@router.get("", response_model=SubscriptionList, responses=problems())
def list_subscriptions(request: Request, caller: Operator) -> Response:
    """List subscriptions, the oldest first; `/v1/endpoints` lists them among all endpoints, with their health."""
    with gateway_of(request).database.read() as connection:
        found = endpoints.listed(connection, tenant=caller.tenant)
    return answers.json({"subscriptions": [_view(record) for record in found if _is_subscription(record)]})


@router.get("/events", response_model=EventTypeList, responses=problems())
async def list_event_types(request: Request, caller: Reader) -> Response:  # noqa: ARG001 - the key is checked
    """List the event types that can be subscribed to, each with a made sample."""
    base = gateway_of(request).base
    return answers.json({"events": [{"event": str(one), "sample": _made(one, base)} for one in Happening]})


@router.get("/samples", response_model=list[dict[str, JsonValue]], responses=problems())
def list_samples(request: Request, caller: Reader, event: Annotated[Happening, Query()]) -> Response:
    """List recent events of a type as they are sent, or a made sample before the first one."""
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        found = tenant_pages.latest_events(connection, caller.tenant, event, most=MAX_SAMPLES)
    return answers.json([_message(entry, gateway.base) for entry in found] or [_made(event, gateway.base)])


@router.get("/{subscription_id}", response_model=SubscriptionView, responses=problems(404))
def get_subscription(request: Request, subscription_id: UUID, caller: Operator) -> Response:
    """Return one subscription."""
    with gateway_of(request).database.read() as connection:
        return answers.json(_view(_read(connection, caller.tenant, subscription_id)))


@router.delete("/{subscription_id}", status_code=204, response_class=Response, responses=problems(404))
def remove_subscription(request: Request, subscription_id: UUID, caller: Admin) -> Response:
    """Unsubscribe. What is on its way is not sent any more."""
    gateway = gateway_of(request)
    with gateway.database.begin() as connection:
        endpoints.remove(connection, _read(connection, caller.tenant, subscription_id).id)
    return Response(status_code=204)


def _read(connection: Connection, tenant: str, subscription_id: UUID) -> EndpointRecord:
    record = endpoints.by_id(connection, subscription_id, tenant=tenant)
    if record is None or not _is_subscription(record):
        raise not_found("subscription")
    return record


def _is_subscription(record: EndpointRecord) -> bool:
    return record.flat and record.url is not None and len(record.events.split()) == 1


def _view(record: EndpointRecord) -> dict[str, Any]:
    return {
        "id": str(record.id),
        "target_url": record.url,
        "event": record.events,
        "created_at": views.stamp(record.created_at),
    }


def _message(entry: EventEntry, base: str) -> dict[str, Any]:
    data = dict(links.absolute(entry.data, base))
    return {**flat(entry.type, views.stamp(entry.at) or "", data), "data": data}


def _made(event: Happening, base: str) -> dict[str, Any]:
    return event_samples.message(event, links.absolute(event_samples.SAMPLES[event], base))
