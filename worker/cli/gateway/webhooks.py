"""Outbound webhooks, as their operator looks at them and has them sent again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api_models.values import moment
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import stamp
from worker.store.outbox import deliveries, endpoints
from worker.store.outbox.deliveries import DeliveryRecord
from worker.store.outbox.endpoints import EndpointRecord


def endpoints_shown(*, as_json: bool) -> None:
    """Every endpoint of every tenant."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found = endpoints.listed(connection)
    for record in found:
        terminal.data(_endpoint(record))
        if not as_json:
            terminal.result(
                f"{record.id}  {record.url or '(callback addresses)'}  tenant {record.tenant}  {_health(record)}"
            )
    if not found:
        terminal.note("There are no endpoints; POST /v1/endpoints makes one.")


def log_shown(endpoint: str | None, most: int, *, as_json: bool) -> None:
    """What was sent, the newest first."""
    terminal = Terminal(as_json=as_json)
    wanted = None if endpoint is None else _id(endpoint)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found = deliveries.listed(connection, endpoint_id=wanted, most=most)
    for record in found:
        terminal.data(_delivery(record))
        if not as_json:
            tries = f"{record.attempts} tries" if record.attempts != 1 else "1 try"
            terminal.result(f"{record.id}  {record.type}  {record.subject}  {record.state}, {tries}")
    if not found:
        terminal.note("Nothing was sent.")


def delivery_shown(wanted: str) -> None:
    """One delivery, with every request."""
    terminal = Terminal()
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        record = deliveries.by_id(connection, _id(wanted))
        tries = deliveries.tries(connection, _id(wanted))
    if record is None:
        raise CliError(f"there is no delivery {wanted}", "`ttsq webhooks log` shows them")
    terminal.result(f"{record.type}  {record.subject}  {record.state}")
    for outcome in tries:
        said = f"{outcome.status}" if outcome.status is not None else str(outcome.error)
        terminal.result(f"try {outcome.number}  {stamp(outcome.at)}  {outcome.seconds:.2f} s  {said}")
        if outcome.response:
            terminal.result(f"  {outcome.response}")


def redeliver(which: str, since: str | None, until: str | None) -> None:
    """Send once more: one delivery, or what failed to reach an endpoint in a span of time."""
    terminal = Terminal()
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        now = database.now(connection)
        if since is None:
            selected = deliveries.one(_id(which))
        else:
            selected = deliveries.between(_id(which), _moment(since), now if until is None else _moment(until))
        sent = deliveries.redeliver(connection, selected, now=now)
    if not sent:
        raise CliError("there is nothing to send again", "`ttsq webhooks log` shows what was sent")
    terminal.result(f"{sent} to be sent; the workers take them up now.")


def enable(wanted: str) -> None:
    """Let an endpoint hear again."""
    terminal = Terminal()
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        well = {"disabled_at": None, "disabled_why": None, "failing_since": None}
        if not endpoints.change(connection, _id(wanted), well):
            raise CliError(f"there is no endpoint {wanted}", "`ttsq webhooks list` shows them")
    terminal.result("It hears of what happens from now on.")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise CliError(f"{text} is no id", "`ttsq webhooks log` and `ttsq webhooks list` show them") from None


def _moment(text: str) -> datetime:
    try:
        found = moment(text)
    except ValueError as error:
        raise CliError(str(error), "") from None
    if found is None:
        raise CliError("a time is needed", "write it as 2026-12-01T08:00:00Z")
    return found


def _health(record: EndpointRecord) -> str:
    if record.disabled_at is not None:
        return f"disabled: {record.disabled_why}"
    return f"failing since {stamp(record.failing_since)}" if record.failing_since is not None else "well"


def _endpoint(record: EndpointRecord) -> dict[str, object]:
    return {
        "id": str(record.id),
        "tenant": record.tenant,
        "url": record.url,
        "events": record.events.split(),
        "ordered": record.ordered,
        "thin": record.thin,
        "failing_since": stamp(record.failing_since),
        "disabled_at": stamp(record.disabled_at),
        "disabled_why": record.disabled_why,
    }


def _delivery(record: DeliveryRecord) -> dict[str, object]:
    return {
        "id": str(record.id),
        "endpoint": str(record.endpoint_id),
        "event": record.event_id,
        "type": record.type,
        "subject": record.subject,
        "state": record.state,
        "attempts": record.attempts,
        "created_at": stamp(record.created_at),
        "finished_at": stamp(record.finished_at),
    }
