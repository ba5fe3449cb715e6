"""Where the rules of a lexicon apply, and that every place leads back to the original."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from api_models.lexicons import LexiconRule
from worker.text.errors import TextError
from worker.text.lexicon.edits import Moves, undone
from worker.text.lexicon.lexicon import Lexicon

LETTERS = "abc ABC ßẞİıéE\u0301\u0327中文한글ก्कि'-."
TEXTS = st.text(LETTERS, max_size=40)
WORDS = st.text(LETTERS, min_size=1, max_size=5).map(lambda text: " ".join(text.split())).filter(bool)


@st.composite
def rules(draw: st.DrawFn) -> list[LexiconRule]:
    found = []
    for match in draw(st.lists(WORDS, max_size=8)):
        fields = {
            "match": match,
            "say": draw(st.sampled_from(("a", "b c", "say it", "中", "x" * 9))),
            "whole_word": draw(st.booleans()),
            "case": draw(st.booleans()),
        }
        try:
            found.append(LexiconRule.model_validate(fields))
        except ValidationError:
            continue
    return found


def spoken(text: str, *rules: LexiconRule, language: str = "") -> str:
    return Lexicon(rules).apply(text, language).text


def rule(match: str, say: str = "X1", **fields: object) -> LexiconRule:
    return LexiconRule.model_validate({"match": match, "say": say, **fields})


@given(rules(), TEXTS)
@example([rule("ss", whole_word=False), rule("s", whole_word=False)], "aßb")
def test_every_place_leads_back_to_the_original(found: list[LexiconRule], text: str) -> None:
    """Edits are in order, overlap nowhere, and undo to the text as it was written."""
    changed = Lexicon(found).apply(text)

    assert undone(changed.text, changed.edits) == text
    assert changed.original() == text
    for before, after in pairwise(changed.edits):
        assert before.end <= after.start
    for edit in changed.edits:
        assert changed.text[edit.start : edit.end] in {one.say for one in found}


@given(rules(), TEXTS)
def test_no_rule_is_applied_to_what_another_put_in(found: list[LexiconRule], text: str) -> None:
    """What is spoken for a hit is a rule's own, and the text between the hits is as it was: a single pass."""
    lexicon = Lexicon(found)
    hits = lexicon.hits(text)

    pieces, end = [], 0
    for hit in hits:
        assert hit.start >= end
        pieces += [text[end : hit.start], hit.rule.say]
        end = hit.end
    assert lexicon.apply(text).text == "".join([*pieces, text[end:]])


PLAIN = "ab AB '-._1"


@given(
    st.lists(
        st.builds(
            lambda match, whole, case: rule(match, whole_word=whole, case=case),
            st.text(PLAIN, min_size=1, max_size=4).map(str.strip).filter(lambda text: text and "  " not in text),
            st.booleans(),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.text(PLAIN, max_size=30),
)
def test_the_earliest_place_and_the_longest_rule_win(found: list[LexiconRule], text: str) -> None:
    """The automaton and the word index find what trying every rule at every place finds."""
    hits = [(hit.start, hit.end) for hit in Lexicon(found).hits(text)]

    expected, at = [], 0
    while at < len(text):
        ends = [at + len(one.match) for one in found if _applies(one, text, at)]
        expected += [(at, max(ends))] if ends else []
        at = max(ends) if ends else at + 1
    assert hits == expected


def _applies(one: LexiconRule, text: str, at: int) -> bool:
    end = at + len(one.match)
    same = text[at:end] == one.match if one.case else text[at:end].lower() == one.match.lower()
    return same and not (one.whole_word and (_inside_a_word(text, at) or _inside_a_word(text, end)))


def _inside_a_word(text: str, at: int) -> bool:
    return 0 < at < len(text) and all(one.isalnum() or one == "_" for one in text[at - 1 : at + 1])


@given(TEXTS, st.data())
def test_places_of_the_original_move_in_order(text: str, data: st.DataObject) -> None:
    """A place of the written text has a place in the spoken one, and the order of places is kept."""
    changed = Lexicon(data.draw(rules())).apply(text)
    moved = [Moves(changed.edits)(place) for place in range(len(text) + 1)]

    assert moved == sorted(moved)
    assert moved[-1] == len(changed.text)
    assert moved[0] == 0


@pytest.mark.parametrize(
    ("text", "match", "expected"),
    [
        ("Nguyen's book, Nguyenish, nguyen.", "Nguyen", "X1's book, Nguyenish, X1."),
        ("l'Oréal et l\u2019ORE\u0301AL", "Oréal", "l'X1 et l\u2019X1"),
        ("cafe\u0301 cafe", "cafe", "cafe\u0301 X1"),
        ("café CAFÉ cafe\u0301", "cafe\u0301", "X1 X1 X1"),
        ("STRASSE Straße", "straße", "X1 X1"),
        ("İstanbul i\u0307stanbul", "İSTANBUL", "X1 X1"),
        ("我在北京住", "北京", "我在X1住"),
        ("ラーメンを食べる", "ラーメン", "X1を食べる"),
        ("C++ and C++17 and (C++)", "C++", "X1 and X117 and (X1)"),
        ("at 5 °C.", "°C", "at 5 X1."),
        ("हिन्दी हिन्दीभाषी", "हिन्दी", "X1 हिन्दीभाषी"),
        ("GPT GPT4 GPT-4 GPT_4", "GPT", "X1 GPT4 X1-4 GPT_4"),
        ("각 가", "가", "각 X1"),
        ("New  York", "New York", "New  York"),
        ("", "x", ""),
    ],
)
def test_whole_words_in_many_scripts(text: str, match: str, expected: str) -> None:
    """Words end where the script says; accents, ligatures and dotted letters are compared whole."""
    assert spoken(text, rule(match)) == expected


def test_a_letter_is_never_divided() -> None:
    """Half of ß, or a syllable without its final, is no match even inside words."""
    assert spoken("Straße", rule("s", "z", whole_word=False)) == "ztraße"
    assert spoken("각", rule("가", whole_word=False)) == "각"
    assert spoken(unicodedata.normalize("NFD", "각"), rule("가", whole_word=False)) == unicodedata.normalize(
        "NFD", "각"
    )


def test_of_equal_rules_the_one_that_demands_more_applies() -> None:
    """Exact case before any case, a language before none, the later before the earlier."""
    found = (rule("US", "you ess", case=True), rule("us", "ah s"), rule("us", "uhs", language="en"), rule("us", "oos"))

    assert spoken("US us", *found, language="en") == "you ess uhs"
    assert spoken("US us", *found, language="de") == "you ess oos"


@pytest.mark.parametrize(
    ("of_rule", "of_text", "applies"),
    [
        ("en", "en-GB", True),
        ("en-US", "en", True),
        ("en-US", "en-GB", False),
        ("de", "en", False),
        ("de", "", True),
        ("pt_BR", "pt-br", True),
    ],
)
def test_a_rule_of_a_language(of_rule: str, of_text: str, applies: bool) -> None:
    """It applies as far as both tags agree, and where the language of the text is unknown."""
    assert (spoken("Rose", rule("Rose", language=of_rule), language=of_text) == "X1") is applies


@pytest.mark.parametrize(
    ("fields", "text", "expected"),
    [
        ({"spell": True}, "NASA", "N A S A"),
        ({"spell": True}, "B2B", "B 2 B"),
        ({"spell": True}, "É.U.", "É U"),
        ({"as": "digits"}, "A4711b", "A4 7 1 1b"),
        ({"as": "characters"}, "x-9", "x 9"),
    ],
)
def test_spelling_and_readings(fields: dict[str, object], text: str, expected: str) -> None:
    """A rule may say how a word is read instead of what is said."""
    assert spoken(f"({text})", rule(text, "", **fields)) == f"({expected})"


def test_a_text_that_becomes_too_long_is_refused() -> None:
    """Rules can't blow a text up beyond what a text may be."""
    with pytest.raises(TextError, match="over the limit"):
        Lexicon([rule("a", "x" * 500)]).apply("a " * 20_000)


@pytest.mark.parametrize(
    "fields",
    [
        {"match": ""},
        {"match": "a"},
        {"match": "a", "say": "b", "spell": True},
        {"match": "\u0301a", "say": "b"},
        {"match": "a", "say": "…"},
        {"match": "a", "say": "b", "language": "english language"},
        {"match": "a" * 201, "say": "b"},
        {"match": "a", "say": "\ud800"},
        {"match": "a", "say": "b", "as": "date of birth"},
    ],
)
def test_an_unusable_rule_is_refused(fields: dict[str, object]) -> None:
    """What could never apply, or says nothing, is an error when it is written."""
    with pytest.raises(ValidationError):
        LexiconRule.model_validate(fields)
