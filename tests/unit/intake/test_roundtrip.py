"""Whatever a program writes with the standard library's writers is read back letter by letter."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.intake.kinds import Kind
from worker.intake.reader import read, read_all

SPEAKABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00<[&【"), max_size=200).filter(
    lambda text: any(character.isalnum() for character in text)
)
"""Any text that a request may have but markup; line breaks, quote marks and delimiters included."""

PATIENTLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How fast the machine is today is no finding."""

ROWS = st.lists(st.tuples(SPEAKABLE, st.sampled_from(["", "Kore", "Puck"])), min_size=1, max_size=8)


@PATIENTLY
@given(rows=ROWS, delimiter=st.sampled_from(",;\t"), windows=st.booleans())
def test_sheets_are_read_as_they_were_written(rows: list[tuple[str, str]], delimiter: str, *, windows: bool) -> None:
    """Texts and voices come back unchanged, and every row has a name of its own."""
    sheet = io.StringIO(newline="")
    # Before Python 3.13 the writer left a carriage return bare where rows end in a line feed, unless told to quote all.
    writer = (
        csv.writer(sheet, delimiter=delimiter, lineterminator="\r\n")
        if windows
        else csv.writer(sheet, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    )
    writer.writerow(["text", "voice_1"])
    writer.writerows(rows)
    found = read_all(io.BytesIO(sheet.getvalue().encode()), kind=Kind.CSV)
    assert [(row.request.text, row.request.voice_1 or "") for row in found] == rows
    assert len({row.request.custom_id for row in found}) == len(rows)


@PATIENTLY
@given(rows=ROWS, escaped=st.booleans())
def test_json_lines_are_read_as_they_were_written(rows: list[tuple[str, str]], escaped: bool) -> None:
    """Whether or not the writer escaped what isn't ASCII; line n is named after n."""
    content = "".join(json.dumps({"text": text, "voice_1": voice}, ensure_ascii=escaped) + "\n" for text, voice in rows)
    found = read_all(io.BytesIO(content.encode()), kind=Kind.JSONL)
    assert [(row.request.text, row.request.voice_1 or "") for row in found] == rows
    assert [row.request.custom_id for row in found] == [f"{n:04}" for n in range(1, len(rows) + 1)]


@PATIENTLY
@given(content=st.binary(max_size=300), kind=st.sampled_from([None, *Kind]))
def test_no_bytes_break_the_reading(content: bytes, kind: Kind | None) -> None:
    """Anything at all is either rows or faults that can be printed, never a surprise."""
    for item in read(io.BytesIO(content), kind=kind):
        str(item).encode()


SHEETLIKE = st.text(st.sampled_from('text,voice_1;\t"\n\r{}[]:é Kore'), max_size=120)


@PATIENTLY
@given(content=SHEETLIKE, kind=st.sampled_from([None, *Kind]))
def test_no_text_breaks_the_reading(content: str, kind: Kind | None) -> None:
    """Nor does text made of the very signs that the formats are made of."""
    lines = content.count("\n") + content.count("\r") + 1
    for item in read(io.BytesIO(f"text,voice_1\n{content}".encode()), kind=kind):
        str(item).encode()
        assert item.line is None or 1 <= item.line <= lines + 1
