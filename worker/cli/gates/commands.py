"""`ttsq gates`, `ttsq gates open|close`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(name="gates", help="Show what holds the queue; open it, or hold it, by hand.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="account, storage, or a model: model:SLUG, or its SLUG.")]


@app.callback(invoke_without_command=True)
def list_gates(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", "-a", help="Also those that were closed once and are open.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a gate, a line each.")] = False,
) -> None:
    """Show what holds the queue: since when, why in the API's words, and when it is looked at again."""
    if context.invoked_subcommand is not None:
        return
    from worker.cli.gates import listing  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    listing.show(every=every, as_json=as_json)


@app.command("open")
def open_gate(name: Name) -> None:
    """Open a gate now, without waiting for its next probe. It closes again if its trouble lasts."""
    from worker.cli.gates import turning  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    turning.open_gate(name)


@app.command("close")
def close_gate(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for whoever looks at the queue.")] = "",
) -> None:
    """Hold everything, or one model, until it is opened by hand. Calls under way finish."""
    from worker.cli.gates import turning  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    turning.close_gate(name, reason)
