"""The gateway in the foreground, with a worker beside it where one machine does everything."""

from __future__ import annotations

from contextlib import ExitStack

from worker.broker.embedded import EmbeddedWorker
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.terminal import Terminal
from worker.gateway.parts import assemble
from worker.gateway.server import CannotListenError, Server, is_loopback
from worker.process.factories import start_tracing
from worker.settings import Settings
from worker.store.access import api_keys
from worker.store.database import Database
from worker.telemetry import logs, tracing


def serve(host: str, port: int, *, all_in_one: bool) -> None:
    """Until it is told to stop.

    Raises:
        CliError: the address is taken, or nobody would do the work.
        StartError: the worker can't start; nothing was spent.
    """
    terminal = Terminal()
    settings = cli_database.settings(terminal)
    if all_in_one and not settings.embedded:
        raise CliError(
            "--all-in-one runs its worker over the in-memory broker, and TTSQ_BROKER_URL names another",
            "leave TTSQ_BROKER_URL out, or leave --all-in-one out and start workers with `ttsq worker`",
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
            server = Server(gateway, host, port)
        except CannotListenError as error:
            raise CliError(str(error), "choose another --port (0 takes a free one) or --host") from None
        if worker is not None:
            worker.start()
            stack.callback(worker.stop, grace_seconds=settings.grace_seconds)
        server.work(ready=lambda: _announce(terminal, server.address, settings, database, all_in_one=all_in_one))


def _announce(terminal: Terminal, address: str, settings: Settings, database: Database, *, all_in_one: bool) -> None:
    terminal.result(f"The gateway listens at {address} (description: {address}/openapi.json). Ctrl-C ends it.")
    if settings.embedded and is_loopback(address.split("//")[1].rpartition(":")[0].strip("[]")):
        terminal.note("Running without authentication (loopback only). If a key is sent, it must be valid.")
    else:
        with database.read() as connection:
            good = [key for key in api_keys.listed(connection) if key.revoked_at is None]
        if not good:
            terminal.note("There is no API key yet, so nobody gets in; `ttsq keys add NAME` makes one.")
    if settings.embedded and not all_in_one:
        terminal.note("No worker runs in here: jobs wait until `ttsq serve --all-in-one` or `ttsq run` takes them up.")
