"""What one sees while jobs are being done: a bar on a terminal, a line now and then elsewhere, or nothing.

Only shows; it decides nothing and asks nothing of the queue.
"""

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

from worker.cli.console.format import duration, moment, money
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import Snapshot
from worker.store.queries.holds import Hold

WINDOW_SECONDS: Final = 60.0
"""The stretch that the rate is taken over: long enough for slow models, short enough to follow a change."""
SPACING_SECONDS: Final = 0.5
LEAST_SECONDS: Final = 1.0
"""Before this much has been seen, any rate would be a guess."""


class Meter:
    """Fed with the number of jobs that are over."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, finished: int, at: float) -> None:
        """`finished` jobs were over at `at` (seconds of a steady clock)."""
        while len(self._seen) > 1 and self._seen[1][0] <= at - WINDOW_SECONDS:
            self._seen.popleft()
        if len(self._seen) > 1 and at - self._seen[-2][0] < SPACING_SECONDS:
            self._seen.pop()
        self._seen.append((at, finished))

    def per_minute(self) -> float | None:
        """Jobs a minute; None while nothing can be said."""
        if not self._seen:
            return None
        (since, before), (until, after) = self._seen[0], self._seen[-1]
        if until - since < LEAST_SECONDS:
            return None
        return (after - before) * 60 / (until - since)

    def seconds_left(self, remaining: int) -> float | None:
        """Until `remaining` jobs are over; None while nothing can be said."""
        rate = self.per_minute()
        return remaining * 60 / rate if rate else None


REFRESHES_PER_SECOND: Final = 8
LINE_SECONDS: Final = 10.0
"""Between two lines where there is no terminal to draw on."""
MAX_BAR_COLUMNS: Final = 60

Clock = Callable[[], float]


class Progress(Protocol):
    """One way to follow a run. A context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        """The newest figures."""

    def warn(self, words: str) -> None:
        """Why there are no newer figures just now."""

    def say(self, words: str) -> None:
        """Something that happened, to stay on the screen."""


def progress(terminal: Terminal, title: str, clock: Clock) -> Progress:
    """The way that suits the terminal."""
    if terminal.quiet:
        return NoProgress(terminal)
    return (
        LiveProgress(terminal.errors, title, clock) if terminal.errors.is_terminal else PlainProgress(terminal, clock)
    )


class LiveProgress:
    """Redraws a bar, the figures and what holds the queue, in place."""

    def __init__(self, console: Console, title: str, clock: Clock) -> None:
        self._console = console
        self._title = title
        self._clock = clock
        self._meter = Meter()
        self._snapshot: Snapshot | None = None
        self._trouble: str | None = None
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
        """The newest figures, drawn with the next refresh."""
        self._meter.note(snapshot.finished, self._clock())
        self._snapshot, self._trouble = snapshot, None

    def warn(self, words: str) -> None:
        """Keeps the last figures and says why they are old."""
        self._trouble = words

    def say(self, words: str) -> None:
        """A line above the bar."""
        self._console.print(Text(words))

    def _render(self) -> RenderableType:
        snapshot = self._snapshot
        if snapshot is None:
            return Text(f"{self._title} …")
        parts: list[RenderableType] = [self._bar(snapshot), Text("  " + figures(snapshot, self._meter))]
        parts += [Text("  " + describe_hold(hold, snapshot.at), style="yellow") for hold in snapshot.holds]
        if self._trouble:
            parts.append(Text("  " + self._trouble, style="yellow"))
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
    """A line every ten seconds, and one whenever a hold begins or ends: for logs and pipes."""

    def __init__(self, terminal: Terminal, clock: Clock) -> None:
        self._terminal = terminal
        self._clock = clock
        self._meter = Meter()
        self._next_at = clock() + LINE_SECONDS
        self._holding: tuple[str, ...] = ()
        self._last_trouble: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def show(self, snapshot: Snapshot) -> None:
        """A line if it is time for one."""
        now = self._clock()
        self._meter.note(snapshot.finished, now)
        self._last_trouble = None
        self._tell_of_holds(snapshot)
        if now >= self._next_at:
            self._next_at = now + LINE_SECONDS
            self._terminal.note(f"{snapshot.finished:,}/{snapshot.total:,}: {figures(snapshot, self._meter)}")

    def warn(self, words: str) -> None:
        """A line, once."""
        if words != self._last_trouble:
            self._terminal.warn(words)
        self._last_trouble = words

    def say(self, words: str) -> None:
        """A line."""
        self._terminal.note(words)

    def _tell_of_holds(self, snapshot: Snapshot) -> None:
        names = tuple(f"{hold.name} {hold.code}" for hold in snapshot.holds)
        if names == self._holding:
            return
        for hold in snapshot.holds:
            if f"{hold.name} {hold.code}" not in self._holding:
                self._terminal.note(describe_hold(hold, snapshot.at))
        if not names:
            self._terminal.note("nothing holds the queue any more")
        self._holding = names


class NoProgress:
    """Shows nothing but what must not go unseen."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def show(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def warn(self, words: str) -> None:
        """Nothing: it may pass, and a command that fails says so itself."""

    def say(self, words: str) -> None:
        """Nothing."""


def figures(snapshot: Snapshot, meter: Meter) -> str:
    """The figures on one line."""
    rate = meter.per_minute()
    left = None if snapshot.all_finished else meter.seconds_left(snapshot.total - snapshot.finished)
    parts = [
        f"{snapshot.succeeded:,} done",
        f"{snapshot.failed:,} failed",
        f"{snapshot.held:,} held",
        f"{snapshot.cancelled:,} cancelled" if snapshot.cancelled else "",
        f"{snapshot.in_flight:,} in flight" if snapshot.in_flight else "",
        "" if rate is None else f"{rate:,.0f}/min",
        f"{money(snapshot.counts.cost)} spent",
        "" if left is None or snapshot.held else f"about {duration(max(1.0, round(left)))} left",
    ]
    return " · ".join(filter(None, parts))


def describe_hold(hold: Hold, now: datetime) -> str:
    """What holds the queue, why, since when, and when it is looked at again."""
    since = "" if hold.since is None else f" since {moment(hold.since, now)}"
    wait = 0.0 if hold.until is None else (hold.until - now).total_seconds()
    again = f" (looked at again in {duration(wait)})" if wait > 0 else ""
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
