"""Scripts in every form: the right speaker for every turn, and nothing spoken that is no turn."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from openpyxl import Workbook

from api_models.problems import InvalidInputError
from tests.unit.scripts.samples import SPEAKERS, script
from worker.scripts.readers.files import MAX_SCRIPT_BYTES, read_script
from worker.scripts.script import Script, Turn


def read(tmp_path: Path, name: str, text: str, *known: str) -> Script:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_script(path, known=known)


def said(found: Script) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in found.turns()]


def refused(tmp_path: Path, name: str, text: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        read(tmp_path, name, text)
    return "\n".join(map(str, caught.value.faults))


@pytest.mark.parametrize("name", SPEAKERS)
def test_every_turn_has_its_speaker(name: str) -> None:
    assert [turn.speaker for turn in script(name).turns()] == SPEAKERS[name]


@pytest.mark.parametrize("name", SPEAKERS)
def test_line_endings_and_byte_order_marks_change_nothing(name: str, tmp_path: Path) -> None:
    source = (Path(__file__).parents[2] / "data" / "scripts" / name).read_text(encoding="utf-8")
    path = tmp_path / name
    path.write_bytes(b"\xef\xbb\xbf" + source.replace("\n", "\r\n").encode())
    assert said(read_script(path)) == said(script(name))


def by_words(found: Script, words: str) -> Turn:
    return next(turn for turn in found.turns() if words in turn.text)


def test_directions_pauses_and_interruptions_are_fields_of_their_own() -> None:
    found = script("ferry.txt")
    late = by_words(found, "leave at ten past")
    assert (late.text, late.direction, late.pause) == (
        "I was told that it\nwould leave at ten past.",
        "whispering",
        1.5,
    )
    assert by_words(found, "By you").overlap == pytest.approx(0.25)
    first, second = by_words(found, "swims here"), by_words(found, "Not twice")
    assert (first.direction, second.direction, second.pause) == ("laughs", "", 0.8)
    assert by_words(script("kitchen.json"), "Katze").overlap == pytest.approx(0.2)
    assert by_words(script("dacha.txt"), "каждый день").direction == "строго"
    assert by_words(script("market.csv"), "tres").pause == pytest.approx(0.5)


def test_a_colon_in_prose_is_no_name() -> None:
    """Neither the one in "It is: and", nor "Note:", which occurs once; nor a time, an address or a quotation."""
    assert by_words(script("ferry.txt"), "It is: and").speaker == "Old Ben"
    assert by_words(script("teahouse.txt"), "是新茶：昨天才到的").speaker == "韩梅梅"


def test_names_count_if_they_are_declared_repeated_or_cast(tmp_path: Path) -> None:
    text = "Anna: Good morning.\nPorter: The train: late.\nAnna: At 10:30? https://example.org: no.\n"
    found = read(tmp_path, "a.txt", text)
    assert said(found)[0] == ("Anna", "Good morning.\nPorter: The train: late.")
    assert 'line 2 "Porter"' in found.warnings[0]
    assert said(read(tmp_path, "b.txt", text, "porter"))[1] == ("Porter", "The train: late.")
    assert said(read(tmp_path, "c.txt", f"Cast: Porter\n\n{text}"))[1] == ("Porter", "The train: late.")


def test_names_are_compared_without_case_width_and_accents_encoding(tmp_path: Path) -> None:
    found = read(tmp_path, "a.txt", "Zoe\u0301: One.\nZOÉ: Two.\nAnna  Lee: Three.\nANNA LEE: Four.\n")
    assert [turn.speaker for turn in found.turns()] == ["Zoe\u0301", "Zoe\u0301", "Anna Lee", "Anna Lee"]


def test_a_blank_line_ends_a_turn_unless_the_next_one_is_indented(tmp_path: Path) -> None:
    text = "Narrator: x.\nNarrator: y.\nAnna: One\ntwo.\n\n    Three.\n\nIt rained.\n\nAnna: Four.\n"
    assert said(read(tmp_path, "a.txt", text))[2:] == [
        ("Anna", "One\ntwo.\n\nThree."),
        ("", "It rained."),
        ("Anna", "Four."),
    ]


def test_a_screenplay_keeps_only_what_is_heard() -> None:
    found = script("duel.fountain")
    assert (found.title, found.author) == ("The Duel", "The house")
    assert [scene.title for scene in found.scenes] == ["EXT. HEATH - DAWN", "THE ROAD"]
    assert {entry.what for entry in found.skipped} == {"note", "omitted text", "synopsis", "transition"}
    assert by_words(found, "You are late").text == "You are late, sir."
    assert by_words(found, "never late").overlap == pytest.approx(0.4)
    assert by_words(found, "Not one more").pause == pytest.approx(0.8)
    assert by_words(found, "Ten paces").line == 27
    assert [turn.text for turn in found.turns() if turn.is_silent_alone][1:] == ["A CART PASSES.", "THE END"]
    spoken = " ".join(turn.text for turn in found.turns())
    assert "refuse" not in spoken
    assert "clock" not in spoken


def test_a_workbook_is_read_like_its_sheet(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (("Sprecher", "Dialogue", "Szene"), ("Ada", "Eins.", "1"), ("Bo", "Zwei.", "1"), ("Ada", "Drei.", "2")):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    found = read_script(tmp_path / "a.xlsx")
    assert said(found) == [("Ada", "Eins."), ("Bo", "Zwei."), ("Ada", "Drei.")]
    assert [scene.title for scene in found.scenes] == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "Anna: One.\nAnna:\n\nAnna: Two.", "line 2, Anna: has no words to speak"),
        ("a.txt", "Anna: One.\nAnna: [sighs]\n", "line 2, Anna: has no words to speak"),
        ("a.txt", "Anna: One.\nBen: Two.\n", 'no name is declared or occurs twice: line 1 "Anna", line 2 "Ben"'),
        ("a.txt", "", "has no turns"),
        ("a.txt", "Anna: a\nAnna: b [pause 90s] c\n", "line 2, [pause 90s]: is longer than 60 s"),
        ("a.fountain", "JUST ACTION.", ""),
        ("a.csv", "speaker,text\nAnna,Hi\nBen,\n", "line 3, Ben: has no words"),
        ("a.csv", "id,notes,date\n1,x,y\n", "line 1: names no columns speaker and text"),
        ("a.csv", "speaker,text,pause\nAnna,Hi,long\n", "line 2, pause: needs seconds"),
        ("a.json", '[{"speker": "A", "text": "x"}]', 'turns.0.speker: is not a known field; did you mean "speaker"'),
        ("a.json", '[{"speaker": "A", "text": "x", "overlap": 2}]', "turns.0.overlap: must be at most 0.4"),
        ("a.json", '[{"speaker": "A"}]', "turns.0.text: is missing"),
        ("a.json", "[" * 100_000, "is no"),
        ("a.ass", "[Events]\nDialogue: 0,0:00\n", "line 2: has 2 fields"),
        ("a.srt", "words only", "has no subtitles"),
        ("a.exe", "x", ".exe files can't be read as scripts"),
    ],
)  # fmt: skip
def test_what_is_no_script_is_refused_with_its_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    if message:
        assert message in refused(tmp_path, name, text)
    else:
        assert all(turn.is_silent_alone for turn in read(tmp_path, name, text).turns())


def test_a_script_of_ten_megabytes_is_refused_unread(tmp_path: Path) -> None:
    message = refused(tmp_path, "a.txt", "Anna: One.\n" * 1_000_000)
    assert f"the limit is {MAX_SCRIPT_BYTES:,}; divide it at its scenes" in message


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("a.txt", "Anna: One [pause] two (x) -- \n"),
        ("a.txt", "[a]" * 50),
        ("a.txt", "Anna" + " " * 400),
        ("a.fountain", "ANNA\n(x)\nOne. [[n]] /* x */\n\n"),
        ("a.fountain", "[["),
        ("a.fountain", "/*"),
        ("a.md", "**Anna:** One *two* [x](y)\n\n"),
        ("a.md", "**"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nANNA: One.\n\n"),
        ("a.csv", "Anna,One [pause]\n"),
    ],
)
def test_reading_takes_time_in_proportion(tmp_path: Path, name: str, unit: str) -> None:
    """Anything is read, or refused, at once: no pattern is tried on the rest of a text from every place."""
    path = tmp_path / name
    path.write_text(unit * (200_000 // len(unit)), encoding="utf-8")
    with suppress(InvalidInputError):
        assert read_script(path).scenes


def test_the_internal_form_is_json_too(tmp_path: Path) -> None:
    turns = [{"speaker": turn.speaker, "text": turn.text, "pause": turn.pause} for turn in script("ferry.txt").turns()]
    found = read(tmp_path, "a.json", json.dumps({"title": "x", "turns": turns}))
    assert said(found) == said(script("ferry.txt"))
