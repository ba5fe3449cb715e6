"""SSML as text with pauses, voices and edits; and what is wrong with it, by line and column."""

from __future__ import annotations

import pytest

from api_models.lexicons import LexiconRule
from api_models.speech import JobRequest
from api_models.wording import Clean, Wording
from worker.producer.documents import plan_of
from worker.text import ssml
from worker.text.cleaning import cleaned, detected
from worker.text.errors import TextError
from worker.text.lexicon.edits import undone
from worker.text.lexicon.lexicon import Lexicon
from worker.text.marked import Marked
from worker.text.preparation import Preparation
from worker.text.xml import MarkupError

VOICES = {"kore": "Kore", "puck": "Puck"}


def read(source: str) -> Marked:
    return ssml.read(source, VOICES)


def test_words_paragraphs_and_sentences() -> None:
    """Blanks of the file don't count; a paragraph ends in a blank line."""
    found = read("<speak>\n  <p><s>One.</s><s>Two &amp; three.</s></p>\n <p>Four</p>\n</speak>")

    assert found == Marked("One. Two & three.\n\nFour")


def test_breaks_are_places_with_seconds() -> None:
    """Breaks in a row add up; those at the edges have no effect, which is said."""
    found = read('<speak><break/>One<break time="250ms"/><break time="1.5s"/>two.<break strength="weak"/></speak>')

    assert found.text == "One\n\ntwo."
    assert found.pauses == ((5, 1.75),)
    assert found.unapplied == {"break before the first word": 1, "break behind the last word": 1}


def test_substitutes_and_readings_are_edits() -> None:
    """What is spoken differs from what is shown."""
    found = read('The <sub alias="World Wide Web">WWW</sub>, <say-as interpret-as="characters">B2B</say-as>!')

    assert found.text == "The World Wide Web, B 2 B!"
    assert undone(found.text, found.edits) == "The WWW, B2B!"


def test_voices_are_places() -> None:
    found = read('<speak>One. <voice name="puck">Two.</voice> Three.</speak>')

    assert (found.text, found.voices) == ("One.\n\nTwo.\n\nThree.", ((6, "Puck"), (12, "")))


def test_markup_without_effect_is_counted() -> None:
    found = read(
        '<speak><emphasis level="strong">Do</emphasis> <prosody rate="slow">it</prosody><mark name="a"/></speak>'
    )

    assert (found.text, found.unapplied) == ("Do it", {"emphasis": 1, "prosody": 1, "mark": 1})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<speak>\n <audio src='a'/></speak>", "line 2, column 2: no element <audio>"),
        ("<speak><brake/></speak>", 'line 1, column 8: no element <brake>; did you mean "break"?'),
        ("Hello <brake/>", "line 1, column 7: no element <brake>"),
        ("<speak><break tine='1s'/></speak>", "line 1, column 8: <break> has no attribute tine"),
        ("<speak><break time='1 hour'/></speak>", "<break> has the time 1 hour; use 0s to 60s"),
        ("<speak><break time='61s'/></speak>", "<break> has the time 61s"),
        ("<speak><break strength='huge'/></speak>", "<break> has no strength huge"),
        ("<speak>\n<p>Hello.</speak>", "line 2, column 12: a tag is closed here, but <p> of line 2, column 1 is still"),
        ("<speak>Hello.", "line 1, column 14: <speak> of line 1, column 1 is not closed; add </speak>"),
        ("<speak>a &nbsp; b</speak>", "an entity is not defined in XML"),
        ("<speak>a & b</speak>", "is not well-formed XML"),
        ('<!DOCTYPE speak [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><speak>&b;</speak>', "declares a document type"),
        ('<!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak/>', "declares a document type"),
        ("<speak>" + "<p>" * 100, "more than 64 elements are nested"),
        ("<speak><voice name='Kor'>a</voice></speak>", 'names no voice Kor; did you mean "Kore"?'),
        ("<speak><sub>a</sub></speak>", "<sub> has no alias"),
        ("<speak><sub alias='b'><p>a</p></sub></speak>", "<sub> may hold text alone"),
        ("<speak><say-as interpret-as='song'>a</say-as></speak>", "has no interpret-as song"),
        ("<speak xmlns='urn:x'>a</speak>", "no element <speak>"),
    ],
)
def test_faulty_markup_is_refused_with_line_and_column(source: str, expected: str) -> None:
    with pytest.raises(MarkupError) as refused:
        read(source)

    assert expected in refused.value.described()


def test_markup_without_words_is_refused() -> None:
    with pytest.raises(TextError, match="holds no words"):
        read("<speak><break/></speak>")


@pytest.mark.parametrize(
    ("how", "text", "expected"),
    [
        (
            Clean.HTML,
            "<p>Tom &amp; <b>Ann</b></p><p>Two<br>lines</p><script>x</script><!-- y -->",
            "Tom & Ann\n\nTwo\nlines",
        ),
        (Clean.HTML, "a < b and c > d", "a < b and c > d"),
        (Clean.HTML, "caf&eacute;&#8230;", "café…"),
        (
            Clean.MARKDOWN,
            "# Title\n\nSome **bold** and [a link](http://x).\n\n- one\n- two",
            "Title\n\nSome bold and a link.\n\none\ntwo",
        ),
        (Clean.AUTO, "Plain *text* with 2 < 3.", "Plain *text* with 2 < 3."),
        (Clean.AUTO, "**Bold** move", "Bold move"),
        (Clean.AUTO, "Fish &amp; chips", "Fish & chips"),
        (Clean.AUTO, "<speak>One <break time='1s'/> two</speak>", "One\n\ntwo"),
    ],
)
def test_markup_is_taken_out_on_request(how: Clean, text: str, expected: str) -> None:
    assert cleaned(text, how).text == expected


def test_plain_text_is_detected_as_such() -> None:
    for text in ("Plain.", "5 > 3 & 2 < 4", "Mr. Smith [sighs]", "snake_case_name", "1. is a number", "a * b * c"):
        assert detected(text) in (None, Clean.MARKDOWN if text.startswith("1.") else None)


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(TextError, match="holds no words"):
        cleaned("<img src='a'>", Clean.HTML)


def test_a_lexicon_leaves_substitutes_alone_and_moves_breaks() -> None:
    """Rules apply to the words between the markup; places of breaks move with them, and parts carry the seconds."""
    prepare = Preparation(lambda _: Lexicon([LexiconRule(match="web", say="net net")], "l@1"))
    source = 'A web. <sub alias="the web">WWW</sub><break time="800ms"/>Last web.'
    found = prepare.request(JobRequest(text=source, clean="ssml", lexicon="l"))

    assert found.text == "A net net. the web\n\nLast net net."
    assert found.wording is not None
    wording = Wording.read(found.wording)
    assert (wording.original, wording.lexicon, wording.pauses) == (source, "l@1", ((20, 0.8),))
    plan = plan_of(found, None)
    assert [(part.spoken, part.pause) for part in plan.parts] == [("A net net. the web.", 0.8), ("Last net net.", None)]
