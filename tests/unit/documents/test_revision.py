"""An edit changes the parts it touches and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.documents.test_plan import LANGUAGES, USUAL, plan, repeated, shares
from worker.documents.plan.plan import Plan
from worker.documents.plan.revision import revise
from worker.documents.readers import text as plain

CHARACTERS = 'aé漢 .!?\n,;—9"«['


def edited(text: str, share: float, character: str, kind: str) -> str:
    at = min(int(share * len(text)), len(text) - 1)
    return text[:at] + ("" if kind == "delete" else character) + text[at + (kind != "insert") :]


def bought(before: Plan, after: Plan) -> list[str]:
    known = {part.spoken for part in before.parts}
    return [part.spoken for part in after.parts if part.spoken not in known]


@given(
    st.sampled_from(LANGUAGES),
    st.floats(0, 1),
    st.sampled_from(CHARACTERS),
    st.sampled_from(["insert", "delete", "replace"]),
)
def test_one_character_changes_at_most_two_parts(language: str, share: float, character: str, kind: str) -> None:
    text = numbered(language)
    before, changed = plan(text, language=language), edited(text, share, character, kind)
    after = revise(shares(before), plain.read(changed), USUAL, language)
    assert "".join(shares(after)) == changed
    assert len(bought(before, after)) <= 2
    assert all(part.seconds <= USUAL.max_seconds for part in after.parts)


def numbered(language: str) -> str:
    """Return a chapter in which no paragraph is like another."""
    paragraphs = repeated(language).split("\n\n")
    return "\n\n".join(f"{paragraph} ({number})." for number, paragraph in enumerate(paragraphs, 1))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_text_changes_nothing(language: str) -> None:
    before = plan(numbered(language), language=language)
    assert revise(shares(before), before.document, USUAL, language) == before


def test_a_new_paragraph_is_one_part_and_a_removed_one_none() -> None:
    before = plan(numbered("en"))
    text = before.document.text
    seam = before.parts[2].end
    longer = text[:seam] + "This paragraph is new. " * 20 + "\n\n" + text[seam:]
    assert len(bought(before, revise(shares(before), plain.read(longer), USUAL))) <= 1
    shorter = text[: before.parts[2].start] + text[seam:]
    assert bought(before, revise(shares(before), plain.read(shorter), USUAL)) == []


def test_chapters_that_change_places_keep_their_parts_but_for_the_moved_one() -> None:
    one, two, three = (
        "\n\n".join(f"{name} {n}. " + "It went on. " * 30 for n in range(9)) for name in ("One", "Two", "Three")
    )
    before = plan(f"{one}\n\n{two}\n\n{three}")
    after = revise(shares(before), plain.read(f"{two}\n\n{one}\n\n{three}"), USUAL)
    changed = sum(len(text) for text in bought(before, after))
    assert changed <= 0.5 * len(before.document.text)


def test_edits_in_many_places_keep_what_lies_between() -> None:
    before = plan(numbered("en"))
    text = before.document.text
    for part in before.parts[::4]:
        middle = (part.start + part.end) // 2
        text = text[:middle] + "x" + text[middle + 1 :]
    after = revise(shares(before), plain.read(text), USUAL)
    assert len(bought(before, after)) <= 2 * len(before.parts[::4])


def test_without_a_former_plan_an_edit_stays_near_its_place() -> None:
    """Cuts are content-defined: even a plan made from nothing keeps most parts."""
    text = "\n\n".join(numbered("en").replace("(", f"({number}, ") for number in range(12))
    before = plan(text)
    after = plan(edited(text, 0.5, "z", "insert"))
    assert len(bought(before, after)) <= 8 < len(before.parts) / 4
