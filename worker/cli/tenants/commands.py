"""`ttsq tenants place`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(name="tenants", help="What a tenant has of its own.", no_args_is_help=True)


@app.command("place")
def place(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help='Whose audio; that of `ttsq run` is "default".')],
    address: Annotated[
        str | None, typer.Argument(metavar="[ADDRESS]", help="Such as s3://bucket/prefix or file:///folder.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Back to the place in the settings.")] = False,
) -> None:
    """Show or set where a tenant's audio goes. What is stored already stays where it is."""
    from worker.cli.tenants import placing  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    placing.place(tenant, address, clear=clear)
