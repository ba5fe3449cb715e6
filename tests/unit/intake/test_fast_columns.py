"""Sheets judged many rows at once: whatever is in them, they come to the same as row by row."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api_models.problems import Fault
from worker.intake import sheets
from worker.intake.block import Block, Record
from worker.intake.custom_ids import Names
from worker.intake.encoding import PIECE_CHARACTERS, Lines
from worker.intake.fast_columns import FEW_ROWS, Columns
from worker.intake.header import TEXT, Header
from worker.intake.kinds import Kind
from worker.intake.reader import judge_all
from worker.intake.row_block import RowBlock
from worker.intake.source import head_and_lines
from worker.intake.validation import Defaults, Judge, Row

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "Hello.",
            "Grüße, 語",
            "a\tb",
            "a\nb",
            "a\r\nb",
            '"quoted"',
            "back\\slash",
            "\\N",
            "\x00a",
            "…",
            "",
            "x" * 6_000,
        ]
    ),
)
NAMES = st.one_of(st.sampled_from(["", "0003", "a", "A", "b-1", "é", "a/b", " c "]), st.text("abcDE-_.", max_size=3))
VOICES = st.sampled_from(["Kore", "Puck", " Kore", "kore", "", "Unknown"])
NUMBERS = st.sampled_from(["", "0", "-0", "0.4", "5"])


def row_by_row(content: bytes, defaults: Defaults) -> list[Row | Fault]:
    """The careful way, on its own."""
    head, line_count, _ = head_and_lines(io.BytesIO(content))
    judge = Judge(defaults, Names(line_count), None)
    return list(_row_by_row(Lines(io.BytesIO(content), head=head), judge))


def _row_by_row(text: Lines, judge: Judge) -> Iterator[Row | Fault]:
    for found in sheets.parse(text):
        yield from text.take()
        if isinstance(found, Header):
            continue
        if isinstance(found, Fault):
            yield found
            continue
        broken = text.is_broken(found.line, found.last_line)
        yield from (item for item in judge(found) if not broken or (isinstance(item, Fault) and item.field != TEXT))
    yield from text.take_last()


def many_at_once(content: bytes, defaults: Defaults) -> list[Row | Fault]:
    """As a file is read."""
    judged = judge_all(io.BytesIO(content), kind=Kind.CSV, defaults=defaults)
    assert len(judged.faults) == judged.total_faults
    return [*judged.rows, *map(without_hint, judged.faults)]


def without_hint(fault: Fault) -> Fault:
    """As the judge found it: a file's first fault of a column also says how to pass the column over."""
    return fault.model_copy(update={"message": fault.message.partition("; to ignore the column")[0]})


def written(rows: Sequence[tuple[str, ...]], ending: str = "\n") -> bytes:
    """A sheet of them."""
    file = io.StringIO(newline="")
    lines = csv.writer(file, lineterminator=ending)
    lines.writerow(("custom_id", "text", "voice_1", "temperature"))
    lines.writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


def assert_same(content: bytes, defaults: Defaults = Defaults()) -> None:  # noqa: B008 - it is frozen
    """Rows and faults, each in their order and byte by byte."""
    expected = row_by_row(content, defaults)
    found = many_at_once(content, defaults)
    assert found == sorted(expected, key=lambda item: isinstance(item, Fault))
    assert [repr(item) for item in found if isinstance(item, Row)] == [
        repr(item) for item in expected if isinstance(item, Row)
    ]


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.tuples(NAMES, TEXTS, VOICES, NUMBERS), min_size=1, max_size=12),
    plain=st.integers(0, 2 * FEW_ROWS),
    noise=st.lists(
        st.tuples(st.integers(0, 10_000), st.sampled_from([b'"', b"\xff", b"\n", b"\r", b",", b"\x00"])), max_size=2
    ),
    ending=st.sampled_from(["\n", "\r\n"]),
    defaults=st.sampled_from([Defaults(), Defaults(voice_1="Puck", tags=("x",))]),
)
@example(rows=[("", "a", "", "0"), ("", "a", "", "-0")], plain=0, noise=[], ending="\n", defaults=Defaults())
@example(rows=[("a", "a", "", ""), ("A", "a", "", "")], plain=40, noise=[], ending="\n", defaults=Defaults())
def test_both_ways_come_to_the_same(
    rows: list[tuple[str, ...]],
    plain: int,
    noise: list[tuple[int, bytes]],
    ending: str,
    defaults: Defaults,
) -> None:
    """Any cells, among plain ones, with bytes put in that break quotes, lines or the encoding."""
    content = written([(f"row-{n}", f"Line {n}.", "Kore", "") for n in range(plain)] + rows, ending)
    for number, inserted in noise:
        place = number % len(content)
        content = content[:place] + inserted + content[place:]
    assert_same(content)
    assert_same(content, defaults)


@pytest.mark.parametrize(
    "middle",
    [
        b"x,Hello.,Kore,\n",
        b"\n\n\n",
        b'x,"One\n\ntwo",Kore,\n' * 50,
        b'x,"One,Kore,\n',
        b"x,\xff,Kore,\n",
        b"row-3,Twice.,Kore,\n",
        b"Row-3,Twice.,Kore,\n",
        b",Unnamed.,Kore,\n",
        b"x,Too,many,cells,here\n",
        b"x,Trailing.,Kore,,,\n",
        b"x,\xed\xa0\x80,Kore,\n",
        b"x," + b"y" * PIECE_CHARACTERS + b",Kore,\n",
        b'x,"' + b"y\n" * PIECE_CHARACTERS + b'",Kore,\n',
    ],
)
@pytest.mark.parametrize("place", [0, 700, 2_000])
def test_what_stands_amid_thousands_of_rows_is_judged_as_anywhere(middle: bytes, place: int) -> None:
    """In the first lines that are taken at once, at any place of later ones, and at the end."""
    lines = written([(f"row-{n}", f"The quick brown line {n}, spoken.", "Kore", "") for n in range(2_000)]).splitlines(
        keepends=True
    )
    lines.insert(place + 1, middle)
    assert_same(b"".join(lines))


def test_cells_of_several_lines_may_lie_across_a_seam() -> None:
    """Wherever the lines that are taken at once end."""
    rows = [("", f'Line "{n}",\nand another\r\n\r\none.', "Puck", "0.4") for n in range(6_000)]
    content = written(rows)
    assert len(content) > 4 * PIECE_CHARACTERS
    assert_same(content)


def test_ordinary_sheets_go_the_quick_way() -> None:
    """Or it would be of no use: one unusual row among a thousand doesn't change that for the others."""
    rows = [(f"row-{n}", f"Grüße {n}.", "Kore", "") for n in range(1_000)]
    rows[500] = ("a.b", "Hello.", "Puck", "")
    text = Lines(io.BytesIO(written(rows)))
    columns = Columns(Judge(Defaults(), Names(1_000), None))
    found = [item for block in sheets.blocks(text) if isinstance(block, Block) for item in columns(block)]
    assert sum(len(item) for item in found if isinstance(item, RowBlock)) > 1_000 - 2 * FEW_ROWS
    assert sum(isinstance(item, Row) for item in found) > 0


def test_lines_without_end_are_never_read_whole() -> None:
    """They are passed over as anywhere, and what follows them is judged."""
    content = b"text\n" + b"x" * 40_000_000 + b"\nHello.\n"
    source = io.BytesIO(content)
    tracemalloc.start()
    try:
        judged = judge_all(source, kind=Kind.CSV)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [row.line for row in judged.rows] == [3]
    assert [fault.line for fault in judged.faults][:1] == [2]
    assert peak < 16_000_000


def test_places_are_right_behind_a_broken_row() -> None:
    """Lines that were taken and given back are counted once."""
    lines = written([(f"row-{n}", f"Größere Zeile {n}.", "Kore", "") for n in range(5_000)]).splitlines(keepends=True)
    lines[10] = b'x,"One" two,Kore,\n'
    assert_same(b"".join([*lines, b"z,\xff,Kore,\n"]))


@pytest.mark.parametrize("named_first", [True, False])
def test_given_names_never_meet_those_made_of_lines(named_first: bool) -> None:
    """Where hundreds of rows have a name and the hundreds before or behind them have none."""
    named = [(f"row-{n}", "Hello.", "Kore", "") for n in range(500)]
    named[250] = ("0702" if named_first else "0102", "Hello.", "Kore", "")
    unnamed = [("", "Hello.", "Kore", "")] * 500
    content = written(named + unnamed if named_first else unnamed + named)
    assert_same(content)
    assert len(judge_all(io.BytesIO(content), kind=Kind.CSV).faults) == 1


def test_records_are_never_handed_on_twice() -> None:
    """From the row that is broken on, they come one by one, each once and under its own line."""
    content = written([(f"row-{n}", "Hello.", "Kore", "") for n in range(50)]) + b'x,"One" two,Kore,\ny,Hello.,Kore,\n'
    found = list(sheets.blocks(Lines(io.BytesIO(content))))
    lines = [line for item in found if isinstance(item, Block) for line in item.lines]
    lines += [item.line for item in found if isinstance(item, Record)]
    assert lines == [*range(2, 52), 53]


@pytest.mark.parametrize("rows", [3, 3_000])
def test_columns_of_the_sheets_own_come_along_whichever_way(rows: int) -> None:
    """With their names, blank cells too; nothing where all are blank. Blank rows between them are no rows."""
    body = [f"n{n};row-{n};Hello {n}.;{'' if n % 3 else n};\n" for n in range(rows)]
    body[rows // 2] = ";;;;\n"
    content = ("Notes;custom_id;Text;Scene;Notes\n" + "".join(body)).encode()
    assert_same(content)
    found = {row.request.custom_id: row.extra for row in judge_all(io.BytesIO(content), kind=Kind.CSV).rows}
    assert len(found) == rows - 1
    assert found["row-0"] == '{"Notes":"n0","Scene":"0","Notes (2)":""}'
    blank = judge_all(io.BytesIO(b"text,Notes\nHello.,\nBye., \n"), kind=Kind.CSV)
    assert [row.extra for row in blank.rows] == [None, None]
