"""Plans an edited document so that unchanged parts stay as they are.

Parts whose text is still there are kept; only what lies between them is divided anew. An edit inside one part, or
across the seam of two, therefore changes at most two parts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from worker.documents.document import Document
from worker.documents.plan.limits import PartLimits
from worker.documents.plan.plan import Plan, Planner, Stretch, stretches

Span = tuple[int, int]


def revise(previous: Sequence[str], document: Document, limits: PartLimits, language: str = "") -> Plan:
    """Divide an edited document.

    Args:
        previous: The shares of the former plan's parts, in order.
        document: The document as it is now.
        limits: As for `plan`.
        language: As for `plan`.

    Raises:
        NothingToSpeakError: The document holds no letter and no digit.
    """
    planner = Planner.of(document, limits, language)
    kept = sorted(_kept([share.strip() for share in previous if share.strip()], document.text))
    return planner.plan(piece for stretch in stretches(document) for piece in _pieces(stretch, kept, planner))


def _kept(previous: Sequence[str], text: str) -> Iterator[Span]:
    """Find former parts in the new text: those at its beginning and end, then unique ones in the same order."""
    start, first = 0, 0
    for first, part in enumerate(previous):  # noqa: B007 - the index of the first part that differs
        at = _next(text, start)
        if not text.startswith(part, at):
            break
        start = at + len(part)
        yield at, start
    else:
        return
    end, last = len(text), len(previous)
    while last > first:
        stop = len(text[:end].rstrip()) if end < len(text) else len(text.rstrip())
        at = stop - len(previous[last - 1])
        if at < start or not text.endswith(previous[last - 1], at, stop):
            break
        end, last = at, last - 1
        yield at, stop
    yield from _in_order(previous[first:last], text, start, end)


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _in_order(parts: Sequence[str], text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the longest series of parts that occur once each, in order (patience sorting)."""
    places = [(text.find(part, start, end), part) for part in parts if text.count(part, start, end) == 1]
    tails: list[int] = []
    chain: list[tuple[int, tuple[int, str]]] = []  # index into `chain` of the one before, and the place
    tops: list[int] = []
    for place in places:
        index = bisect_left(tails, place[0])
        chain.append((tops[index - 1] if index else -1, place))
        tails[index:] = [place[0]] if index == len(tails) else [place[0], *tails[index + 1 :]]
        tops[index:] = [len(chain) - 1] if index == len(tops) else [len(chain) - 1, *tops[index + 1 :]]
    at = tops[-1] if tops else -1
    while at >= 0:
        at, (found, part) = chain[at]
        yield found, found + len(part)


def _pieces(stretch: Stretch, kept: Sequence[Span], planner: Planner) -> Iterator[Span]:
    spans = [span for span in _within(stretch, kept) if planner.is_piece(*span)]
    ends = [stretch.start, *(at for span in spans for at in span), stretch.end]
    pieces: list[tuple[Span, bool]] = []
    for index, (start, end) in enumerate(pairwise(ends)):
        if index % 2:
            pieces.append(((start, end), True))
        elif start < end:
            pieces += [(piece, False) for piece in planner.pieces(stretch.part(start, end), few=True)]
    yield from _without_orphans(pieces, planner)


def _within(stretch: Stretch, kept: Sequence[Span]) -> Sequence[Span]:
    first = bisect_left(kept, (stretch.start, 0))
    return [span for span in kept[first : bisect_left(kept, (stretch.end, 0))] if span[1] <= stretch.end]


def _without_orphans(pieces: Sequence[tuple[Span, bool]], planner: Planner) -> Iterator[Span]:
    """Join a new piece that is too short to the piece before it, or else to the one behind it."""
    joined: list[Span] = []
    pending: Span | None = None
    for (start, end), was_kept in pieces:
        if pending is not None:
            joined.append((pending[0], end) if planner.ruler.fits(pending[0], end) else pending)
            if joined[-1] == pending:
                joined.append((start, end))
            pending = None
        elif was_kept or not planner.is_short(start, end):
            joined.append((start, end))
        elif joined and planner.ruler.fits(joined[-1][0], end):
            joined[-1] = (joined[-1][0], end)
        else:
            pending = (start, end)
    yield from joined
    if pending is not None:
        yield pending
