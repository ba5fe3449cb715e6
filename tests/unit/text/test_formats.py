"""Files that hold lexicons: read, written, and what is wrong with them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_models.lexicons import LexiconRule, Phoneme
from api_models.problems import InvalidInputError
from worker.cli.run.lexicons import SUFFIXES
from worker.text.formats import files
from worker.text.formats.files import Form

ROOT = '<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en">'
PLS = f"""<?xml version="1.0" encoding="UTF-8"?>
{ROOT}
  <meta name="author" content="a"/>
  <lexeme>
    <grapheme>colour</grapheme>
    <grapheme>color</grapheme>
    <phoneme>ˈkʌlə</phoneme>
    <phoneme alphabet="x-sampa" prefer="true">"kVl@</phoneme>
  </lexeme>
  <lexeme role="claws:NN1">
    <grapheme>EU</grapheme>
    <alias>Union of Europe</alias>
    <alias prefer="true">European <!-- a note -->Union</alias>
    <example>The EU &amp; its members</example>
  </lexeme>
</lexicon>
"""

WORD = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z", "M")), min_size=1, max_size=8)
PLAIN = WORD.filter(lambda text: any(map(str.isalnum, text)) and "|" not in text)


@st.composite
def a_rule(draw: st.DrawFn) -> LexiconRule:
    way = draw(st.sampled_from(("say", "spell", "as", "phonemes")))
    fields: dict[str, object] = {
        "match": draw(PLAIN),
        "case": draw(st.booleans()),
        "whole_word": draw(st.booleans()),
        "language": draw(st.sampled_from(("", "en", "de-AT"))),
    }
    ways: dict[str, dict[str, object]] = {"say": {"say": draw(PLAIN)}, "spell": {"spell": True}, "as": {"as": "digits"}}
    fields |= ways.get(way, {})
    if way == "phonemes" or draw(st.booleans()):
        alphabet = draw(st.sampled_from(("ipa", "x-sampa")))
        fields["phonemes"] = [
            {"text": text, "alphabet": alphabet} for text in draw(st.lists(PLAIN, min_size=1, max_size=2))
        ]
    if way == "say":
        fields["others"] = draw(st.lists(PLAIN, max_size=2))
    fields["examples"] = draw(st.lists(PLAIN, max_size=1))
    return LexiconRule.model_validate(fields)


@given(st.lists(a_rule(), min_size=1, max_size=6), st.sampled_from((Form.PLS, Form.CSV, Form.JSON)))
def test_what_is_written_is_read_again(rules: list[LexiconRule], form: Form) -> None:
    """Three formats hold all of a lexicon, what no model speaks included."""
    again = files.read(files.write(rules, form, "brand").encode(), "brand", form)

    assert again == rules


def test_a_lexicon_of_the_w3c() -> None:
    """Graphemes become rules, the preferred alias is spoken, and phonemes are kept though nothing speaks them."""
    found = files.read(PLS.encode(), "a.pls")

    assert [rule.match for rule in found] == ["colour", "color", "EU"]
    assert found[2].say == "European Union"
    assert found[2].others == ("Union of Europe",)
    assert found[2].examples == ("The EU & its members",)
    assert (found[2].role, found[2].language, found[2].case) == ("claws:NN1", "en", True)
    assert not found[0].is_applied
    assert found[0].phonemes[1] == Phoneme(text='"kVl@', alphabet="x-sampa", prefer=True)
    written = files.write(found, Form.PLS, "a")
    assert written.count("<lexeme") == 2
    assert files.read(written.encode(), "a.pls") == found


def test_a_dictionary_of_elevenlabs() -> None:
    """Aliases and phonemes, with their own words for case and boundaries."""
    given = {
        "name": "x",
        "rules": [
            {"string_to_replace": "Thailand", "type": "alias", "alias": "tie-land"},
            {"string_to_replace": "tomato", "type": "phoneme", "phoneme": "təˈmeɪtoʊ", "alphabet": "ipa"},
            {
                "string_to_replace": "x",
                "type": "alias",
                "alias": "ex",
                "case_sensitive": False,
                "word_boundaries": False,
            },
        ],
    }
    found = files.read(json.dumps(given).encode(), "d.json")

    assert [(rule.match, rule.say, rule.case, rule.whole_word) for rule in found] == [
        ("Thailand", "tie-land", True, True),
        ("tomato", "", True, True),
        ("x", "ex", False, False),
    ]
    assert files.read(files.write(found, Form.ELEVENLABS, "x").encode(), "d.json") == found


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.pls", b"<lexicon>\n <lexeme>", "line 2: column 10: <lexeme> of line 2, column 2 is not closed"),
        ("a.pls", b"<lexicon><lexeme></b></lexicon>", "<lexeme> of line 1, column 10 is still open"),
        ("a.pls", b'<!DOCTYPE a [<!ENTITY x "y">]><lexicon>&x;</lexicon>', "declares a document type"),
        ("a.pls", b'<!DOCTYPE a SYSTEM "http://a/b"><lexicon/>', "declares a document type"),
        ("a.pls", b"<lexicon>&nbsp;</lexicon>", "an entity is not defined"),
        ("a.pls", b"<speak/>", "begins with <speak>"),
        ("a.pls", b"<lexicon/>", "holds no <lexeme>"),
        (
            "a.pls",
            b"<lexicon>\n<lexeme><alias>x</alias></lexeme></lexicon>",
            "line 2: column 1: <lexeme> has no",
        ),
        ("a.pls", b"<lexicon><lexeme><grapheme>x</grapheme></lexeme></lexicon>", "neither <alias> nor <phoneme>"),
        ("a.pls", b"<lexicon>" + b"<a>" * 200, "more than 64 elements are nested"),
        ("a.pls", b'<?xml version="1.0" encoding="nope"?><lexicon/>', "is not readable XML"),
        ("a.csv", b"match,say\na,b\nc,", "line 3: has neither say, spell nor as"),
        ("a.csv", b"match,say,case\na,b,maybe\n", 'line 2, case: "maybe" is neither yes nor no'),
        ("a.csv", b"mach,say\na,b\n", 'line 1, mach: is not a column of a lexicon; did you mean "match"'),
        ("a.csv", b'match,say\n"a,b', "close its quotation marks"),
        ("a.csv", b"match,say\n", "holds no rule"),
        ("a.csv", b"match,say\na,\xff\n", "line 2: is not UTF-8"),
        ("a.json", b'{"rules": [{"match": "a"}]}', "rules.0: has neither say"),
        ("a.json", b'{"rules": [{"match": "a", "sya": "b"}]}', 'rules.0.sya: is not a known field; did you mean "say"'),
        ("a.json", b"[", "is not JSON"),
        ("a.json", b"[" * 100_000, "is nested too deeply"),
        ("a.json", b'{"rules": {}}', "holds no list of rules"),
    ],
)
def test_a_faulty_file_is_refused_with_its_place(name: str, content: bytes, expected: str) -> None:
    """Every fault names its line, and what to do."""
    with pytest.raises(InvalidInputError) as refused:
        files.read(content, name)

    assert expected in str(refused.value)


def test_the_suffixes_of_the_command_line_are_those_of_the_formats() -> None:
    """The command line knows a file by its suffix before it imports the formats."""
    assert set(files.SUFFIXES) == SUFFIXES
