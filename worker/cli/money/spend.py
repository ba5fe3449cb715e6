"""`ttsq spend`."""

from __future__ import annotations

from typing import Annotated

import typer

from api_models.spending import By


def spend(
    by: Annotated[By, typer.Option("--by", help="One line for each.")] = By.DAY,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="From this day or month of UTC on: 2026-11-30, or 2026-11.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="To the end of this day or month of UTC.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with every line and the total.")] = False,
) -> None:
    """Show what was spent: calls, paid, of it estimated, possibly billed, and what copies have saved."""
    from worker.cli.money import accounting  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    accounting.show(by, since=since, until=until, tenant=tenant, as_json=as_json)
