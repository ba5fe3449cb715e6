"""`ttsq webhooks list|log|show|redeliver|enable|listen`: outbound webhooks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from api_models.values import moment
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.terminal import Terminal
from worker.cli.gateway.listener import Listener, Message
from worker.cli.snapshot import stamp
from worker.store.outbox import deliveries, endpoints
from worker.store.outbox.deliveries import DeliveryRecord, Try
from worker.store.outbox.endpoints import EndpointRecord

app = typer.Typer(
    name="webhooks",
    add_completion=False,
    help="List webhook endpoints and deliveries, and redeliver.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
Result = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_endpoints(as_json: AsJson = False) -> None:
    """List endpoints of all tenants and their health."""
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
        terminal.note("No endpoints; create one with POST /v1/endpoints.")


@app.command("log")
def list_deliveries(
    endpoint: Annotated[str | None, typer.Option(help="Only this endpoint: its id.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="Maximum number of deliveries.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List deliveries, newest first."""
    terminal = Terminal(as_json=as_json)
    endpoint_id = None if endpoint is None else _id(endpoint)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found = deliveries.listed(connection, endpoint_id=endpoint_id, most=limit)
    for record in found:
        terminal.data(_delivery(record))
        if not as_json:
            tries = f"{record.attempts} tries" if record.attempts != 1 else "1 try"
            terminal.result(f"{record.id}  {record.type}  {record.subject}  {record.state}, {tries}")
    if not found:
        terminal.note("No deliveries.")


@app.command("show")
def show_delivery(
    delivery: Annotated[str, typer.Argument(metavar="ID", help="Delivery id.")], as_json: Result = False
) -> None:
    """Show all requests of one delivery and their responses."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        record = deliveries.by_id(connection, _id(delivery))
        tries = deliveries.tries(connection, _id(delivery))
    if record is None:
        raise CliError(f"no delivery {delivery}", "`ttsq webhooks log` lists them")
    terminal.data(_delivery(record) | {"tries": [_try(outcome) for outcome in tries]})
    if as_json:
        return
    terminal.result(f"{record.type}  {record.subject}  {record.state}")
    for outcome in tries:
        response = f"{outcome.status}" if outcome.status is not None else str(outcome.error)
        terminal.result(f"try {outcome.number}  {stamp(outcome.at)}  {outcome.seconds:.2f} s  {response}")
        if outcome.response:
            terminal.result(f"  {outcome.response}")


@app.command("redeliver")
def redeliver(
    which: Annotated[str, typer.Argument(metavar="ID", help="Delivery id, or with --since an endpoint id.")],
    since: Annotated[
        str | None, typer.Option(help="Redeliver all that failed since, such as 2026-11-20T08:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="End of the period.", show_default="now")] = None,
    as_json: Result = False,
) -> None:
    """Send finished deliveries again, with the same ids."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        now = database.now(connection)
        if since is None:
            selected = deliveries.one(_id(which))
        else:
            selected = deliveries.between(_id(which), _moment(since), now if until is None else _moment(until))
        sent = deliveries.redeliver(connection, selected, now=now)
    if not sent:
        raise CliError("nothing to redeliver", "`ttsq webhooks log` lists deliveries")
    terminal.done(f"{sent} queued; workers send them now.", deliveries=sent)


@app.command("enable")
def enable(
    endpoint: Annotated[str, typer.Argument(metavar="ID", help="Endpoint id.")], as_json: Result = False
) -> None:
    """Re-enable an endpoint. Events from the time it was disabled are not sent."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        healthy = {"disabled_at": None, "disabled_why": None, "failing_since": None}
        if not endpoints.change(connection, _id(endpoint), healthy):
            raise CliError(f"no endpoint {endpoint}", "`ttsq webhooks list` lists them")
    terminal.done("Endpoint enabled; it receives events from now on.", endpoint=endpoint)


@app.command("listen")
def listen(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of 127.0.0.1 to listen on; 0 picks a free one.")
    ] = 0,
    secret_file: Annotated[
        Path | None, typer.Option("--secret-file", help="File with the secret.", show_default="those of all endpoints")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="Stop after this many messages.")] = None,
    status: Annotated[int, typer.Option(min=200, max=599, help="Status to answer with.")] = 204,
    as_json: AsJson = False,
) -> None:
    """Receive webhooks on this machine: print each message, and whether its signature is valid."""
    terminal = Terminal(as_json=as_json)
    secrets = _secrets(terminal, secret_file)
    with closing(_listener(port, secrets, status)) as listener:
        terminal.note(f"Listening at {listener.url}. Use it as an endpoint's or a job's callback_url.")
        terminal.note("Gateway and workers permit it with TTSQ_WEBHOOK_ALLOW=127.0.0.1. Press Ctrl-C to stop.")
        for message in islice(listener.messages(), count):
            _show_message(terminal, message, as_json=as_json)


def _listener(port: int, secrets: Callable[[], dict[str, str]], status: int) -> Listener:
    try:
        return Listener(port, secrets, status)
    except OSError as error:
        raise CliError(f"cannot listen on port {port}: {error.strerror}", "choose another --port") from None


def _secrets(terminal: Terminal, path: Path | None) -> Callable[[], dict[str, str]]:
    """Return a function that reads the secrets, by what they belong to: endpoints may be created meanwhile."""
    if path is not None:
        secret = path.read_text(encoding="utf-8").strip()
        return lambda: {str(path): secret}
    settings = cli_database.settings(terminal)

    def read() -> dict[str, str]:
        with cli_database.queue(settings) as database, database.read() as connection:
            found = endpoints.listed(connection)
        return {f"endpoint {record.id}": record.secret for record in found}

    return read


def _show_message(terminal: Terminal, message: Message, *, as_json: bool) -> None:
    terminal.data(
        {
            "id": message.id,
            "received_at": stamp(message.at),
            "signed_by": message.signed_by,
            "valid": message.signed_by is not None,
            "body": message.text,
        }
    )
    if not as_json:
        sign = f"✓ signed by {message.signed_by}" if message.signed_by else "✗ no valid signature of a known endpoint"
        terminal.result(f"{stamp(message.at)}  {message.id or '(no webhook-id)'}  {sign}")
        terminal.result(f"  {message.text}")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise CliError(f"{text} is not an id", "`ttsq webhooks log` and `ttsq webhooks list` show ids") from None


def _moment(text: str) -> datetime:
    try:
        found = moment(text)
    except ValueError as error:
        raise CliError(str(error), "") from None
    if found is None:
        raise CliError("no time was given", "write it as 2026-12-01T08:00:00Z")
    return found


def _health(record: EndpointRecord) -> str:
    if record.disabled_at is not None:
        return f"disabled: {record.disabled_why}"
    return f"failing since {stamp(record.failing_since)}" if record.failing_since is not None else "healthy"


def _endpoint(record: EndpointRecord) -> dict[str, object]:
    return {
        "id": str(record.id),
        "tenant": record.tenant,
        "url": record.url,
        "events": record.events.split(),
        "ordered": record.ordered,
        "thin": record.thin,
        "flat": record.is_flat,
        "header_name": record.header_name,
        "failing_since": stamp(record.failing_since),
        "disabled_at": stamp(record.disabled_at),
        "disabled_why": record.disabled_why,
    }


def _try(outcome: Try) -> dict[str, object]:
    return {
        "number": outcome.number,
        "at": stamp(outcome.at),
        "seconds": outcome.seconds,
        "status": outcome.status,
        "error": outcome.error,
        "response": outcome.response,
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
