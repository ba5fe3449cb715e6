"""A benchmark's report is kept as figures, a table and a picture."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchmarks.keeping import keep
from benchmarks.plots import Bars, Lines, Plot, Series, drawn_columns, figure
from benchmarks.report import Report

PNG = b"\x89PNG\r\n\x1a\n"

REPORT = Report(
    name="speed",
    title="How fast it is, with a | and a $ in it",
    columns=("", "note", "ms", "bound ms"),
    rows=[("ours", "good", 1.5, 2), ("theirs", "-", "3,000.0", 4)],
    findings=["ours / theirs: 0.0005"],
    faults=["one file is missing"],
)


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    jobs: int = 7


def test_three_files(tmp_path: Path) -> None:
    """The figures with knobs and machine, the table with its findings, and the picture stand side by side."""
    kept = keep(REPORT, Knobs(), tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["speed.json", "speed.md", "speed.png"]
    content = json.loads(kept.read_text())
    assert content["knobs"] == {"jobs": 7}
    assert content["rows"][0] == ["ours", "good", 1.5, 2]
    page = (tmp_path / "speed.md").read_text()
    assert "| ours | good | 1.50 | 2 |" in page
    assert "- ours / theirs: 0.0005" in page
    assert "does not count:** one file is missing" in page
    assert "![speed](speed.png)" in page


@pytest.mark.parametrize(
    "plot",
    [
        Bars(),
        Bars(("ms", "bound ms"), axis="ms", target=2.0, aim="at most", peers=("theirs",), logarithmic=True),
        Bars(("ms",), target="bound ms", leave_out=("theirs",)),
        Lines("slots", "starts a second", [Series("ours", [(1, 2.0), (8, 16.0)])], target=3.0),
        Lines(
            "rows",
            "ms",
            [Series("ours", [(10, 1.0), (1_000, 1.1)]), Series("theirs", [(10, 1.0)], peer=True)],
            logarithmic_x=True,
            logarithmic_y=True,
            title="It stays flat",
        ),
    ],
    ids=["default", "groups", "own targets", "lines", "logarithmic lines"],
)
def test_every_kind_of_plot_is_a_png(tmp_path: Path, plot: Plot) -> None:
    """Bars and lines, with and without targets and peers, are drawn without a display."""
    keep(replace(REPORT, plot=plot), Knobs(), tmp_path)

    assert (tmp_path / "speed.png").read_bytes().startswith(PNG)


def test_default_bars() -> None:
    """With nothing said, the first column that has a figure in every row is drawn."""
    assert drawn_columns(Bars(), REPORT.columns, REPORT.rows) == [2]


def test_no_figures() -> None:
    """A table without a column of figures can't be drawn, and says so."""
    with pytest.raises(ValueError, match="no column"):
        drawn_columns(Bars(), ("", "note"), [("ours", "good")])


@pytest.mark.parametrize(("cell", "value"), [("99.0%", 99.0), ("$1,234.5", 1234.5), (7, 7.0), ("300 of 300", None)])
def test_figures_of_cells(cell: str | float, value: float | None) -> None:
    """A figure is read whatever unit stands beside it; words are none."""
    assert figure(cell) == value
