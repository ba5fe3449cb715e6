"""A source into rows that may be stored, and faults that say how to mend it. Stores nothing, spends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final

from api_models.problems import Fault, InvalidInputError
from worker.intake import lines, plain, sheets, workbooks
from worker.intake.block import Block
from worker.intake.columns import Columns
from worker.intake.encoding import Lines, foreign
from worker.intake.header import TEXT, WholeFault
from worker.intake.judging import Defaults, Judge, Row
from worker.intake.kinds import Kind, by_name, sniff
from worker.intake.naming import Names
from worker.intake.piece import Piece
from worker.intake.record import Record
from worker.intake.source import head_and_lines, opened, unreadable
from worker.intake.spool import Spool
from worker.intake.workbooks import WorkbookError

SHOWN_FAULTS: Final = 100
"""Faults that an error keeps; the rest is counted. Nobody mends more than a screenful before trying again."""

_Found = Iterator[Block | Record | Fault]

_PARSERS: Final[dict[Kind, Callable[[Lines], _Found]]] = {
    Kind.CSV: sheets.parse,
    Kind.TSV: partial(sheets.parse, delimiters="\t"),
    Kind.JSONL: lines.parse,
    Kind.PLAIN: plain.parse,
}
_BLOCKS: Final[dict[Kind, Callable[[Lines], _Found]]] = {
    Kind.CSV: sheets.blocks,
    Kind.TSV: partial(sheets.blocks, delimiters="\t"),
}
"""The same many rows at once, for files whose lines have an end."""

_NO_DEFAULTS: Final = Defaults()
_EMPTY: Final = Fault(message="is empty; give at least one line of text to be spoken")


def read(
    source: Path | IO[bytes],
    *,
    kind: Kind | None = None,
    defaults: Defaults = _NO_DEFAULTS,
    max_text_bytes: int | None = None,
) -> Iterator[Row | Fault]:
    """Every row and every fault of `source`, about in the order of its lines.

    Rows that come after a fault are sound in themselves, but the input as a whole is not: take none of them.
    Without `kind`, a file's name tells how to read it, and a stream's first line.
    """
    for item in _found(source, kind, defaults, max_text_bytes):
        if isinstance(item, Piece):
            yield from item.rows()
        else:
            yield item


def _found(
    source: Path | IO[bytes], kind: Kind | None, defaults: Defaults, max_text_bytes: int | None
) -> Iterator[Piece | Row | Fault]:
    try:
        with opened(source) as stream:
            if kind is Kind.XLSX or (kind is None and isinstance(source, Path) and by_name(source) is Kind.XLSX):
                yield from _of_workbook(stream, defaults, max_text_bytes)
                return
            head, line_count, endless = head_and_lines(stream)
            if fault := foreign(head):
                yield fault
                return
            found = kind or _kind(source, head)
            if isinstance(found, Fault):
                yield found
                return
            judge = Judge(defaults, Names(line_count), max_text_bytes)
            yield from judge.default_faults
            parse = _PARSERS[found] if endless else _BLOCKS.get(found, _PARSERS[found])
            yield from _judged(stream, parse, judge)
    except OSError as error:
        yield unreadable(error)


def _of_workbook(stream: IO[bytes], defaults: Defaults, max_text_bytes: int | None) -> Iterator[Row | Fault]:
    if stream.read(len(workbooks.SIGNATURE)) != workbooks.SIGNATURE:
        yield Fault(message="is no workbook, whatever its name says")
        return
    try:
        judge = Judge(defaults, Names(workbooks.row_count(stream)), max_text_bytes)
        yield from judge.default_faults
        anything = False
        for found in sheets.parse(workbooks.lines(stream), delimiters=","):
            anything = True
            if isinstance(found, Fault):
                yield found
            else:
                yield from judge(found)
        if not anything:
            yield _EMPTY
    except WorkbookError as error:
        yield error.fault


@dataclass(frozen=True, slots=True)
class Judged:
    """A whole input: what of it may be used, and what is wrong with the rest."""

    rows: Spool
    faults: Sequence[Fault]
    """The first hundred."""
    total_faults: int
    whole: bool
    """Whether something is wrong with the input as a whole, so that no row of it can be used."""

    def error(self, name: str) -> InvalidInputError:
        """The faults as an exception, for whoever takes the whole of it or nothing."""
        return InvalidInputError(name, self.faults, self.total_faults)


def judge_all(
    source: Path | IO[bytes],
    *,
    kind: Kind | None = None,
    defaults: Defaults = _NO_DEFAULTS,
    max_text_bytes: int | None = None,
) -> Judged:
    """Every row of `source` that is sound in itself, in a spool, and every fault."""
    rows, faults, total, whole = Spool(), list[Fault](), 0, False
    for item in _found(source, kind, defaults, max_text_bytes):
        if isinstance(item, Piece):
            rows.put_piece(item)
            continue
        if isinstance(item, Row):
            rows.put(item)
            continue
        total += 1
        whole = whole or item.line is None or isinstance(item, WholeFault)
        if total <= SHOWN_FAULTS:
            faults.append(item)
    return Judged(rows, faults, total, whole)


def read_all(
    source: Path | IO[bytes],
    *,
    name: str | None = None,
    kind: Kind | None = None,
    defaults: Defaults = _NO_DEFAULTS,
    max_text_bytes: int | None = None,
) -> list[Row]:
    """All rows of `source`, which `name` names for the reader of an error.

    Raises:
        InvalidInputError: with every fault there is: the first hundred to show, the others counted.
    """
    judged = judge_all(source, kind=kind, defaults=defaults, max_text_bytes=max_text_bytes)
    if judged.faults:
        raise judged.error(name or (str(source) if isinstance(source, Path) else "input"))
    return list(judged.rows)


def _kind(source: Path | IO[bytes], head: bytes) -> Kind | Fault:
    # A pipe such as /dev/stdin or the shell's <(…) has no telling name; a file that could have one has to.
    if isinstance(source, Path) and (source.suffix or source.is_file()):
        return by_name(source)
    return sniff(head)


def _judged(stream: IO[bytes], parse: Callable[[Lines], _Found], judge: Judge) -> Iterator[Piece | Row | Fault]:
    text, columns = Lines(stream), Columns(judge)
    anything = False
    try:
        for found in parse(text):
            anything = True
            yield from text.take()
            if isinstance(found, Fault):
                yield found
            elif isinstance(found, Block):
                yield from columns(found)
            elif text.is_broken(found.line, found.last_line):
                yield from _untouched(judge(found))
            else:
                yield from judge(found)
        last = text.take_last()
        yield from last
        if not anything and not last:
            yield _EMPTY
    finally:
        text.close()


def _untouched(judged: Iterator[Row | Fault]) -> Iterator[Fault]:
    """What is still worth saying of a record whose text was broken, and reported, before it was judged."""
    return (item for item in judged if isinstance(item, Fault) and item.field != TEXT)
