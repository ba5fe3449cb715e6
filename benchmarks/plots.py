"""What a report's picture shows: bars, one group a row of its table, or lines over something. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Cell = str | int | float
Point = tuple[float, float]

_NOT_DIGITS: Final = str.maketrans("", "", ",%$ ")


@dataclass(frozen=True, slots=True)
class Bars:
    """A group of bars for each row of the table, and what they were to reach."""

    columns: Sequence[str] = ()
    """A bar each, by the table's headings; none given: the first column that has a figure in every row."""
    axis: str = ""
    """What is counted, and in what unit; by default the column's heading."""
    target: float | str | None = None
    """One for all rows, or the heading of the column that has each row's own."""
    aim: str = "target"
    """The word beside it: `at most`, `at least`."""
    peers: Sequence[str] = ()
    """The rows of others than us, by their first cells."""
    leave_out: Sequence[str] = ()
    """Rows that are not drawn."""
    logarithmic: bool = False
    title: str = ""
    """What the picture says; by default the first finding."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line."""

    name: str
    points: Sequence[Point]
    peer: bool = False
    """True for a peer's figures and for a bound."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines over one measure, and what they were to stay under or reach."""

    x: str
    """The horizontal axis: what, and in what unit."""
    y: str
    series: Sequence[Series]
    target: float | None = None
    aim: str = "target"
    logarithmic_x: bool = False
    logarithmic_y: bool = False
    title: str = ""
    """What the picture says; by default the first finding."""


Plot = Bars | Lines


def figure(cell: Cell) -> float | None:
    """The number that a cell shows, whatever its unit; None where it shows none."""
    if not isinstance(cell, str):
        return float(cell)
    try:
        return float(cell.translate(_NOT_DIGITS))
    except ValueError:
        return None


def drawn_columns(bars: Bars, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[int]:
    """The places of the columns that have bars.

    Raises:
        ValueError: the table has no such column, or none with a figure in every row.
    """
    if bars.columns:
        return [list(columns).index(name) for name in bars.columns]
    for place in range(1, len(columns)):
        if all(figure(row[place]) is not None for row in rows):
            return [place]
    raise ValueError("no column has a figure in every row")
