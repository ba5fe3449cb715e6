"""CSV and TSV: a header, then one job per row. A broken quote costs its own row, not the following ones."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from api_models.problems import Fault
from worker.intake.block import Block, Line, Record, as_record
from worker.intake.encoding import Lines
from worker.intake.header import DELIMITERS, Header, WholeFault, header_faults, named_delimiter, split_header
from worker.intake.sheet_options import AS_IT_IS, SheetOptions

MAX_BROKEN_QUOTES: Final = 20
"""Each one re-reads the lines it swallowed; reading stops after this many."""
MAX_HEADER_LINES: Final = 20
"""Lines of column names with line breaks, in total."""
SAMPLED_LINES: Final = 20
"""Lines looked at to suggest the column of texts."""
MAX_TITLE_LINES: Final = 10
"""Lines above the header."""


def parse(
    lines: Iterable[Line], delimiters: str = DELIMITERS, options: SheetOptions = AS_IT_IS
) -> Iterator[Header | Record | Fault]:
    """Yield the header and records. The delimiter among `delimiters` that suits the header best is used."""
    source = iter(lines)
    found = _header(source, delimiters, options)
    if found is None:
        return
    header, line = found
    yield header
    yield from header_faults(header, line, options, () if header.has_text else _sample(source, header))
    if header.has_text:
        yield from _rows(header, line, source)


def blocks(
    text: Lines, delimiters: str = DELIMITERS, options: SheetOptions = AS_IT_IS
) -> Iterator[Header | Block | Record | Fault]:
    """As `parse`, but many rows at once as long as the lines are regular."""
    source = iter(text)
    found = _header(source, delimiters, options)
    if found is None:
        return
    header, line = found
    yield header
    yield from header_faults(header, line, options, () if header.has_text else _sample(source, header))
    if not header.has_text:
        return
    rows = 0
    while lines := text.plain():
        block, used = _block(header, lines, text.number - len(lines))
        text.give_back(lines[used:])
        if not used:  # not even the first row comes to its end
            break
        if block.rows:
            rows += sum(any(map(str.strip, cells)) for cells in block.rows) if rows < 1 else len(block.rows)
            yield block
    yield from _rows(header, line, source, rows)


def _header(source: Iterator[Line], delimiters: str, options: SheetOptions) -> tuple[Header, int] | None:
    """Return the header and its line, after an optional `sep=;` and a title; None for an empty file."""
    first: tuple[Header, int] | None = None
    for line in islice(source, MAX_TITLE_LINES):
        if line.text.isspace():
            continue
        if first is None and (named := named_delimiter(line.text)):
            delimiters = named
            continue
        header = split_header(_whole(line.text, source), delimiters, options)
        if header.has_text:
            return header, line.number
        first = first or (header, line.number)
        if sum(map(bool, header.columns)) > 1:  # no title: a header of other columns, or a row of a sheet without one
            return first
    return first


def _sample(source: Iterator[Line], header: Header) -> list[list[str]]:
    lines = (line.text for line in islice(source, SAMPLED_LINES))
    with suppress(csv.Error):
        return list(csv.reader(lines, delimiter=header.delimiter))
    return []


def _whole(line: str, source: Iterator[Line]) -> str:
    for _ in range(MAX_HEADER_LINES):
        if line.count('"') % 2 == 0 or (following := next(source, None)) is None:
            break
        line += following.text
    return line


def _block(header: Header, lines: Sequence[str], above: int) -> tuple[Block, int]:
    """Return the complete rows in these lines and the number of lines used. `above` is the line before."""
    rows, ends = _ended(lines, header.delimiter)
    starts = [above + 1, *(above + 1 + end for end in ends[:-1])]
    if [] in rows:
        starts = [start for start, cells in zip(starts, rows, strict=True) if cells]
        rows = [cells for cells in rows if cells]
    return Block(header, rows, starts[: len(rows)]), ends[-1] if ends else 0


def _ended(lines: Sequence[str], delimiter: str) -> tuple[list[list[str]], Sequence[int]]:
    """Return the complete rows up to the first broken one, and the line count at the end of each."""
    with suppress(csv.Error):
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
        if len(rows) == len(lines):
            return rows, range(1, len(lines) + 1)
    rows, ends = [], list[int]()
    with suppress(csv.Error):  # it may only be that the lines stop amid a quoted cell
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        for cells in reader:
            rows.append(cells)
            ends.append(reader.line_num)
    return rows, ends


def _rows(header: Header, header_line: int, source: Iterator[Line], rows: int = 0) -> Iterator[Record | Fault]:
    feed = _Feed(source)
    for _ in range(MAX_BROKEN_QUOTES):
        try:
            for cells in csv.reader(feed, delimiter=header.delimiter, strict=True):
                first, last = feed.row_done()
                if any(map(str.strip, cells)):
                    rows += 1
                    yield as_record(first, last, cells, header)
        except csv.Error as error:
            rows += 1
            first, last = feed.row_broke()
            yield Fault(line=first, message=_quoting(str(error), first, last))
        else:
            if not rows:
                yield Fault(line=header_line, message="the header names columns, but no rows follow it")
            return
    yield WholeFault(line=first + 1, message="reading stopped here: too many broken quotes")


class _Feed:
    """Feeds lines to a csv reader and can repeat those of a broken row."""

    def __init__(self, source: Iterator[Line]) -> None:
        self._source = source
        self._again: deque[Line] = deque()
        self._row: list[Line] = []

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._source)
        self._row.append(line)
        return line.text

    def row_done(self) -> tuple[int, int]:
        """Drop the lines of a complete row. Returns the first and last line number."""
        first, last = self._row[0].number, self._row[-1].number
        self._row.clear()
        return first, last

    def row_broke(self) -> tuple[int, int]:
        """Repeat all but the first line of a broken row. Returns the first and last line number."""
        self._again.extendleft(reversed(self._row[1:]))
        return self.row_done()


def _quoting(error: str, first: int, last: int) -> str:
    if "field larger than" in error:
        limit = csv.field_size_limit()
        if first == last:
            return (
                f"a cell is longer than {limit:,} characters, more than any text may have; split it into shorter ones"
            )
        return f"a cell of this row exceeds {limit:,} characters; is its closing quote mark missing?"
    if "end of data" in error:
        return "a quoted cell of this row never ends; close it with a quote mark"
    if first == last:
        return 'text follows the closing quote mark of a cell; write quote marks inside it twice: ""'
    return (
        f"a quoted cell of this row runs on to line {last} and ends amid words there; close it with a quote mark, "
        'and write quote marks inside it twice: ""'
    )
