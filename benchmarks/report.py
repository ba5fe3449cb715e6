"""What a benchmark hands back: a table, what follows from it, and whether it counts. Printed, and kept in files."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.plots import Bars, Cell, Plot

RESULTS: Final = Path(__file__).with_name("results")
"""Left out of the repository: figures belong to the machine that they were measured on."""


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
        table.add_row(*(_shown(cell) for cell in row))
    console.print(table)
    for finding in report.findings:
        console.print(f"  {finding}", highlight=False)
    for fault in report.faults:
        console.print(f"  [red]does not count:[/red] {fault}", highlight=False)


def keep(report: Report, knobs: object, folder: Path = RESULTS) -> Path:
    """Write it down in files named after it: figures (JSON), table (Markdown) and plot (PNG). The first one's path."""
    from benchmarks.drawing import draw  # noqa: PLC0415 - whoever only makes a report needs no matplotlib

    folder.mkdir(exist_ok=True)
    content = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "knobs": dataclasses.asdict(knobs) if dataclasses.is_dataclass(knobs) and not isinstance(knobs, type) else {},
        **dataclasses.asdict(report),
    }
    path = folder / f"{report.name}.json"
    path.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(_page(report, content), encoding="utf-8")
    draw(report, report.plot, path.with_suffix(".png"))
    return path


def _page(report: Report, content: Mapping[str, Any]) -> str:
    """The table and what follows from it, as Markdown."""
    aligned = [":--", *["--:"] * (len(report.columns) - 1)]
    table = [report.columns, aligned, *([_shown(cell) for cell in row] for row in report.rows)]
    machine, knobs = (", ".join(f"{k} {v}" for k, v in content[part].items()) for part in ("machine", "knobs"))
    return "\n".join(
        [
            f"# {report.name}\n",
            f"{report.title}\n",
            *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in table),
            "",
            *(f"- {finding}" for finding in report.findings),
            *(f"- **does not count:** {fault}" for fault in report.faults),
            f"\n![{report.name}]({report.name}.png)\n",
            f"Measured {content['measured_at']} on: {machine}. Knobs: {knobs}.",
            "",
        ]
    )


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was with other things."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _shown(cell: Cell) -> str:
    return f"{cell:,.2f}" if isinstance(cell, float) else str(cell)
