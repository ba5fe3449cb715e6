"""Operations on all jobs that a filter matches: counted and priced, confirmed, followed, aborted and resumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from api_models.problems import Fault, InvalidInputError
from worker.gateway.answers import gateway_of
from worker.gateway.console import pages
from worker.gateway.console.access import UNCHANGED, Action, Operating, Reader, note
from worker.gateway.parts import Gateway
from worker.gateway.problems import invalid, not_found
from worker.store import operations
from worker.store.operations import OperationRecord, State

router = APIRouter(prefix="/console/operations", include_in_schema=False)

PER_PAGE: Final = 25
COUNTED_AT_ONCE: Final = 4
"""Pages counted before the first response: most operations show their price at once."""
MAX_PRIORITY: Final = 32_767


@router.get("")
def get_operations(request: Request, visitor: Reader, before: UUID | None = None) -> Response:
    """List operations, the newest first."""
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        found = operations.listed(connection, visitor.tenant, before=before, most=PER_PAGE)
    more = f"/console/operations?before={found[-1].id}" if len(found) == PER_PAGE else None
    return pages.render(request, "operations.html", visitor, {"operations": found, "next_address": more})


@router.post("")
def create_operation(request: Request, action: Operating) -> Response:
    """Freeze a filter, and count and price what it matches. Nothing is changed yet."""
    gateway = gateway_of(request)
    kind, priority = _kind(action)
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        try:
            record = operations.create(
                connection,
                tenant=action.visitor.tenant,
                actor=action.visitor.name,
                action=kind,
                filter_text=action.field("filter").strip(),
                priority=priority,
                now=now,
            )
        except InvalidInputError as error:
            raise invalid(error.faults) from None
        note(connection, action, f"prepare {kind}", str(record.id), _described(record, changed=True), now=now)
    _count(gateway, record)
    return pages.see_other(f"/console/operations/{record.id}")


def _kind(action: Action) -> tuple[operations.Action, int | None]:
    try:
        kind = operations.Action(action.field("action"))
    except ValueError:
        raise invalid([Fault(field="action", message="must be retry, cancel, priority or delete")]) from None
    if kind is not operations.Action.PRIORITY:
        return kind, None
    try:
        priority = int(action.field("priority"))
    except ValueError:
        priority = MAX_PRIORITY + 1
    if abs(priority) > MAX_PRIORITY:
        raise invalid([Fault(field="priority", message=f"must be a whole number of at most {MAX_PRIORITY:,}")])
    return kind, priority


def _count(gateway: Gateway, record: OperationRecord) -> None:
    for _ in range(COUNTED_AT_ONCE):
        with gateway.database.begin() as connection:
            if not operations.advance(connection, record, now=gateway.database.now(connection)):
                return


@router.get("/{operation_id}")
def get_operation(request: Request, operation_id: UUID, visitor: Reader) -> Response:
    """Show one operation and its progress."""
    record = _read(gateway_of(request), visitor.tenant, operation_id)
    return pages.render(request, "operation.html", visitor, {"operation": record})


@router.post("/{operation_id}/confirm")
def confirm_operation(request: Request, operation_id: UUID, action: Operating) -> Response:
    """Begin to carry it out."""
    return _move(request, operation_id, action, "confirm", "confirmed")


@router.post("/{operation_id}/discard")
def discard_operation(request: Request, operation_id: UUID, action: Operating) -> Response:
    """Drop an operation that was not confirmed."""
    return _move(request, operation_id, action, "discard", "discarded")


@router.post("/{operation_id}/abort")
def abort_operation(request: Request, operation_id: UUID, action: Operating) -> Response:
    """Stop after the page that is under way."""
    return _move(request, operation_id, action, "abort", "aborted")


@router.post("/{operation_id}/resume")
def resume_operation(request: Request, operation_id: UUID, action: Operating) -> Response:
    """Continue where it stopped."""
    return _move(request, operation_id, action, "resume", "resumed")


def _move(request: Request, operation_id: UUID, action: Action, verb: str, done: str) -> Response:
    gateway = gateway_of(request)
    record = _read(gateway, action.visitor.tenant, operation_id)
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        moves: dict[str, Callable[[], bool]] = {
            "confirm": lambda: operations.confirm(connection, record, now=now),
            "discard": lambda: operations.discard(connection, record, now=now),
            "abort": lambda: operations.abort(connection, record, now=now),
            "resume": lambda: operations.resume(connection, record),
        }
        changed = moves[verb]()
        detail = _described(record, changed=changed)
        note(connection, action, f"{verb} {record.action}", str(operation_id), detail, now=now)
    return pages.see_other(f"/console/operations/{operation_id}?done={done if changed else 'unchanged'}")


def _described(record: OperationRecord, *, changed: bool) -> str:
    figures = "" if record.state is State.COUNTING else f"; {record.matched:,} jobs, ${record.price:f}"
    return f"{record.filter or 'all jobs'}{figures}" + ("" if changed else f"; {UNCHANGED}")


def _read(gateway: Gateway, tenant: str, operation_id: UUID) -> OperationRecord:
    with gateway.database.read() as connection:
        record = operations.by_id(connection, tenant, operation_id)
    if record is None:
        raise not_found("operation")
    return record
