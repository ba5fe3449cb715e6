"""Texts that no author writes: one long word, single letters, thousands of sentences of one character."""

from __future__ import annotations

from itertools import pairwise

import pytest

from worker.documents.plan.cuts import _CLOSE, Place, Ruler, _thinned
from worker.documents.plan.limits import PartLimits
from worker.documents.plan.plan import plan
from worker.documents.plan.unbreakable import Unbreakable
from worker.documents.readers import text as text_reader

LIMITS = PartLimits(max_bytes=4_000)
CHARACTERS = 60_000


@pytest.mark.parametrize(
    "unit",
    [
        "x",
        "1",
        "1,",
        "a ",
        "a. ",
        "x@",
        "<a",
        "[x] ",
        "x:",
        "\n\nx",
        "語",
        "語。",
        "ไทย",
        "a\u0308",
        "http://x ",
        "Dr. ",
    ],
)
def test_they_are_divided_without_loss(unit: str) -> None:
    """In a time that grows with their length; each part fits."""
    text = (unit * CHARACTERS)[:CHARACTERS]
    made = plan(text_reader.read(text), LIMITS)
    ruler = Ruler.of(made.document.text, LIMITS)
    assert "".join(made.share(part) for part in made.parts) == made.document.text
    assert len(made.parts) > 1
    assert all(len(part.spoken.encode()) <= LIMITS.max_bytes for part in made.parts)
    assert ruler.durations(0, len(made.document.text)) > LIMITS.max_seconds


@pytest.mark.parametrize("penalty", [0.0, 6.0])
def test_few_places_are_considered(penalty: float) -> None:
    """However many there are; of close ones the cheapest, and no piece between two is too long for a part."""
    text = "x" * 20_000
    ruler = Ruler.of(text, LIMITS)
    places = [Place(at, penalty if at % 7 == 0 else 600.0) for at in range(1, len(text))]
    kept = _thinned(0, len(text), places, ruler)
    close = _CLOSE * LIMITS.target_seconds
    assert len(kept) <= ruler.durations(0, len(text)) / close + 1
    assert sum(place.penalty == penalty for place in kept) > 0.9 * len(kept)
    ends = [0, *(place.at for place in kept), len(text)]
    assert all(ruler.fits(start, end) for start, end in pairwise(ends))


@pytest.mark.parametrize(
    ("text", "place", "allowed"),
    [
        ("write to a.b+c@mail.example.org now", 20, False),
        ("write to a.b+c@mail.example.org now", 9, True),
        ("it costs 1,234.56 today", 12, False),
        ("it costs 1,234.56 today", 17, True),
        ("x" * 50_000 + "@", 9, True),
        ("1" * 50_000, 9, True),
    ],
)
def test_addresses_and_numbers_are_not_cut(text: str, place: int, allowed: bool) -> None:
    """Found from their beginnings, so that a long run that is none is read once."""
    assert Unbreakable(text).allows(place) is allowed
