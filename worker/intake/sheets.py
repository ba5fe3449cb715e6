"""CSV and TSV: a header, then one job a row. A broken quote costs its own row, not the rows that follow it."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from api_models.problems import Fault
from worker.intake.header import DELIMITERS, TEXT, Header, WholeFault, header_faults, split_header
from worker.intake.record import Line, Parsed, Record

MAX_BROKEN_QUOTES: Final = 20
"""Each costs a second look at the lines it swallowed, so a file full of them is given up."""


def parse(lines: Iterable[Line], delimiters: str = DELIMITERS) -> Parsed:
    """The records of a sheet whose cells stand between one of `delimiters`: whichever suits the header best."""
    source = iter(lines)
    first = next((line for line in source if not line.text.isspace()), None)
    if first is None:
        return
    header = split_header(first.text, delimiters)
    yield from header_faults(header, first.number)
    if TEXT in header.columns:
        yield from _rows(header, first.number, source)


def _rows(header: Header, header_line: int, source: Iterator[Line]) -> Parsed:
    feed = _Feed(source)
    fields = header.known()
    rows = 0
    for _ in range(MAX_BROKEN_QUOTES):
        try:
            for cells in csv.reader(feed, delimiter=header.delimiter, strict=True):
                first, last = feed.row_done()
                if cells:
                    rows += 1
                    yield _record(first, last, cells, header, fields)
        except csv.Error as error:
            rows += 1
            first, last = feed.row_broke()
            yield Fault(line=first, message=_quoting(str(error), first, last))
        else:
            if not rows:
                yield Fault(line=header_line, message="the header names columns, but no rows follow it")
            return
    yield WholeFault(line=first + 1, message="the file was not read from here on: too many quotes are broken before")


def _record(
    first: int, last: int, cells: Sequence[str], header: Header, fields: Sequence[str | None]
) -> Record | Fault:
    if len(cells) != len(fields):
        cells = list(cells)
        while len(cells) > len(fields) and not cells[-1].strip():  # as many spreadsheets end their rows
            cells.pop()
        if len(cells) != len(fields):
            return Fault(line=first, message=_uneven(len(cells), len(fields), header.delimiter))
    return Record(
        first,
        last,
        {
            # Blanks around a text may be meant; around a name or number they never are.
            field: cell if field == TEXT else cell.strip()
            for field, cell in zip(fields, cells, strict=True)
            if field
        },
    )


class _Feed:
    """Hands lines to a csv reader; those of a row whose quotes broke, it can hand out again."""

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
        """A row came of the lines handed out: forget them. Returns the first and the last."""
        first, last = self._row[0].number, self._row[-1].number
        self._row.clear()
        return first, last

    def row_broke(self) -> tuple[int, int]:
        """No row came of the lines handed out: all but the first will be handed out again. Returns first and last."""
        self._again.extendleft(reversed(self._row[1:]))
        return self.row_done()


def _quoting(error: str, first: int, last: int) -> str:
    if "field larger than" in error:
        limit = csv.field_size_limit()
        if first == last:
            return (
                f"a cell is longer than {limit:,} characters, more than any text may have; split it into shorter ones"
            )
        return f"a cell of this row goes on for more than {limit:,} characters; is its closing quote mark missing?"
    if "end of data" in error:
        return "a quoted cell of this row never ends; close it with a quote mark"
    if first == last:
        return 'a quoted cell goes on after its closing quote mark; write quote marks inside it twice: ""'
    return (
        f"a quoted cell of this row runs on to line {last} and ends amid words there; close it with a quote mark, "
        'and write quote marks inside it twice: ""'
    )


def _uneven(cells: int, columns: int, delimiter: str) -> str:
    name = {"\t": "tab", ",": "comma", ";": "semicolon"}[delimiter]
    if cells > columns:
        return f"has {cells} cells, but the header names {columns}; put a cell with a {name} in it between quote marks"
    return f"has {_count(cells)}, but the header names {columns}; an empty cell still needs its {name}"


def _count(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells} cells"
