"""Reports in files: figures, table and plot, with the machine that they were measured on."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.drawing import draw
from benchmarks.report import Report, shown

RESULTS: Final = Path(__file__).with_name("results")
"""Left out of the repository: figures belong to the machine that they were measured on."""


def keep(report: Report, knobs: object, folder: Path = RESULTS) -> Path:
    """Write it down in files named after it: figures (JSON), table (Markdown) and plot (PNG). The first one's path."""
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
    table = [report.columns, aligned, *([shown(cell) for cell in row] for row in report.rows)]
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
