"""How much of the account's rate limit a run uses and how many calls are refused, with the limit configured and with
the limit to be found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.plots import Bars, Cell
from benchmarks.report import Report
from benchmarks.running import Run, run
from worker.emulator.config import EmulatorConfig
from worker.emulator.limits import WindowKind

TARGET: Final = 0.95
FOUND_TARGET: Final = 0.90
REFUSED_TARGET: Final = 0.02
SECONDS_PER_MINUTE: Final = 60.0
PATIENCE: Final = 5.0
FOUND_RPMS: Final = (60.0, 300.0)
"""Limits that the queue is not told."""
WARM_UP_SECONDS: Final = SECONDS_PER_MINUTE
"""The first window, in which the limit is met for the first time."""
TAIL_MINUTES: Final = 0.2
"""More lines than the minutes need, so that the run doesn't end before they do."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    lines: int = 80
    rpm: float = 120.0
    """The emulator's limit, and the limit configured in the queue."""
    window_seconds: float = 10.0
    """Short, so that a short run meets the end of several."""
    burst: int = 5
    """Permits that the token bucket saves up: few, so that it forgives little."""
    latency: float = 2.0
    """Seconds a call takes."""
    jitter: float = 0.3
    minutes: float = 0.0
    """How long a run lasts that has to find the limit out, its first one for warming up; 0 leaves those runs out."""


FULL: Final = Knobs(lines=200, window_seconds=SECONDS_PER_MINUTE, minutes=3.0)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """One run for each kind of window, then one for each limit that has to be found."""
    told: dict[WindowKind, Run] = {}
    for window in WindowKind:
        told[window] = _run(knobs, knobs.lines, knobs.rpm, window, {"SEGMIND_RPM": f"{knobs.rpm:g}"})
        say(f"{window}: {_share(told[window], knobs):.1%} of the limit, {told[window].seen.refused_by_limit} refused")
    found: dict[float, Run] = {}
    for rpm in FOUND_RPMS if knobs.minutes > 1 else ():
        lines = round(rpm * (knobs.minutes + TAIL_MINUTES))
        found[rpm] = _run(knobs, lines, rpm, WindowKind.SLIDING, {})
        say(f"{rpm:g} a minute, not told: {_share_found(found[rpm], rpm, knobs):.1%} of the limit after a minute")
    return _report(told, found, knobs)


def _run(knobs: Knobs, lines: int, rpm: float, window: WindowKind, settings: Mapping[str, str]) -> Run:
    config = EmulatorConfig(
        rpm=rpm,
        window=window,
        window_seconds=knobs.window_seconds,
        burst=knobs.burst if window is WindowKind.TOKEN_BUCKET else None,
        latency_seconds=knobs.latency,
        jitter=knobs.jitter,
    )
    return run(lines, config, settings, patience_seconds=60 + PATIENCE * lines / rpm * SECONDS_PER_MINUTE)


def _share(one: Run, knobs: Knobs) -> float:
    """The rate from the first call to the last, against the limit; the first opens the span and isn't counted."""
    return (len(one.seen.admitted_at) - 1) / one.span_seconds * SECONDS_PER_MINUTE / knobs.rpm


def _share_found(one: Run, rpm: float, knobs: Knobs) -> float:
    """The rate after the warm-up, against the limit."""
    begin = min(one.seen.admitted_at) + WARM_UP_SECONDS
    end = begin - WARM_UP_SECONDS + knobs.minutes * SECONDS_PER_MINUTE
    return sum(begin <= at < end for at in one.seen.admitted_at) / (end - begin) * SECONDS_PER_MINUTE / rpm


def _refused(one: Run, *, after_seconds: float = 0.0) -> float:
    """Refusals among all calls from so long after the first on."""
    begin = min(one.seen.admitted_at) + after_seconds
    refused = sum(at >= begin for at in one.seen.refused_at)
    return refused / max(1, refused + sum(at >= begin for at in one.seen.admitted_at))


def _report(told: dict[WindowKind, Run], found: dict[float, Run], knobs: Knobs) -> Report:
    least = min(_share(one, knobs) for one in told.values())
    most = max(one.seen.refused_by_limit for one in told.values())
    rows: list[tuple[Cell, ...]] = [_row(window, _share(one, knobs), one) for window, one in told.items()]
    rows += [_row(f"{rpm:g}/min, not told", _share_found(one, rpm, knobs), one) for rpm, one in found.items()]
    findings = [
        f"at least {least:.1%} of the limit is used (target: {TARGET:.0%})",
        f"at most {most} of {knobs.lines} calls met a 429 (target: none after the first)",
    ]
    findings += [
        f"{rpm:g} a minute, to be found: {_share_found(one, rpm, knobs):.1%} used after the first minute (target:"
        f" {FOUND_TARGET:.0%}); {_refused(one, after_seconds=WARM_UP_SECONDS):.2%} of the calls refused then (target:"
        f" {REFUSED_TARGET:.0%}), {_refused(one):.2%} in the whole run"
        for rpm, one in found.items()
    ]
    runs = [(str(window), one) for window, one in told.items()] + [(f"{rpm:g}/min", one) for rpm, one in found.items()]
    return Report(
        name="pace",
        title=(
            f"`ttsq run`, embedded default: {knobs.lines} lines under a limit of {knobs.rpm:g} a minute, windows of"
            f" {knobs.window_seconds:g} s, {knobs.latency:g} s a call"
        ),
        columns=("window", "share of limit", "429s", "first to last call s", "start s"),
        rows=rows,
        findings=findings,
        faults=[f"{name}: {fault}" for name, one in runs for fault in one.faults],
        plot=Bars(("share of limit",), axis="% of the limit", target=100 * TARGET, aim="at least"),
    )


def _row(name: str, share: float, one: Run) -> tuple[Cell, ...]:
    return (name, f"{share:.1%}", one.seen.refused_by_limit, one.span_seconds, one.start_seconds)
