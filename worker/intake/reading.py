"""A source into rows that may be stored, and faults that say how to mend it. Stores nothing, spends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Final

from api_models.problems import Fault, InvalidInputError
from worker.intake import lines, plain, sheets
from worker.intake.encoding import Lines, foreign
from worker.intake.header import TEXT
from worker.intake.judging import Defaults, Judge, Row
from worker.intake.kinds import Kind, by_name, sniff
from worker.intake.naming import Names
from worker.intake.record import Line, Parsed
from worker.intake.source import head_and_lines, opened, unreadable

SHOWN_FAULTS: Final = 100
"""Faults that an error keeps; the rest is counted. Nobody mends more than a screenful before trying again."""

_PARSERS: Final[dict[Kind, Callable[[Iterable[Line]], Parsed]]] = {
    Kind.CSV: sheets.parse,
    Kind.TSV: partial(sheets.parse, delimiters="\t"),
    Kind.JSONL: lines.parse,
    Kind.PLAIN: plain.parse,
}

_NO_DEFAULTS: Final = Defaults()


def read(
    source: Path | IO[bytes],
    *,
    kind: Kind | None = None,
    defaults: Defaults = _NO_DEFAULTS,
    max_text_bytes: int | None = None,
) -> Iterator[Row | Fault]:
    """Every row and every fault of `source`, about in the order of its lines, a line at a time.

    Rows that come after a fault are sound in themselves, but the input as a whole is not: take none of them.
    Without `kind`, a file's name tells how to read it, and a stream's first line.
    """
    try:
        with opened(source) as stream:
            head, line_count = head_and_lines(stream)
            if fault := foreign(head):
                yield fault
                return
            found = kind or _kind(source, head)
            if isinstance(found, Fault):
                yield found
                return
            judge = Judge(defaults, Names(line_count), max_text_bytes)
            yield from judge.default_faults
            yield from _judged(stream, _PARSERS[found], judge)
    except OSError as error:
        yield unreadable(error)


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
    rows: list[Row] = []
    faults: list[Fault] = []
    total = 0
    for item in read(source, kind=kind, defaults=defaults, max_text_bytes=max_text_bytes):
        if isinstance(item, Row):
            rows.append(item)
            continue
        total += 1
        rows.clear()
        if total <= SHOWN_FAULTS:
            faults.append(item)
    if faults:
        raise InvalidInputError(name or (str(source) if isinstance(source, Path) else "input"), faults, total)
    return rows


def _kind(source: Path | IO[bytes], head: bytes) -> Kind | Fault:
    # A pipe such as /dev/stdin or the shell's <(…) has no telling name; a file that could have one has to.
    if isinstance(source, Path) and (source.suffix or source.is_file()):
        return by_name(source)
    return sniff(head)


def _judged(stream: IO[bytes], parse: Callable[[Iterable[Line]], Parsed], judge: Judge) -> Iterator[Row | Fault]:
    text = Lines(stream)
    anything = False
    try:
        for found in parse(text):
            anything = True
            yield from text.take()
            if isinstance(found, Fault):
                yield found
            elif text.is_broken(found.line, found.last_line):
                yield from _untouched(judge(found))
            else:
                yield from judge(found)
        last = text.take_last()
        yield from last
        if not anything and not last:
            yield Fault(message="is empty; give at least one line of text to be spoken")
    finally:
        text.close()


def _untouched(judged: Iterator[Row | Fault]) -> Iterator[Fault]:
    """What is still worth saying of a record whose text was broken, and reported, before it was judged."""
    return (item for item in judged if isinstance(item, Fault) and item.field != TEXT)
