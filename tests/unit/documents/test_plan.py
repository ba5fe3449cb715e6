"""A plan loses nothing, cuts only where speech allows it, and holds its limits, in any script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.documents.document import BlockKind
from worker.documents.errors import NothingToSpeakError
from worker.documents.plan.duration import seconds
from worker.documents.plan.limits import PartLimits
from worker.documents.plan.plan import Gap, Plan
from worker.documents.plan.plan import plan as plan_document
from worker.documents.readers import text as plain

EXCERPTS = Path(__file__).parents[2] / "data" / "documents"
LANGUAGES = sorted(path.stem for path in EXCERPTS.glob("*.txt"))
TEXTS = {language: (EXCERPTS / f"{language}.txt").read_text(encoding="utf-8") for language in LANGUAGES}
USUAL = PartLimits()
SHORT = PartLimits(target_seconds=12, max_seconds=18)


def plan(text: str, limits: PartLimits = USUAL, language: str = "") -> Plan:
    return plan_document(plain.read(text), limits, language)


def shares(found: Plan) -> list[str]:
    return [found.share(part) for part in found.parts]


def repeated(language: str) -> str:
    """Return a chapter's worth of text."""
    return "\n\n".join(f"{TEXTS[language].strip()}" for _ in range(6))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("limits", [USUAL, SHORT], ids=["usual", "short"])
class TestRealTexts:
    def test_the_parts_together_are_the_text(self, language: str, limits: PartLimits) -> None:
        assert "".join(shares(plan(repeated(language), limits, language))) == repeated(language)

    def test_every_part_can_be_spoken_within_the_limits(self, language: str, limits: PartLimits) -> None:
        for part in plan(repeated(language), limits, language).parts:
            assert any(map(str.isalnum, part.spoken))
            assert part.seconds <= limits.max_seconds
            assert len(part.spoken.encode()) <= limits.max_bytes

    def test_planning_a_part_again_leaves_it_whole(self, language: str, limits: PartLimits) -> None:
        for part in plan(repeated(language), limits, language).parts:
            assert [again.spoken for again in plan(part.spoken, limits, language).parts] == [part.spoken]

    def test_parts_are_near_their_target(self, language: str, limits: PartLimits) -> None:
        lengths = sorted(part.seconds for part in plan(repeated(language), limits, language).parts)
        assert lengths[len(lengths) // 2] >= limits.target_seconds * 0.6
        assert lengths[0] >= limits.target_seconds * 0.2


@given(st.text(alphabet="ab .!?\n,;[]<>/é漢か9-—«»\"'\u00a0😀", max_size=400), st.sampled_from([USUAL, SHORT]))
def test_no_text_is_lost_whatever_it_is(text: str, limits: PartLimits) -> None:
    try:
        found = plan(text, limits)
    except NothingToSpeakError:
        assert not any(map(str.isalnum, text))
        return
    assert "".join(shares(found)) == text
    assert all(any(map(str.isalnum, part.spoken)) for part in found.parts)


@given(
    st.lists(
        st.sampled_from(["Yes. ", "[sigh, then a laugh. Long.] ", "<break time='1.5s'/> ", "x" * 40, " "]), max_size=80
    )
)
def test_no_tag_is_cut(pieces: list[str]) -> None:
    text = "A word. " + "".join(pieces)
    for share in shares(plan(text, PartLimits(target_seconds=6, max_seconds=10))):
        assert share.count("[") == share.count("]")
        assert share.count("<") == share.count(">")


def test_addresses_and_numbers_are_not_cut() -> None:
    text = "See https://example.org/a/very/long.path?with=dots.and;semicolons then pay 1,250,000.50 now, at 3:45. " * 12
    for share in shares(plan(text, PartLimits(target_seconds=6, max_seconds=11))):
        assert share.count("https://") == share.count("semicolons")
        assert not re.search(r"\d\s*\Z", share.strip(" ,"))


@pytest.mark.parametrize(
    ("language", "whole"),
    [
        ("ru", "«Куда ты?» — спросил он."),
        ("ja", "「行こう！」と彼は言った。"),
        ("hi", "डॉ. शर्मा आए।"),
        ("de", "Das sind z. B. Äpfel."),
        ("en", '"Stop!" he cried.'),
        ("en", "Mr. J. R. R. Tolkien was told at 3 p.m. on Monday."),
        ("es", "—¿Quién va? —preguntó el ventero."),
        ("fr", "M. Dupont est né en 30 av. J.-C. dit-on."),
    ],
)
def test_sentences_stay_whole(language: str, whole: str) -> None:
    text = f"{whole} " * 30
    for share in shares(plan(text, PartLimits(target_seconds=4, max_seconds=8), language)):
        assert share.strip().startswith(whole[:3])
        assert share.strip().endswith(whole[-3:])


def test_an_endless_sentence_is_cut_at_its_clauses_and_words() -> None:
    found = plan("and then we went on, " * 200)
    assert all(part.spoken.endswith("on,") for part in found.parts)
    assert all(" " not in share.strip()[:1] for share in shares(plan("word " * 2_000)))
    assert {part.gap for part in found.parts} == {Gap.NONE, Gap.END}


def test_words_of_thai_stay_whole() -> None:
    word = "พระราชา"
    found = plan(word * 120, PartLimits(target_seconds=8, max_seconds=12), "th")
    assert len(found.parts) > 1
    assert all(len(part.spoken.rstrip(".")) % len(word) == 0 for part in found.parts)


def test_a_text_of_one_word_is_cut_between_characters() -> None:
    found = plan("👩‍👩‍👧é" * 3_000)
    assert "".join(shares(found)) == "👩‍👩‍👧é" * 3_000
    assert all(not share.startswith("\u200d") for share in shares(found))
    assert all(len(part.spoken.encode()) <= USUAL.max_bytes for part in found.parts)


def test_chapters_headings_and_scenes_stand_alone() -> None:
    found = plan("Chapter 1\n\nIt began.\n\nTHE HARBOUR\n\nA boat came.\n\n* * *\n\nIt left.\n\nChapter 2\n\nThe end.")
    assert [part.spoken for part in found.parts] == [
        "Chapter 1.", "It began.", "THE HARBOUR.", "A boat came.", "It left.", "Chapter 2.", "The end."
    ]  # fmt: skip
    assert [part.gap for part in found.parts] == [
        Gap.HEADING, Gap.PARAGRAPH, Gap.HEADING, Gap.SCENE, Gap.CHAPTER, Gap.HEADING, Gap.END
    ]  # fmt: skip
    assert [part.chapter for part in found.parts] == [0, 0, 0, 0, 0, 1, 1]


def test_wrapped_lines_are_joined_and_verses_are_not() -> None:
    prose = (
        "It is a truth universally acknowledged, that a single man in\npossession of a good fortune, must want a wife."
    )
    assert "\n" not in plan(prose).parts[0].spoken
    verse = "Tyger Tyger, burning bright,\nIn the forests of the night;"
    assert plan(verse).parts[0].spoken == verse


def test_a_short_text_gets_an_end() -> None:
    assert plan("Hello").parts[0].spoken == "Hello."
    assert plan("終章").parts[0].spoken == "終章。"
    assert plan("Really?").parts[0].spoken == "Really?"


@pytest.mark.parametrize("text", ["", " \n ", "***", "…!?"])
def test_nothing_to_speak_is_an_error(text: str) -> None:
    with pytest.raises(NothingToSpeakError, match="has no text"):
        plan(text)


def test_a_voice_that_speaks_slowly_gets_shorter_parts() -> None:
    slow = PartLimits(units_per_second=10)
    assert len(plan(repeated("en"), slow).parts) > len(plan(repeated("en")).parts)


def test_estimates_agree_with_known_rates() -> None:
    assert 55 <= seconds("The quick brown fox jumps over it. " * 25) <= 75
    assert 7 <= seconds("話说天下大势分久必合合久必分周末七国分争并入于秦及秦灭之后楚汉分争又并入于汉") <= 10


def test_license_lines_of_a_plain_text_book_are_not_spoken() -> None:
    book = (
        "The Project Gutenberg eBook of X\n\nUse it freely.\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\n"
        "It began.\n\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\n\nLicence."
    )
    found = plan(book)
    assert [part.spoken for part in found.parts] == ["It began."]
    assert "".join(shares(found)) == book
    assert {entry.what for entry in found.document.skipped} == {"licence of the edition"}
    assert all(block.kind is not BlockKind.SCENE_BREAK for block in found.document.blocks)
