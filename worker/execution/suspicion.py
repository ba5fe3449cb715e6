"""What follows from the findings about a take: nothing, another take, the best with a flag, or failure. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from api_models.verdict import SUSPECT, TAKES_AGREE
from worker.acceptance.findings import Finding, Reason, Rung

CODE: Final = SUSPECT
"""Of a refused take that may not say its text, of a job that failed for it, and of one that has the best of such takes.
"""
AGREED: Final = TAKES_AGREE
"""Of an attempt in the ledger whose take was as suspicious as an earlier one, in the same way."""
MAX_DIFFERENCE: Final = 0.08
"""Of the longer of two takes that agree."""
_DESCRIBED: Final[dict[Reason, str]] = {
    Reason.MISSING_SENTENCE: "{sentence} seems to be missing",
    Reason.MISSING_WORDS: "words seem to be missing from {sentence}",
    Reason.REPEATED_SENTENCE: "{sentence} seems to be repeated",
    Reason.OTHER_TEXT: "it seems to say another text",
    Reason.DIVERGENT_WORDS: "it seems to say other words in {sentence}",
    Reason.TOO_SHORT: "it is shorter than this voice takes for such a text",
    Reason.TOO_LONG: "it is longer than this voice takes for such a text",
    Reason.DRIFT: "its sound changes from beginning to end",
    Reason.CLICKS: "it has clicks",
}
_DETAIL: Final = re.compile(r"suspect (\w+) (\w+); length ([\d.]+) s; score ([\d.]+); sentence (\d+|-)")
_NO_SENTENCE: Final = "-"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The most telling finding against a take."""

    rung: Rung
    reason: Reason
    score: float
    seconds: float
    """Length of the take."""
    sentence: int | None = None
    """Its number, from 1."""
    start: float | None = None
    end: float | None = None

    @property
    def detail(self) -> str:
        """For the ledger, in the format that `earlier` parses."""
        number = _NO_SENTENCE if self.sentence is None else str(self.sentence)
        return (
            f"suspect {self.rung} {self.reason}; length {self.seconds:.2f} s; score {self.score:.2f}; sentence {number}"
        )

    @property
    def message(self) -> str:
        """For users. Names the sentence by its number: messages outlive texts."""
        sentence = "part of the text" if self.sentence is None else f"sentence {self.sentence}"
        what = _DESCRIBED.get(self.reason, str(self.reason)).format(sentence=sentence)
        where = "" if self.start is None else f", at {self.start:.1f} s"
        return f"{what}{where} (by its {self.rung}, score {self.score:.1f})"


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier take of the job that was suspicious, as the ledger has it."""

    suspicion: Suspicion
    number: int
    """Of its attempt."""
    uri: str | None


def suspicion(findings: Iterable[Finding], seconds: float, sentences: Sequence[str]) -> Suspicion | None:
    """Return the most telling suspicious finding: one that names a sentence before others, then the highest score."""
    against = [one for one in findings if one.suspicious]
    if not against:
        return None
    worst = max(against, key=lambda one: (one.sentence is not None, one.score))
    number = _number_of(worst.sentence, sentences)
    return Suspicion(worst.rung, worst.reason, worst.score, seconds, number, worst.start_seconds, worst.end_seconds)


def _number_of(sentence: str | None, sentences: Sequence[str]) -> int | None:
    if sentence is None:
        return None
    wanted = " ".join(sentence.split())
    found = (number for number, one in enumerate(sentences, 1) if wanted in " ".join(one.split()))
    return next(found, None)


def earlier(detail: str, number: int, uri: str | None) -> Earlier | None:
    """Return the suspicion that a detail of the ledger describes; None if it describes none."""
    found = _DETAIL.match(detail)
    if found is None:
        return None
    rung, reason, seconds, score, place = found.groups()
    sentence = None if place == _NO_SENTENCE else int(place)
    return Earlier(Suspicion(Rung(rung), Reason(reason), float(score), float(seconds), sentence), number, uri)


def agree(one: Suspicion, other: Suspicion) -> bool:
    """Whether two takes say the same: as long as each other, and suspicious for the same reason at the same sentence.

    A fault comes by chance and differs from take to take; what the text itself makes suspicious comes again.
    """
    is_alike = abs(one.seconds - other.seconds) <= MAX_DIFFERENCE * max(one.seconds, other.seconds)
    return is_alike and (one.reason, one.sentence) == (other.reason, other.sentence)


def best(current: Suspicion, others: Iterable[Earlier]) -> Earlier | None:
    """Return the kept earlier take that is less suspicious than the current one; None if the current one is best."""
    kept = [one for one in others if one.uri is not None and one.suspicion.score < current.score]
    return min(kept, key=lambda one: one.suspicion.score, default=None)
