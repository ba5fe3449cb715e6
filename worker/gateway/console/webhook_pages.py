"""Webhook endpoints and their deliveries: what was sent, what came back, and sending it again. No secret is shown."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api_models.http_problems import Trouble
from worker.gateway.answers import gateway_of
from worker.gateway.console import pages
from worker.gateway.console.access import UNCHANGED, Administering, ReadingOperator, note
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, not_found
from worker.store.outbox import deliveries, endpoints
from worker.store.outbox.deliveries import DeliveryRecord

router = APIRouter(prefix="/console/webhooks", include_in_schema=False)

PER_PAGE: Final = 50
DeliveryState = Literal["", "pending", "sent", "sending", "delivered", "failed"]


@router.get("")
def get_webhooks(
    request: Request,
    visitor: ReadingOperator,
    state: Annotated[DeliveryState, Query()] = "",
    before: UUID | None = None,
) -> Response:
    """List endpoints and deliveries, the newest first."""
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        known = endpoints.listed(connection, tenant=visitor.tenant)
        found = deliveries.listed(connection, tenant=visitor.tenant, state=state or None, before=before, most=PER_PAGE)
    query = f"state={state}&" if state else ""
    more = f"/console/webhooks?{query}before={found[-1].id}" if len(found) == PER_PAGE else None
    values = {
        "endpoints": known,
        "names": {one.id: one.url or "callback addresses" for one in known},
        "deliveries": found,
        "state": state,
        "next_address": more,
    }
    return pages.render(request, "webhooks.html", visitor, values)


@router.get("/deliveries/{delivery_id}")
def get_delivery(request: Request, delivery_id: UUID, visitor: ReadingOperator) -> Response:
    """Show one delivery with every try."""
    gateway = gateway_of(request)
    record = _read(gateway, visitor.tenant, delivery_id)
    with gateway.database.read() as connection:
        tries = deliveries.tries(connection, delivery_id)
        endpoint = endpoints.by_id(connection, record.endpoint_id, tenant=visitor.tenant)
    values = {"delivery": record, "tries": tries, "endpoint": endpoint}
    return pages.render(request, "delivery.html", visitor, values)


@router.post("/deliveries/{delivery_id}/redeliver")
def redeliver(request: Request, delivery_id: UUID, action: Administering) -> Response:
    """Send a message again, under the same id."""
    gateway = gateway_of(request)
    record = _read(gateway, action.visitor.tenant, delivery_id)
    with gateway.database.begin() as connection:
        endpoint = endpoints.by_id(connection, record.endpoint_id, tenant=action.visitor.tenant)
        if endpoint is None or endpoint.disabled_at is not None:
            raise ProblemError(Trouble.CONFLICT, "The endpoint is disabled; enable it first.")
        now = gateway.database.now(connection)
        changed = deliveries.redeliver(connection, deliveries.one(delivery_id), now=now)
        note(connection, action, "redeliver", str(delivery_id), "" if changed else UNCHANGED, now=now)
    done = "redelivered" if changed else UNCHANGED
    return pages.see_other(f"/console/webhooks/deliveries/{delivery_id}?done={done}")


@router.post("/endpoints/{endpoint_id}/enable")
def enable_endpoint(request: Request, endpoint_id: UUID, action: Administering) -> Response:
    """Enable an endpoint that was disabled."""
    gateway = gateway_of(request)
    with gateway.database.begin() as connection:
        if endpoints.by_id(connection, endpoint_id, tenant=action.visitor.tenant) is None:
            raise not_found("endpoint")
        values = {"disabled_at": None, "disabled_why": None, "failing_since": None}
        endpoints.change(connection, endpoint_id, values)
        note(connection, action, "enable endpoint", str(endpoint_id), now=gateway.database.now(connection))
    return pages.see_other("/console/webhooks?done=enabled")


def _read(gateway: Gateway, tenant: str, delivery_id: UUID) -> DeliveryRecord:
    with gateway.database.read() as connection:
        record = deliveries.by_id(connection, delivery_id)
    if record is None or record.tenant != tenant:
        raise not_found("delivery")
    return record
