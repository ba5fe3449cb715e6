"""What the rungs catch, and what they refuse wrongly, on takes of voices and sentences that nothing was tuned on.

Makes its test set from espeak-ng, flite and festival; beside the rungs stands the gate of durations.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from math import sqrt
from statistics import median
from typing import Final

import numpy as np

from benchmarks.listening.programs import Programs, espeak_launcher, obtain
from benchmarks.listening.takes import Clips, Fault, Made, learned, made, pool
from benchmarks.listening.voices import RATE, VOICES, Voice, speak
from benchmarks.plots import Bars
from benchmarks.report import Report
from worker.acceptance.espeak import Espeak, find_espeak
from worker.acceptance.findings import Rung, Samples, TakeText, TimeSource, WordTime
from worker.acceptance.listening import listen
from worker.acceptance.rate import RateLine, learn
from worker.acceptance.reference import reference
from worker.acceptance.timing import word_times
from worker.audio.gate import GateLimits, expected_seconds

LEARNED_TAKES: Final = 36
TAKES_AT_ONCE: Final = 60
RUNGS: Final = (Rung.SIGNAL, Rung.RATE, Rung.SHAPE)
TARGETS: Final = {
    (Fault.MISSING, True): 97,
    (Fault.MISSING, False): 85,
    (Fault.REPEATED, True): 97,
    (Fault.REPEATED, False): 85,
    (Fault.CUT_75, True): 99,
    (Fault.CUT_75, False): 99,
    (Fault.CUT_50, True): 99,
    (Fault.CUT_50, False): 99,
    (Fault.OTHER_TEXT, True): 99,
    (Fault.OTHER_TEXT, False): 95,
    (Fault.HALF_MISSING, True): 80,
}
CONFIDENCE: Final = 1.96
"""Standard deviations of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Knobs:
    rounds: int = 1
    """Each is a paragraph of every voice, good and with every fault."""
    good: int = 8
    """More good takes of each voice in each round, to bound false alarms."""
    seed: int = 20
    processes: int = 2
    minutes: float = 0
    """After which judging ends; 0 for no limit."""


FULL: Final = Knobs(rounds=9, good=9)


_Asked = tuple[Made, RateLine | None, Espeak]


@dataclass(slots=True)
class _Tally:
    takes: int = 0
    caught: dict[str, int] = field(default_factory=dict)
    named: int = 0

    def add(self, judged: _Judged) -> None:
        self.takes += 1
        self.named += judged.is_named
        for way in judged.refused_by:
            self.caught[way] = self.caught.get(way, 0) + 1

    def share(self, way: str) -> float:
        return self.caught.get(way, 0) / max(1, self.takes)


@dataclass(frozen=True, slots=True)
class _Judged:
    voice: Voice
    fault: Fault
    refused_by: tuple[str, ...]
    is_named: bool
    """Whether the shape rung named the sentence that the fault is at."""
    seconds: float
    shape_cpu_seconds: float


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    programs = obtain(say)
    espeak = find_espeak(espeak_launcher(programs))
    if programs.flite is None or programs.festival is None or espeak is None:
        return _nothing("espeak-ng, flite and festival can't be had on this machine")
    clips, lines = Clips(programs), _Lines(espeak)
    began = time.monotonic()
    judged: list[_Judged] = []
    with ProcessPoolExecutor(knobs.processes) as judges:
        takes = made(clips, knobs.rounds, knobs.good, knobs.seed)
        while some := list(islice(takes, TAKES_AT_ONCE)):
            judged += judges.map(_judge, [(one, lines.of(clips, one.voice, one.speed), espeak) for one in some])
            say(f"{len(judged):,} takes after {time.monotonic() - began:.0f} s")
            if knobs.minutes and time.monotonic() - began > 60 * knobs.minutes:
                break
    return _report(judged, _word_errors(programs, espeak))


class _Lines:
    """The line of durations of each voice and speed, from good takes of other paragraphs than are judged."""

    def __init__(self, espeak: Espeak) -> None:
        self._espeak = espeak
        self._references: dict[str, float] = {}
        self._lines: dict[tuple[Voice, float], RateLine | None] = {}

    def of(self, clips: Clips, voice: Voice, speed: float) -> RateLine | None:
        if (voice, speed) not in self._lines:
            takes = learned(clips, voice, speed, LEARNED_TAKES)
            self._lines[voice, speed] = learn([(self._reference(text, voice), seconds) for text, seconds in takes])
        return self._lines[voice, speed]

    def _reference(self, text: str, voice: Voice) -> float:
        if text not in self._references:
            found = reference(text, voice.language, self._espeak)
            self._references[text] = found.seconds if found is not None else 0.0
        return self._references[text]


def _judge(asked: _Asked) -> _Judged:
    one, line, espeak = asked
    text = TakeText(one.text, one.voice.language)
    findings = listen(one.samples, RATE, text, rungs=RUNGS, rate_line=line, espeak=espeak)
    refused = [str(found.rung) for found in findings if found.suspicious]
    refused += ["all"] if refused else []
    refused += ["gate"] if _is_outside_window(len(one.samples) / RATE, one.text) else []
    shape = next(found for found in findings if found.rung is Rung.SHAPE)
    named = shape.sentence == one.sentences[one.spoiled] and bool(shape.suspicious)
    return _Judged(one.voice, one.fault, tuple(refused), named, len(one.samples) / RATE, shape.seconds_spent)


def _is_outside_window(seconds: float, text: str) -> bool:
    """The gate's rule for durations."""
    limits = GateLimits()
    expected = expected_seconds(text, limits)
    least = limits.min_length * (expected.least + limits.extra_s)
    return not least <= seconds <= limits.max_length * expected.most


def _report(judged: Sequence[_Judged], words: Sequence[tuple[str, TimeSource, Sequence[float]]]) -> Report:
    rows: list[tuple[str | int | float, ...]] = []
    faults: list[str] = []
    for is_english in (True, False):
        for fault in Fault:
            tally = _tally(one for one in judged if one.fault is fault and (one.voice.language == "en") is is_english)
            if tally.takes:
                rows.append(_row(fault, tally, is_english=is_english))
                faults += _missed(fault, tally, is_english=is_english)
    speech = sum(one.seconds for one in judged)
    cost = sum(one.shape_cpu_seconds for one in judged) / max(1e-9, speech)
    findings = [
        f"{len(judged):,} takes of {_count(judged, 'name')} voices in {_count(judged, 'language')} languages",
        f"{speech:,.0f} s of speech",
        *_false_alarms(judged),
        f"the shape rung takes {cost:.3f} of real time of one core",
        *_word_findings(words),
    ]
    return Report(
        name="acceptance",
        title="Caught, in percent of the takes with a fault; of good takes: refused wrongly. Held-out voices and texts",
        columns=("fault", "takes", "target", "gate", "signal", "rate", "shape", "all", "95 %", "named"),
        rows=rows,
        findings=findings,
        faults=faults,
        plot=Bars(("all", "gate"), axis="% refused"),
    )


def _count(judged: Sequence[_Judged], name: str) -> int:
    return len({getattr(one.voice, name) for one in judged})


def _row(fault: Fault, tally: _Tally, *, is_english: bool) -> tuple[str | int | float, ...]:
    target = TARGETS.get((fault, is_english))
    aim = "≤ 0.5" if fault is Fault.GOOD else "" if target is None else f"≥ {target}"
    low, high = interval(tally.caught.get("all", 0), tally.takes)
    ways = [f"{100 * tally.share(way):.1f}" for way in ("gate", *map(str, RUNGS), "all")]
    name = f"{'English' if is_english else 'others'}: {fault}"
    named = (
        f"{100 * tally.named / tally.takes:.0f}" if fault in {Fault.MISSING, Fault.REPEATED, Fault.HALF_MISSING} else ""
    )
    return (name, tally.takes, aim, *ways, f"{100 * low:.1f} to {100 * high:.1f}", named)


def _missed(fault: Fault, tally: _Tally, *, is_english: bool) -> Iterator[str]:
    target = TARGETS.get((fault, is_english))
    if target is not None and 100 * tally.share("all") < target:
        yield f"{'English' if is_english else 'others'}, {fault}: {100 * tally.share('all'):.1f} %, target {target}"


def _tally(judged: Iterable[_Judged]) -> _Tally:
    tally = _Tally()
    for one in judged:
        tally.add(one)
    return tally


def _false_alarms(judged: Sequence[_Judged]) -> Iterator[str]:
    good = _tally(one for one in judged if one.fault is Fault.GOOD)
    for way in (*map(str, RUNGS), "all"):
        wrong = good.caught.get(way, 0)
        low, high = interval(wrong, good.takes)
        between = f"{100 * low:.2f} to {100 * high:.2f}"
        yield f"false alarms, {way}: {wrong} of {good.takes:,} = {100 * good.share(way):.2f} % ({between})"


def interval(hits: int, count: int) -> tuple[float, float]:
    """Wilson's interval of a share, at 95 %."""
    if not count:
        return 0.0, 1.0
    share, z = hits / count, CONFIDENCE
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _word_errors(programs: Programs, espeak: Espeak) -> list[tuple[str, TimeSource, list[float]]]:
    """By voice, how far the words' ends are from those that festival reports, in ms; then the same by activity."""
    found = []
    for voice in (one for one in VOICES if one.is_held_out and one.program == "festival"):
        sentences = pool(voice.language, held_out=True)[:12]
        texts = [" ".join(sentences[at : at + 3]) for at in range(0, len(sentences), 3)]
        for source, language in ((None, voice.language), (TimeSource.ACTIVITY, "")):
            errors: list[float] = []
            for text, clip in zip(texts, speak(programs, voice, texts), strict=True):
                if clip is not None:
                    words = _times(clip.samples, text, language, espeak, by_activity=source is not None)
                    errors += _errors(words, clip.words)
            if errors:
                used = source or (TimeSource.ALIGNMENT if voice.language == "en" else TimeSource.MAPPED)
                found.append((voice.language, used, errors))
    return found


def _times(samples: Samples, text: str, language: str, espeak: Espeak, *, by_activity: bool) -> Sequence[WordTime]:
    # A language that espeak-ng doesn't speak leaves the last resort.
    return word_times(samples, RATE, text, "xx" if by_activity else language, None if by_activity else espeak)


def _errors(words: Sequence[WordTime], true: Sequence[tuple[str, float]]) -> list[float]:
    """Of takes that the synthesiser divides into the same words."""
    if len(words) != len(true):
        return []
    return [1_000 * abs(one.end - end) for one, (_, end) in zip(words, true, strict=True)]


def _word_findings(words: Sequence[tuple[str, TimeSource, Sequence[float]]]) -> Iterator[str]:
    for is_english in (True, False):
        for source in TimeSource:
            errors = [
                ms for language, used, of in words if used is source and (language == "en") is is_english for ms in of
            ]
            if errors:
                name = "English" if is_english else "others"
                yield (
                    f"word times, {name}, by {source}: {len(errors):,} words, p50 {median(errors):.0f} ms, "
                    f"p90 {np.percentile(errors, 90):.0f} ms, worst {max(errors):.0f} ms"
                )


def _nothing(reason: str) -> Report:
    return Report("acceptance", "Takes judged by their sound", ("fault",), [], [], faults=[reason])
