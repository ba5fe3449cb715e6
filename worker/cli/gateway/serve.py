"""`ttsq serve`: the gateway in the foreground, optionally with a worker in the same process."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.terminal import Terminal
from worker.cli.gateway.console import link
from worker.environment.service_manager import SOCKET, ServiceManager
from worker.gateway.parts import assemble
from worker.gateway.server import CannotListenError, Server, is_loopback
from worker.process.embedded import EmbeddedWorker
from worker.process.factories import start_tracing
from worker.settings import Settings, variable
from worker.store.access import api_keys
from worker.store.database import Database
from worker.telemetry import logs, tracing

DEFAULT_PORT = 8000


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65_535)] = DEFAULT_PORT,
    all_in_one: Annotated[bool, typer.Option("--all-in-one", help="Also run a worker in this process.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as one JSON object.")] = False,
) -> None:
    """Serve the HTTP API. Ctrl-C stops it gracefully."""
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    if all_in_one and not settings.embedded:
        raise CliError(
            "--all-in-one needs the in-memory broker, but TTSQ_BROKER_URL is set",
            "unset TTSQ_BROKER_URL, or omit --all-in-one and start workers with `ttsq worker`",
        )
    logs.configure(settings)
    without_auth = settings.embedded and is_loopback(host)
    with cli_database.queue_to_fill(settings) as database, ExitStack() as stack:
        start_tracing(settings)
        stack.callback(tracing.stop)
        worker = EmbeddedWorker(settings, database) if all_in_one else None
        gateway = assemble(
            settings, database, without_auth=without_auth, on_new_jobs=worker.wake if worker else lambda: None
        )
        try:
            server = Server(gateway, host, port, ServiceManager(variable(SOCKET)))
        except CannotListenError as error:
            raise CliError(str(error), "choose another --port (0 takes a free one) or --host") from None
        if worker is not None:
            worker.start()
            stack.callback(worker.stop, grace_seconds=settings.grace_seconds)
        server.work(ready=lambda: _announce(terminal, server.address, settings, database, all_in_one=all_in_one))


def _announce(terminal: Terminal, address: str, settings: Settings, database: Database, *, all_in_one: bool) -> None:
    message = f"Gateway listening at {address} (OpenAPI: {address}/openapi.json). Press Ctrl-C to stop."
    terminal.done(message, address=address)
    if all_in_one:
        terminal.unbroken(f"Web console: {link(database, settings.gateway_base or address)}")
        terminal.note("The link signs in once, for 15 minutes; `ttsq console` prints another.")
    with database.read() as connection:
        keys = api_keys.listed(connection)
    if settings.embedded and is_loopback(address.split("//")[1].rpartition(":")[0].strip("[]")) and not keys:
        terminal.note("Running without authentication (loopback only). If a key is sent, it must be valid.")
        terminal.note("The first key (`ttsq keys add NAME`) ends that: from then on every request needs one.")
    elif not any(key.revoked_at is None for key in keys):
        terminal.note("No API key is valid, so every request is refused; create one with `ttsq keys add NAME`.")
    if settings.embedded and not all_in_one:
        terminal.note("No worker here: jobs stay queued until `ttsq serve --all-in-one` or `ttsq run` starts them.")
