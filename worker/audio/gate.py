"""Whether a take can be what was asked for: measures against the text. Pure; reads no file and decides no retry.

It refuses what is certainly bad, for a refused take is paid for and bought again. Of words it knows nothing: another
text of the same length, or one sentence left out of twenty, it doesn't see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from worker.audio.measures import Measures
from worker.audio.spoken import least_piece, weigh

MAX_SLACK_S: Final = 0.1
"""Missing by the header's word: less than this was reckoned wrong, as when the header itself was counted."""
MAX_DIFFERENCE: Final = 0.2
"""Of the longer of two takes of the same words."""
LONGEST_TAKE_S: Final = 700.0
"""The vendor's longest are about 655 s: a header that promises more is wrong."""


class Flaw(StrEnum):
    """Why a take is refused, in a word that stays the same from release to release."""

    SILENT = "silent"
    """Nothing in it is loud enough to be heard."""
    REPEATED = "repeated"
    """The same sound comes twice or more, and once would have been the whole text."""
    MOSTLY_SILENT = "mostly_silent"
    """Too much of it is silence, or one silence in it is too long."""
    TOO_LONG = "too_long"
    """The text could not take so long."""
    TOO_SHORT = "too_short"
    """Too short for the text at any speaking rate: part of it is missing."""
    UNFINISHED = "unfinished"
    """It breaks off in the midst of a sound, and is rather short."""
    CUT_OFF = "cut_off"
    """Its header promises more of it, and nothing in the sound says that it is whole."""


@dataclass(frozen=True, slots=True)
class GateLimits:
    """Where a good take ends. Lengths are parts of the expected one.

    English is spoken at 14 to 17 characters a second, so an ordinary take has 0.9 to 1.1 of its length at 15, a
    hurried one (20) 0.75. Truncated ones were seen with 0.13 to 0.46. The half lies in between with room on both sides;
    0.75 needs a second witness, an end in mid-sound.
    """

    characters_per_second: float = 15.0
    """Weighted characters; English speech has 14 to 17."""
    extra_s: float = 1.0
    """Seconds expected on top, for breath and silence at the ends."""
    short_text: int = 40
    """Weighted characters up to which the extra seconds are not demanded: a short text has its ends' silence or not."""
    min_length: float = 0.5
    """Of the expected seconds: less can't be the whole text (30 characters a second)."""
    min_unfinished_length: float = 0.75
    """Of the expected seconds without the extra, for a take that ends in the midst of a sound."""
    max_length: float = 3.0
    """Of the expected seconds, everything in the text being read at its longest."""
    min_peak_dbfs: float = -50.0
    """A quieter take counts as silent."""
    max_silence_share: float = 0.6
    """Of the duration."""
    min_silence_s: float = 1.5
    """Seconds of silence altogether that are never too much: a single word has more silence around it than sound."""
    max_silence_s: float = 10.0
    """Seconds of one silence, in the midst or at the end."""
    min_tail_s: float = 0.03
    """Seconds of silence at the end; with less, a take ends in the midst of a sound."""
    min_repeat_likeness: float = 0.65
    """0 to 1. A wave that comes back has 0.75 and more. Speech stays below a half, unless it is very even."""
    min_repeat_length: float = 0.8
    """Of the expected seconds without the extra, everything being spoken as it is written, for one of the repeats.
    In a text that repeats itself, such as a refrain, the repeats are at most half as long as the text."""


class Expected(NamedTuple):
    """Seconds that a text should take."""

    least: float
    """If only what is certainly spoken is, without any silence around it."""
    written: float
    """If every word is spoken as it is written, markup too, without any silence around it."""
    most: float
    """If all is spoken that could be, each figure as a word, with silence around it."""


class Refusal(NamedTuple):
    """Why a take is not good enough."""

    flaw: Flaw
    message: str
    """For people, with what was measured and what was expected."""


def expected_seconds(text: str, limits: GateLimits) -> Expected:
    """How long the text should take, between what is said for certain and all that could be said."""
    weight, pace = weigh(text), limits.characters_per_second
    return Expected(weight.least / pace, weight.written / pace, weight.most / pace + limits.extra_s)


def refusal(measures: Measures, text: str, limits: GateLimits, *, missing_s: float = 0.0) -> Refusal | None:
    """The first reason to refuse the take as speech of this text; None where there is none.

    `missing_s`: seconds that its header promises beyond those present.
    """
    expected = expected_seconds(text, limits)
    return (
        next(_sound_flaws(measures, expected, limits), None)
        or next(_length_flaws(measures, expected, limits), None)
        or _missing(measures, expected, limits, missing_s)
    )


def may_agree(measures: Measures, text: str, limits: GateLimits) -> bool:
    """Whether a take that is too short may be whole after all, if another one is as long.

    A direction that isn't recognised as one is expected to be heard. Where a text has parts, a take that ends in
    silence, and has the length of one of them, may be all that is to be spoken.
    """
    least, piece = weigh(text).least, least_piece(text)
    is_long_enough = measures.duration_s >= limits.min_length * piece / limits.characters_per_second
    return piece < least and is_long_enough and measures.tail_silence_s >= limits.min_tail_s


def are_alike(one_s: float, other_s: float) -> bool:
    """Whether two takes of one text, in seconds, are as long as each other as takes of the same words are."""
    return abs(one_s - other_s) <= MAX_DIFFERENCE * max(one_s, other_s)


def is_cut_off(present_s: float, missing_s: float, longest_s: float = LONGEST_TAKE_S) -> bool:
    """Whether a header can be right in promising more than is there, where nothing else is known of the take."""
    return missing_s > MAX_SLACK_S and present_s + missing_s <= longest_s


def _sound_flaws(found: Measures, expected: Expected, limits: GateLimits) -> Iterator[Refusal]:
    if found.peak_dbfs < limits.min_peak_dbfs:
        yield Refusal(
            Flaw.SILENT, f"a peak of {found.peak_dbfs:.0f} dBFS, where at least {limits.min_peak_dbfs:.0f} is expected"
        )
    once = expected.written * limits.min_repeat_length
    if found.repeat_likeness >= limits.min_repeat_likeness and found.repeat_after_s >= once:
        yield Refusal(
            Flaw.REPEATED,
            f"the same sound again after {found.repeat_after_s:.1f} s of {found.duration_s:.1f} s, "
            f"where the whole text takes about {expected.written:.1f} s",
        )
    silence = found.silence_share * found.duration_s
    if found.silence_share > limits.max_silence_share and silence > limits.min_silence_s:
        yield Refusal(Flaw.MOSTLY_SILENT, f"{silence:.1f} s of its {found.duration_s:.1f} s are silent")
    if found.longest_silence_s > limits.max_silence_s:
        yield Refusal(
            Flaw.MOSTLY_SILENT,
            f"a silence of {found.longest_silence_s:.1f} s, where {limits.max_silence_s:.1f} s are the limit",
        )


def _length_flaws(found: Measures, expected: Expected, limits: GateLimits) -> Iterator[Refusal]:
    longest = expected.most * limits.max_length
    if found.duration_s > longest:
        yield Refusal(Flaw.TOO_LONG, f"{found.duration_s:.1f} s of sound, where the text takes at most {longest:.1f} s")
    shortest = limits.min_length * (expected.least + _demanded_extra(expected, limits))
    if found.duration_s < shortest:
        yield Refusal(
            Flaw.TOO_SHORT, f"{found.duration_s:.1f} s of sound, where the text takes at least {shortest:.1f} s"
        )
    shortest = limits.min_unfinished_length * expected.least
    if found.tail_silence_s < limits.min_tail_s and found.duration_s < shortest:
        yield Refusal(
            Flaw.UNFINISHED,
            f"{found.duration_s:.1f} s of sound that break off, where the text takes about {expected.least:.1f} s",
        )


def _missing(found: Measures, expected: Expected, limits: GateLimits, missing_s: float) -> Refusal | None:
    """A header is wrong more often than a take is cut; what ends in silence, and is long enough, is whole."""
    if not is_cut_off(found.duration_s, missing_s, expected.most * limits.max_length):
        return None
    ends_in_silence = found.tail_silence_s >= limits.min_tail_s
    if ends_in_silence and found.duration_s >= limits.min_unfinished_length * expected.least:
        return None
    promised = found.duration_s + missing_s
    return Refusal(Flaw.CUT_OFF, f"{found.duration_s:.1f} s of the {promised:.1f} s of sound that its header promises")


def _demanded_extra(expected: Expected, limits: GateLimits) -> float:
    long = expected.least * limits.characters_per_second > limits.short_text
    return limits.extra_s if long else 0.0
