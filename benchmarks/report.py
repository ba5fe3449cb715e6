"""What a benchmark hands back: a table, what follows from it, and whether it counts. Printed on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from benchmarks.plots import Bars, Cell, Plot


@dataclass(frozen=True, slots=True)
class Report:
    """One benchmark's outcome."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    """The first cell of each is its name."""
    findings: Sequence[str]
    """What follows, a sentence each; ratios rather than seconds."""
    faults: Sequence[str] = ()
    """Why the figures don't count; empty where they do."""
    rounds: Sequence[Mapping[str, Cell]] = field(default_factory=list)
    """Every single measurement."""
    plot: Plot = field(default_factory=Bars)
    """What its picture shows; by default the first column of figures."""


def show(report: Report, console: Console) -> None:
    """Print it."""
    console.print(report.title, style="bold", highlight=False)
    table = Table()
    for number, column in enumerate(report.columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in report.rows:
        table.add_row(*(shown(cell) for cell in row))
    console.print(table)
    for finding in report.findings:
        console.print(f"  {finding}", highlight=False)
    for fault in report.faults:
        console.print(f"  [red]does not count:[/red] {fault}", highlight=False)


def shown(cell: Cell) -> str:
    """As it stands in tables."""
    return f"{cell:,.2f}" if isinstance(cell, float) else str(cell)
