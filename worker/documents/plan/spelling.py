"""Where the texts of parts differ from what was written, so that captions show the original spelling.

A part's text is its share of the document without the layout of the file (`spoken`), which changes blanks and signs
but no letter or digit. Places are therefore found by counting letters and digits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from worker.documents.plan.plan import Part, Plan
from worker.text.lexicon.edits import Edit


def edits_of_parts(plan: Plan) -> dict[int, tuple[Edit, ...]]:
    """Return the edits within each part's text, by its number from 1. One that a cut divides is left out."""
    text, edits = plan.document.text, plan.document.edits
    starts = [part.start for part in plan.parts]
    of_parts: dict[int, list[Edit]] = {}
    for edit in edits:
        number = bisect_right(starts, edit.start)
        if number and edit.end <= plan.parts[number - 1].end:
            of_parts.setdefault(number, []).append(edit)
    found = ((number, tuple(_placed(plan.parts[number - 1], text, of))) for number, of in of_parts.items())
    return {number: placed for number, placed in found if placed}


def _placed(part: Part, text: str, edits: Sequence[Edit]) -> Iterator[Edit]:
    share = text[part.start : part.end]
    shown = part.spoken if part.shown is None else part.shown
    before, within = _counts(share), [at for at, character in enumerate(shown) if character.isalnum()]
    for edit in edits:
        start, end = edit.start - part.start, edit.end - part.start
        first, last = before[start], before[end]
        if first == last or last > len(within):
            continue
        said = share[start:end]
        lead = next(at for at, character in enumerate(said) if character.isalnum())
        begin = within[first] - lead
        if shown.startswith(said, begin):
            yield Edit(begin, begin + len(said), edit.original)


def _counts(text: str) -> list[int]:
    """For each place, how many letters and digits lie before it."""
    counts, count = [0], 0
    for character in text:
        count += character.isalnum()
        counts.append(count)
    return counts
