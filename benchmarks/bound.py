"""Time against the bound: an ideal executor on the very same latencies, which never has more calls open than slots.

Texts take by themselves as long as they take (`latency_by_text`), so the bound is worked out, not measured. A rate
limit is a second bound: no executor is faster than texts over rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks import harness
from benchmarks.cases import CASES, JITTER, Case, bound_seconds, ideal_seconds
from benchmarks.contender import Contender
from benchmarks.ours import OURS, Ours
from benchmarks.peers.lineup import chosen
from benchmarks.plots import Bars, Cell
from benchmarks.race import Course, Outing, race
from benchmarks.report import Report
from benchmarks.texts import text
from worker.emulator.limits import SECONDS_PER_MINUTE

START_SECONDS: Final = 30.0
PATIENCE: Final = 3.0
"""How many times the bound a contender may take before it is given up."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    scale: float = 0.2
    """Of texts, slots and latency; 1 for the cases as they stand. A rate limit stays what it is."""
    cases: str = "1,2,3"
    processes: int = 2
    audio_bytes: int = 24_000
    """A tenth of what `cpu` moves: the machine has to carry the servers of all these calls as well."""
    peers: str = "threads"
    """`all`, `none`, or some of them with commas between."""
    seed: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for a case or a peer that doesn't exist."""
        chosen(self.peers)
        self.chosen_cases()

    def chosen_cases(self) -> list[Case]:
        """Those to run."""
        known = {str(number): case.scaled(self.scale) for number, case in enumerate(CASES, 1)}
        numbers = self.cases.split(",")
        if unknown := [number for number in numbers if number not in known]:
            raise ValueError(f"no case {', '.join(unknown)}; there are {', '.join(known)}")
        return [known[number] for number in numbers]


FULL: Final = Knobs(scale=1.0, peers="all")


@dataclass(frozen=True, slots=True)
class Run:
    """One contender in one case."""

    case: Case
    slots: int
    """That it held; its texts are as many fewer."""
    bound: float
    """Seconds, for its own slots and texts."""
    outing: Outing

    @property
    def seconds(self) -> float:
        """From the first text submitted to the last row finished."""
        return self.outing.books.seconds

    @property
    def is_whole(self) -> bool:
        """Whether every text was spoken, once."""
        return not self.outing.faults

    @property
    def ratio(self) -> float:
        """Times the bound."""
        return self.seconds / self.bound

    @property
    def limit_used(self) -> float | None:
        """The share of the rate limit that was used between the first call and the last."""
        admitted = self.outing.seen.admitted_at
        if self.case.rpm is None or len(admitted) < 2:
            return None
        return (len(admitted) - 1) / (max(admitted) - min(admitted)) / self.case.rpm * SECONDS_PER_MINUTE


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Case by case, everyone on fresh servers."""
    runs = []
    with harness.services() as shared:
        for case in knobs.chosen_cases():
            ours = Ours(rpm="unlimited" if case.rpm is None else f"{case.rpm:g}")
            for contender in (ours, *chosen(knobs.peers)):
                slots, course, bound = _course(contender, case, knobs)
                outing = race(contender, shared, case.emulator(knobs.audio_bytes, knobs.seed), course)
                runs.append(Run(case, slots, bound, outing))
                say(f"{case.name}: {contender.name}: {runs[-1].seconds:.2f} s, bound {bound:.2f} s")
    return _report(runs, knobs)


def _course(contender: Contender, case: Case, knobs: Knobs) -> tuple[int, Course, float]:
    """The slots it holds, as many texts as take those as long as all the slots take all the texts, and its bound."""
    slots = contender.held(case.slots)
    texts = case.texts * slots // case.slots
    bound = bound_seconds(_latencies(texts, case, knobs), slots, case.rpm)
    return slots, Course(texts, knobs.processes, case.slots, START_SECONDS + PATIENCE * bound), bound


def _latencies(texts: int, case: Case, knobs: Knobs) -> list[float]:
    latency = case.emulator(knobs.audio_bytes, knobs.seed).latency()
    return [latency.of_text(knobs.seed, text(number)) for number in range(1, texts + 1)]


def _report(runs: list[Run], knobs: Knobs) -> Report:
    mine = [run for run in runs if run.outing.contender == OURS]
    return Report(
        name="bound",
        title=(
            f"Time against an ideal executor's: latencies ±{JITTER:.0%}, {knobs.processes} worker processes,"
            f" {knobs.audio_bytes:,} bytes of audio; PostgreSQL, Valkey, a light S3 and the emulator on the same cores"
        ),
        columns=(
            *("", "x bound", "target", "s", "bound s", "slots held", "of texts", "done"),
            *("429s", "limit used", "emulator, cores"),
        ),
        rows=[_row(run, run in mine) for run in runs],
        findings=[*(_finding(run, knobs) for run in mine), *_fewer(runs)],
        # A peer has no way to hold a rate: what it loses by that is in its row.
        faults=[fault for run in runs if run in mine or run.case.rpm is None for fault in run.outing.faults],
        plot=Bars(("x bound",), target="target", aim="at most", peers=[_name(run) for run in runs if run not in mine]),
    )


def _name(run: Run) -> str:
    return f"{run.case.name}: {run.outing.contender}"


def _row(run: Run, is_ours: bool) -> list[Cell]:
    used = run.limit_used
    return [
        _name(run),
        f"{run.ratio:.3f}" if run.is_whole else "–",
        run.case.target if is_ours else "–",
        run.seconds,
        run.bound,
        run.slots,
        run.outing.course.jobs,
        run.outing.books.done,
        run.outing.seen.refused_by_limit,
        "–" if used is None else f"{used:.0%}",
        run.outing.emulator_cpu / run.seconds if run.seconds else 0.0,
    ]


def _finding(run: Run, knobs: Knobs) -> str:
    said = f"{run.case.name}: {run.ratio:.3f} x the bound (target: at most {run.case.target})"
    if run.case.rpm is None:
        return said
    latencies = _latencies(run.outing.course.jobs, run.case, knobs)
    even = ideal_seconds(latencies, run.slots, run.case.rpm / SECONDS_PER_MINUTE)
    return f"{said}; an ideal executor with evenly spaced starts takes {even / run.bound:.3f}"


def _fewer(runs: list[Run]) -> list[str]:
    """Where a contender had fewer slots, that is what its figure means."""
    return [
        f"{_name(run)} held {run.slots} calls, for as many fewer texts: all of the texts would take it"
        f" {run.case.slots / run.slots:.0f} times as long"
        for run in runs
        if run.slots < run.case.slots
    ]
