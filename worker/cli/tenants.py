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


class UnusablePlaceError(CliError):
    """Nothing can be stored there from here. Nothing was changed."""

    def __init__(self, address: str, error: ArtifactsError) -> None:
        super().__init__(f"audio can't be stored at {address}: {error.message}", "nothing was changed")


def _place(tenant: str, address: str | None, *, clear: bool) -> None:
    """Show it, or set it once something could be stored there.

    Raises:
        CliError: the address is of no use, or given where it is to be cleared.
    """
    terminal = Terminal()
    if clear and address is not None:
        raise CliError("an address and --clear say opposite things", "give one of them")
    if address is not None:
        _try_out(address)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.begin() as connection:
        if clear or address is not None:
            outputs.give_tenant(connection, tenant, address)
        found = outputs.of_tenant(connection, tenant)
    whose = f"Audio of tenant {tenant} goes to {found or default_artifacts_url(settings)}"
    terminal.result(f"{whose}." if found else f"{whose}, the place in the settings.")
    if clear or address is not None:
        terminal.note(f"Workers go by it within {TENANT_SECONDS:g} s; what is stored stays where it is.")


def _try_out(address: str) -> None:
    try:
        with closing(open_store(address)) as store:
            store.check()
    except ArtifactsError as error:
        raise UnusablePlaceError(address, error) from None


app = typer.Typer(
    name="tenants", add_completion=False, help="Show and change what a tenant has of its own.", no_args_is_help=True
)


@app.command("place")
def place(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help='Whose audio; that of `ttsq run` is "default".')],
    address: Annotated[
        str | None, typer.Argument(metavar="[ADDRESS]", help="Such as s3://bucket/prefix or file:///folder.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Back to the place in the settings.")] = False,
) -> None:
    """Show or set where a tenant's audio goes. What is stored already stays where it is."""

    _place(tenant, address, clear=clear)
