"""How much of the account's rate limit a run uses, and how many calls are refused, for each kind of window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.report import Report
from benchmarks.running import Run, run
from worker.emulator.config import EmulatorConfig
from worker.emulator.limits import WindowKind

TARGET: Final = 0.95
SECONDS_PER_MINUTE: Final = 60.0
PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    lines: int = 80
    rpm: float = 120.0
    """The emulator's limit, and what the queue is told of it."""
    window_seconds: float = 10.0
    """Short, so that a short run meets the end of several."""
    burst: int = 5
    """Permits that the token bucket saves up: few, so that it forgives little."""
    latency: float = 2.0
    """Seconds a call takes."""
    jitter: float = 0.3


FULL: Final = Knobs(lines=200, window_seconds=SECONDS_PER_MINUTE)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """One run for each kind of window."""
    runs: dict[WindowKind, Run] = {}
    for window in WindowKind:
        config = EmulatorConfig(
            rpm=knobs.rpm,
            window=window,
            window_seconds=knobs.window_seconds,
            burst=knobs.burst if window is WindowKind.TOKEN_BUCKET else None,
            latency_seconds=knobs.latency,
            jitter=knobs.jitter,
        )
        patience = 60 + PATIENCE * knobs.lines / knobs.rpm * SECONDS_PER_MINUTE
        runs[window] = run(knobs.lines, config, {"SEGMIND_RPM": f"{knobs.rpm:g}"}, patience_seconds=patience)
        say(f"{window}: {_share(runs[window], knobs):.1%} of the limit, {runs[window].seen.refused_by_limit} refused")
    return _report(runs, knobs)


def _share(one: Run, knobs: Knobs) -> float:
    """The rate from the first call to the last, against the limit; the first opens the span and isn't counted."""
    return (len(one.seen.admitted_at) - 1) / one.span_seconds * SECONDS_PER_MINUTE / knobs.rpm


def _report(runs: dict[WindowKind, Run], knobs: Knobs) -> Report:
    least = min(_share(one, knobs) for one in runs.values())
    most = max(one.seen.refused_by_limit for one in runs.values())
    return Report(
        name="pace",
        title=(
            f"`ttsq run`, embedded default: {knobs.lines} lines under a limit of {knobs.rpm:g} a minute, windows of"
            f" {knobs.window_seconds:g} s, {knobs.latency:g} s a call"
        ),
        columns=("window", "share of limit", "429s", "first to last call s", "start s"),
        rows=[
            (window, f"{_share(one, knobs):.1%}", one.seen.refused_by_limit, one.span_seconds, one.start_seconds)
            for window, one in runs.items()
        ],
        findings=[
            f"at least {least:.1%} of the limit is used (target: {TARGET:.0%})",
            f"at most {most} of {knobs.lines} calls met a 429 (target: none after the first)",
        ],
        faults=[f"{window}: {fault}" for window, one in runs.items() for fault in one.faults],
    )
