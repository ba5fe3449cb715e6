"""`ttsq tenants place`."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from worker.artifacts.errors import ArtifactsError
from worker.artifacts.factory import open_store
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.terminal import Terminal
from worker.execution.destinations import TENANT_SECONDS
from worker.process.factories import default_artifacts_url
from worker.store import outputs


class UnusableDestinationError(CliError):
    """The address cannot be written from this machine."""

    def __init__(self, address: str, error: ArtifactsError) -> None:
        super().__init__(f"cannot store audio at {address}: {error.message}", "nothing was changed")


app = typer.Typer(
    name="tenants", add_completion=False, help="Show or set where a tenant's audio is stored.", no_args_is_help=True
)


@app.command("place")
def place(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant; `ttsq run` submits as `default`.")],
    address: Annotated[
        str | None, typer.Argument(metavar="ADDRESS", help="s3://bucket/prefix or file:///absolute/folder.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Return to TTSQ_ARTIFACTS_URL.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show where a tenant's audio is stored; with ADDRESS, change it.

    The address is tested before it is saved. Audio that is already stored does not move.
    """
    terminal = Terminal(as_json=as_json)
    if clear and address is not None:
        raise CliError("ADDRESS and --clear exclude each other", "use one of them")
    if address is not None:
        _check_writable(address)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.begin() as connection:
        if clear or address is not None:
            outputs.give_tenant(connection, tenant, address)
        found = outputs.of_tenant(connection, tenant)
    source = "" if found else " (the default)"
    address = found or default_artifacts_url(settings)
    message = f"Audio of tenant {tenant} is stored at {address}{source}."
    terminal.done(message, tenant=tenant, address=address, is_default=not found)
    if clear or address is not None:
        terminal.note(f"Workers use it within {TENANT_SECONDS:g} s; audio already stored does not move.")


def _check_writable(address: str) -> None:
    try:
        with closing(open_store(address)) as store:
            store.check()
    except ArtifactsError as error:
        raise UnusableDestinationError(address, error) from None
