"""Progress of a run: a bar on a terminal, periodic lines elsewhere, or nothing. Display only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from api_models.status import JobStatus
from worker.cli.console.format import duration, moment, money
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import Snapshot
from worker.store.queries.holds import Hold
from worker.store.queries.jobs import Counts

WINDOW_SECONDS: Final = 60.0
"""Window of the rate: long enough for slow models, short enough to follow changes."""
SPACING_SECONDS: Final = 0.5
MIN_SECONDS: Final = 1.0
"""No rate is shown before this much time has been observed."""


class Meter:
    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, finished: int, at: float) -> None:
        """Record that `finished` jobs had finished at `at` (seconds of a monotonic clock)."""
        while len(self._seen) > 1 and self._seen[1][0] <= at - WINDOW_SECONDS:
            self._seen.popleft()
        if len(self._seen) > 1 and at - self._seen[-2][0] < SPACING_SECONDS:
            self._seen.pop()
        self._seen.append((at, finished))

    def per_minute(self) -> float | None:
        """Jobs per minute; None while there is too little data."""
        if not self._seen:
            return None
        (since, before), (until, after) = self._seen[0], self._seen[-1]
        if until - since < MIN_SECONDS:
            return None
        return (after - before) * 60 / (until - since)

    def seconds_left(self, remaining: int) -> float | None:
        """Seconds until `remaining` jobs finish; None while there is too little data."""
        rate = self.per_minute()
        return remaining * 60 / rate if rate else None


REFRESHES_PER_SECOND: Final = 8
LINE_SECONDS: Final = 10.0
"""Interval between lines without a terminal."""
MAX_BAR_COLUMNS: Final = 60

Clock = Callable[[], float]


class Progress(Protocol):
    """A display of progress. A context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, snapshot: Snapshot) -> None: ...

    def warn(self, message: str) -> None: ...

    def say(self, message: str) -> None: ...


def progress(terminal: Terminal, title: str, clock: Clock) -> Progress:
    if terminal.quiet:
        return NoProgress(terminal)
    return (
        LiveProgress(terminal.errors, title, clock) if terminal.errors.is_terminal else PlainProgress(terminal, clock)
    )


class LiveProgress:
    """Redraws a bar, the figures and the holds in place."""

    def __init__(self, console: Console, title: str, clock: Clock) -> None:
        self._console = console
        self._title = title
        self._clock = clock
        self._meter = Meter()
        self._snapshot: Snapshot | None = None
        self._outage: str | None = None
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        self._meter.note(snapshot.finished, self._clock())
        self._snapshot, self._outage = snapshot, None

    def warn(self, message: str) -> None:
        self._outage = message

    def say(self, message: str) -> None:
        self._console.print(Text(message))

    def _render(self) -> RenderableType:
        snapshot = self._snapshot
        if snapshot is None:
            return Text(f"{self._title} …")
        parts: list[RenderableType] = [self._bar(snapshot), Text("  " + figures(snapshot, self._meter))]
        parts += [Text("  " + describe_hold(hold, snapshot.at), style="yellow") for hold in snapshot.holds]
        if self._outage:
            parts.append(Text("  " + self._outage, style="yellow"))
        return Group(*parts)

    def _bar(self, snapshot: Snapshot) -> Table:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True, overflow="ellipsis", max_width=30)
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True)
        bar = ProgressBar(
            total=max(snapshot.total, 1),
            completed=snapshot.finished,
            width=self._bar_columns(),
            complete_style="green",
            finished_style="green",
        )
        grid.add_row(Text(self._title, style="bold"), bar, f"{snapshot.finished:,}/{snapshot.total:,}")
        return grid

    def _bar_columns(self) -> int:
        return max(10, min(MAX_BAR_COLUMNS, self._console.width - min(len(self._title), 30) - 20))


class PlainProgress:
    """A line every ten seconds, and one whenever a hold begins or ends; for logs and pipes."""

    def __init__(self, terminal: Terminal, clock: Clock) -> None:
        self._terminal = terminal
        self._clock = clock
        self._meter = Meter()
        self._next_at = clock() + LINE_SECONDS
        self._holding: tuple[str, ...] = ()
        self._last_outage: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        now = self._clock()
        self._meter.note(snapshot.finished, now)
        self._last_outage = None
        self._note_holds(snapshot)
        if now >= self._next_at:
            self._next_at = now + LINE_SECONDS
            self._terminal.note(f"{snapshot.finished:,}/{snapshot.total:,}: {figures(snapshot, self._meter)}")

    def warn(self, message: str) -> None:
        if message != self._last_outage:
            self._terminal.warn(message)
        self._last_outage = message

    def say(self, message: str) -> None:
        self._terminal.note(message)

    def _note_holds(self, snapshot: Snapshot) -> None:
        names = tuple(f"{hold.name} {hold.code}" for hold in snapshot.holds)
        if names == self._holding:
            return
        for hold in snapshot.holds:
            if f"{hold.name} {hold.code}" not in self._holding:
                self._terminal.note(describe_hold(hold, snapshot.at))
        if not names:
            self._terminal.note("all holds lifted")
        self._holding = names


class NoProgress:
    """Shows nothing; a command that fails prints its own error."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, snapshot: Snapshot) -> None: ...

    def warn(self, message: str) -> None: ...

    def say(self, message: str) -> None: ...


def figures(snapshot: Snapshot, meter: Meter) -> str:
    rate = meter.per_minute()
    left = None if snapshot.all_finished else meter.seconds_left(snapshot.total - snapshot.finished)
    parts = [
        f"{snapshot.succeeded:,} succeeded",
        "" if snapshot.parts is None else _parts(snapshot.parts),
        f"{snapshot.failed:,} failed",
        f"{snapshot.held:,} held",
        f"{snapshot.cancelled:,} cancelled" if snapshot.cancelled else "",
        f"{snapshot.in_flight:,} in flight" if snapshot.in_flight else "",
        "" if rate is None else f"{rate:,.0f}/min",
        f"{money(snapshot.counts.cost)} spent",
        "" if left is None or snapshot.held else f"about {duration(max(1.0, round(left)))} remaining",
    ]
    return " · ".join(filter(None, parts))


def _parts(parts: Counts) -> str:
    return f"{parts.of(JobStatus.SUCCEEDED):,}/{parts.total:,} parts"


def describe_hold(hold: Hold, now: datetime) -> str:
    """Describe what holds the queue, why, since when, and when it is checked next."""
    since = "" if hold.since is None else f" since {moment(hold.since, now)}"
    wait = 0.0 if hold.until is None else (hold.until - now).total_seconds()
    again = f" (next check in {duration(wait)})" if wait > 0 else ""
    return f"{_subject(hold)}{since}: {hold.message}{again}"


def _subject(hold: Hold) -> str:
    match hold.name.partition(":"):
        case "pace", _, _:
            return "paused"
        case "model", _, model:
            return f"held, {model} only,"
        case "workers", _, _:
            return "waiting"
        case "budget", _, _:
            return "held by the budget"
        case "takes", _, _:
            return "held by refused takes"
        case name, _, _:
            return f"held by the {name}"
