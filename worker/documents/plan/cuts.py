"""Chooses where to cut a stretch of text: parts near their target length, at the most natural places.

Cuts are content-defined. A stretch of many parts is first divided at anchors, places chosen by the words around them
alone; between two anchors the cuts with the least total cost are found by dynamic programming. An edit can therefore
move no cut beyond the anchors beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from zlib import crc32

from worker.documents.plan.duration import Durations, Sizes
from worker.documents.plan.limits import PartLimits

BLOCK_PENALTY: Final = 0.0
SENTENCE_PENALTY: Final = 6.0
CLAUSE_PENALTY: Final = 120.0
COMMA_PENALTY: Final = 250.0
WORD_PENALTY: Final = 600.0
CHARACTER_PENALTY: Final = 4_000.0
"""Costs of a cut, to compare with `_DEVIATION`."""

_DEVIATION: Final = 100.0
"""The cost of a part that is as far from the target as the target is long."""
_ANCHOR_REACH: Final = 1.7
"""In targets: an anchor is the best place within this reach on either side."""
_EDGE: Final = 0.9
"""In targets: no anchor lies nearer to the end of its stretch."""
_CLOSE: Final = 1 / 32
"""In targets: of places within this distance one is considered, so that a text of single letters costs no more than
one of sentences.
"""
_CONTEXT: Final = 16
"""Characters on either side of a place that decide its rank as an anchor."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text may be cut: before its character `at`."""

    at: int
    penalty: float


@dataclass(frozen=True, slots=True)
class Ruler:
    text: str
    limits: PartLimits
    durations: Durations
    sizes: Sizes

    @classmethod
    def of(cls, text: str, limits: PartLimits) -> Ruler:
        return cls(text, limits, Durations(text, limits.units_per_second), Sizes(text))

    def fits(self, start: int, end: int) -> bool:
        """Return whether one part may hold `text[start:end]`."""
        return self.durations(start, end) <= self.limits.max_seconds and self.sizes(start, end) <= self.limits.max_bytes


def cuts(start: int, end: int, places: Sequence[Place], ruler: Ruler, *, few: bool = False) -> list[int]:
    """Choose the cuts of `text[start:end]` among `places`, which lie inside it in order.

    Args:
        start: The first character.
        end: The one after the last.
        places: Where a cut is possible; between two neighbours must lie no more than one part can hold.
        ruler: That of the text.
        few: Prefer the fewest parts to parts near their target.
    """
    if ruler.fits(start, end):
        return []
    chosen: list[int] = []
    for first, last in pairwise([start, *_anchors(start, end, places, ruler), end]):
        if first != start:
            chosen.append(first)
        if not ruler.fits(first, last):
            inside = [place for place in places if first < place.at < last]
            chosen += _cheapest(first, last, _thinned(first, last, inside, ruler), ruler, few=few)
    return chosen


def _thinned(start: int, end: int, places: Sequence[Place], ruler: Ruler) -> list[Place]:
    """Leave out places that lie close behind another one, of each group the costlier, as long as every piece between
    two neighbours fits into a part.
    """
    close = _CLOSE * ruler.limits.target_seconds
    kept: list[Place] = []
    following = (*(place.at for place in places[1:]), end)
    for place, after in zip(places, following, strict=True):
        if not kept or ruler.durations(kept[-1].at, place.at) > close or not ruler.fits(kept[-1].at, after):
            kept.append(place)
        elif place.penalty < kept[-1].penalty and ruler.fits(kept[-2].at if len(kept) > 1 else start, place.at):
            kept[-1] = place
    return kept


def _anchors(start: int, end: int, places: Sequence[Place], ruler: Ruler) -> Iterator[int]:
    target = ruler.limits.target_seconds
    reach, edge = _ANCHOR_REACH * target, _EDGE * target
    usable = [place for place in places if place.penalty <= SENTENCE_PENALTY]
    seconds = [ruler.durations(start, place.at) for place in usable]
    ranks = [(place.penalty, _hash(ruler.text, place.at)) for place in usable]
    last = ruler.durations(start, end) - edge
    for index, place in enumerate(usable):
        if edge <= seconds[index] <= last and _is_first(index, seconds, ranks, reach):
            yield place.at


def _hash(text: str, at: int) -> int:
    before, after = text[max(0, at - 2 * _CONTEXT) : at].rstrip(), text[at : at + _CONTEXT].rstrip()
    return crc32(f"{before[-_CONTEXT:]}\n{after}".encode("utf-8", "surrogatepass"))


def _is_first(index: int, seconds: list[float], ranks: list[tuple[float, int]], reach: float) -> bool:
    rank, here = ranks[index], seconds[index]
    for step in (-1, 1):
        other = index + step
        while 0 <= other < len(ranks) and abs(seconds[other] - here) <= reach:
            if ranks[other] <= rank:
                return False
            other += step
    return True


def _cheapest(start: int, end: int, places: Sequence[Place], ruler: Ruler, *, few: bool) -> list[int]:
    ends = [start, *(place.at for place in places), end]
    penalties = [0.0, *(place.penalty for place in places), 0.0]
    surcharge = _DEVIATION if few else 0.0
    cost, came_from = [0.0], [0]
    for index in range(1, len(ends)):
        best, origin = float("inf"), index - 1
        for before in range(index - 1, -1, -1):
            if not ruler.fits(ends[before], ends[index]) and before != index - 1:
                break
            total = cost[before] + penalties[before] + _deviation(ruler, ends[before], ends[index]) + surcharge
            if total < best:
                best, origin = total, before
        cost.append(best)
        came_from.append(origin)
    return [ends[index] for index in _path(came_from)]


def _deviation(ruler: Ruler, start: int, end: int) -> float:
    target = ruler.limits.target_seconds
    return _DEVIATION * ((ruler.durations(start, end) - target) / target) ** 2


def _path(came_from: list[int]) -> list[int]:
    index, path = came_from[-1], []
    while index:
        path.append(index)
        index = came_from[index]
    return path[::-1]
