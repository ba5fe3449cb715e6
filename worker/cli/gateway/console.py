"""`ttsq console`: print a link that signs a browser in to the web console once."""

from __future__ import annotations

import getpass
import socket
from typing import Annotated, Final

import typer

from api_models.access import Scope
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.terminal import Terminal
from worker.store.access import console_sessions
from worker.store.access.console_sessions import LINK_LIFE
from worker.store.database import Database

DEFAULT_TENANT: Final = "default"
LINK_MINUTES: Final = int(LINK_LIFE.total_seconds()) // 60


def console(
    *,
    tenant: Annotated[str, typer.Option(help="Tenant whose jobs it shows.")] = DEFAULT_TENANT,
    read_only: Annotated[bool, typer.Option("--read-only", help="Permit looking and listening only.")] = False,
    address: Annotated[
        str | None,
        typer.Option(help="Address of the gateway.", show_default="TTSQ_GATEWAY_URL, or http://127.0.0.1:8000"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print a link that signs in to the web console, once, within 15 minutes."""
    terminal = Terminal(as_json=as_json)
    if not tenant or len(tenant) > 64 or not tenant.isprintable():
        raise CliError("a tenant's name has 1 to 64 printable characters", "choose another --tenant")
    settings = cli_database.settings(terminal)
    base = (address or settings.gateway_base or "http://127.0.0.1:8000").rstrip("/")
    with cli_database.queue_to_fill(settings) as database:
        found = link(database, base, tenant=tenant, read_only=read_only)
    terminal.data({"url": found, "tenant": tenant, "read_only": read_only, "seconds": int(LINK_LIFE.total_seconds())})
    if not as_json:
        terminal.unbroken(found)
        terminal.note(f"It works once, for {LINK_MINUTES} minutes; the session lasts 12 hours.")


def link(database: Database, base: str, *, tenant: str = DEFAULT_TENANT, read_only: bool = False) -> str:
    """Create a link to the gateway at `base`."""
    with database.begin() as connection:
        token = console_sessions.make_link(
            connection,
            tenant=tenant,
            name=_user(),
            scopes=frozenset(Scope),
            read_only=read_only,
            now=database.now(connection),
        )
    return f"{base}/console/link?token={token}"


def _user() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container may run under a number without a name
        return socket.gethostname()
