"""Draws a report's plot as a PNG, with no display. The only module here that knows matplotlib."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from benchmarks.plots import Bars, Cell, Lines, Plot, drawn_columns, figure
from benchmarks.report import Report

OURS: Final = ("#1f5fa8", "#6f9fd0", "#b5cde8")
PEERS: Final = ("#8a8a8a", "#b0b0b0", "#d2d2d2")
TARGET: Final = "#c0392b"
INK: Final = "#222222"
QUIET: Final = "#777777"
MARKERS: Final = "osD^v"

WIDTH_INCHES: Final = 9.0
TITLE_CHARACTERS: Final = 78
METHOD_CHARACTERS: Final = 118
LINES_HEIGHT_INCHES: Final = 4.6
BAR_INCHES: Final = 0.30
HEADROOM: Final = 1.16
"""How much farther than the longest bar the axis reaches, so that the figure beside it has room."""


def draw(report: Report, plot: Plot, path: Path) -> None:
    """Write the picture."""
    with mpl.rc_context({"font.size": 10, "text.color": INK, "axes.labelcolor": INK, "text.parse_math": False}):
        title = _filled(plot.title or (report.findings[0] if report.findings else report.title), TITLE_CHARACTERS)
        method = _filled(report.title, METHOD_CHARACTERS)
        heading = 0.35 + 0.24 * (title.count("\n") + 1) + 0.17 * (method.count("\n") + 1)
        body = _bars_height(report, plot) if isinstance(plot, Bars) else LINES_HEIGHT_INCHES
        layout = ConstrainedLayoutEngine(rect=(0.01, 0.01, 0.98, body / (heading + body)))
        picture = Figure(figsize=(WIDTH_INCHES, heading + body), dpi=120, layout=layout)
        FigureCanvasAgg(picture)
        top = 1 - 0.15 / (heading + body)
        picture.text(0.02, top, title, fontsize=12.5, fontweight="bold", va="top")
        below = top - (0.24 * (title.count("\n") + 1) + 0.03) / (heading + body)
        picture.text(0.02, below, method, fontsize=8.5, color=QUIET, va="top")
        axes = picture.subplots()
        if isinstance(plot, Bars):
            _draw_bars(axes, report, plot)
        else:
            _draw_lines(axes, plot)
        picture.savefig(path, format="png", facecolor="white")


def _bars_height(report: Report, plot: Bars) -> float:
    bars = len(_drawn_rows(report, plot)) * len(drawn_columns(plot, report.columns, report.rows))
    return 1.3 + BAR_INCHES * bars + 0.12 * len(report.rows)


def _drawn_rows(report: Report, plot: Bars) -> list[list[Cell]]:
    return [list(row) for row in report.rows if row[0] not in plot.leave_out]


def _draw_bars(axes: Axes, report: Report, plot: Bars) -> None:
    rows, places = _drawn_rows(report, plot), drawn_columns(plot, report.columns, report.rows)
    thickness = 0.78 / len(places)
    for number, place in enumerate(places):
        for at, row in enumerate(rows):
            value = figure(row[place])
            if value is None:
                continue
            shades = PEERS if row[0] in plot.peers else OURS
            middle = at - 0.39 + thickness * (number + 0.5)
            axes.barh(middle, value, height=thickness * 0.9, color=shades[number % len(shades)])
            label = f"{report.columns[place]}: {_short(value)}" if len(places) > 1 else _short(value)
            axes.annotate(label, (value, middle), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(rows)), [textwrap.fill(str(row[0]), 28) for row in rows])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(plot.axis or report.columns[places[0]])
    if plot.logarithmic:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(_tick)
    _draw_targets(axes, report, plot, rows)
    low, high = axes.get_xlim()
    axes.set_xlim(low if plot.logarithmic else 0, high * (HEADROOM**4 if plot.logarithmic else HEADROOM))
    _quiet(axes, "x")


def _draw_targets(axes: Axes, report: Report, plot: Bars, rows: list[list[Cell]]) -> None:
    if plot.target is None:
        return
    words = plot.aim
    if isinstance(plot.target, str):
        place = list(report.columns).index(plot.target)
        for at, row in enumerate(rows):
            value = figure(row[place])
            if value is not None:
                axes.plot([value, value], [at - 0.46, at + 0.46], color=TARGET, linewidth=2, label=words)
                words = "_unlabelled"  # one entry in the key for all of them
    else:
        words = f"{plot.aim} {_short(plot.target)}"
        axes.axvline(plot.target, color=TARGET, linewidth=1.4, linestyle=(0, (5, 3)), label=words)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9, labelcolor=TARGET)


def _draw_lines(axes: Axes, plot: Lines) -> None:
    counts = {False: 0, True: 0}
    for series in plot.series:
        shades, number = (PEERS if series.peer else OURS), counts[series.peer]
        counts[series.peer] += 1
        axes.plot(
            [x for x, _ in series.points],
            [y for _, y in series.points],
            color=shades[number % len(shades)],
            marker=MARKERS[number % len(MARKERS)],
            linestyle="--" if series.peer else "-",
            label=series.name,
        )
    if plot.target is not None:
        words = f"{plot.aim} {_short(plot.target)}"
        axes.axhline(plot.target, color=TARGET, linewidth=1.4, linestyle=(0, (5, 3)), label=words)
    axes.set_xlabel(plot.x)
    axes.set_ylabel(plot.y)
    axes.set_xscale("log" if plot.logarithmic_x else "linear")
    axes.xaxis.set_major_formatter(_tick)
    if plot.logarithmic_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(_tick)
    axes.legend(frameon=False, fontsize=9)
    _quiet(axes, "both")


def _quiet(axes: Axes, grid: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#bbbbbb")
    axes.grid(axis="x" if grid == "x" else "both", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def _filled(words: str, width: int) -> str:
    return textwrap.fill(words[:1].upper() + words[1:], width)


def _tick(value: float, _place: object) -> str:
    return f"{value:,.10g}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.3g}"
