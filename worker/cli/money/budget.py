"""`ttsq budget`, `ttsq budget set|batch|clear`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(name="budget", help="Show and set what a batch, or a tenant in a month, may cost.")

Amount = Annotated[str, typer.Argument(metavar="DOLLARS", help="US dollars, such as 25 or 2.50.")]


@app.callback(invoke_without_command=True)
def list_budgets(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a budget, a line each.")] = False,
) -> None:
    """Show the budgets of tenants, and of batches that aren't over. What they don't cover is held, and never fails."""
    if context.invoked_subcommand is not None:
        return
    from worker.cli.money import allotments  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    allotments.show(as_json=as_json)


@app.command("set")
def set_month(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help='Whose calls; those of `ttsq run` are "default".')],
    amount: Amount,
    monthly: Annotated[bool, typer.Option("--monthly", help="For each calendar month of UTC.")] = False,
) -> None:
    """Limit what the calls of a tenant may cost in a calendar month of UTC."""
    from worker.cli.money import budgeting  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    budgeting.set_month(tenant, amount, monthly=monthly)


@app.command("batch")
def set_batch(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="Its id, the beginning of it, or its file's name.")],
    amount: Amount,
) -> None:
    """Raise or lower what the calls of a batch may cost altogether."""
    from worker.cli.money import budgeting  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    budgeting.set_batch(batch, amount)


@app.command("clear")
def clear(
    tenant: Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Whose monthly budget is lifted.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", "-b", help="The batch whose budget is lifted.")] = None,
) -> None:
    """Lift a budget. What it held goes on."""
    from worker.cli.money import budgeting  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    budgeting.clear(tenant, batch)
