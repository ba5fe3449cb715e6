"""Reads a source into valid rows and faults with remedies. Stores nothing, buys nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, TypeVar

from api_models.problems import Fault, InvalidInputError
from worker.intake import items, lines, sheets, subtitles
from worker.intake.block import Block, Record
from worker.intake.custom_ids import Names
from worker.intake.encoding import Lines, foreign
from worker.intake.fast_columns import Columns
from worker.intake.header import TEXT, Header, WholeFault
from worker.intake.kinds import WORKBOOKS, Kind, by_name, chosen_kind, of_json_file, of_text_file, sniff
from worker.intake.positions import Items, Positions
from worker.intake.row_block import RowBlock
from worker.intake.sheet_options import AS_IT_IS, SheetOptions
from worker.intake.source import UnreadableError, head_and_lines, opened, unreadable
from worker.intake.spool import Spool
from worker.intake.transcoding import in_utf_8
from worker.intake.unspoken import MarkupCount
from worker.intake.validation import Defaults, Judge, Row

SHOWN_FAULTS: Final = 100
"""Faults kept for display; more are only counted."""
ZIP: Final = b"PK\x03\x04"
"""The first bytes of a workbook."""
MAX_FAULTS: Final = 1_000
"""Reading stops after this many: a fault takes a hundred times as long as a valid row."""

_Found = Iterator[Header | Block | Record | Fault]
_Parser = Callable[[Lines, SheetOptions], _Found]

_PARSERS: Final[dict[Kind, _Parser]] = {
    Kind.CSV: lambda text, options: sheets.parse(text, options=options),
    Kind.TSV: lambda text, options: sheets.parse(text, "\t", options),
    Kind.JSONL: lines.parse,
    Kind.PLAIN: lambda text, _: lines.parse_text(text),
    Kind.SUBTITLES: lambda text, _: subtitles.parse(text),
}
_BLOCKS: Final[dict[Kind, _Parser]] = {
    Kind.CSV: lambda text, options: sheets.blocks(text, options=options),
    Kind.TSV: lambda text, options: sheets.blocks(text, "\t", options),
}
"""Parsers that return many rows at once, for inputs whose lines are of bounded length."""

Found = TypeVar("Found", bound=RowBlock | Row | Fault)

_NO_DEFAULTS: Final = Defaults()
_EMPTY: Final = Fault(message="is empty; add at least one line of text")
_COLUMNLESS: Final = frozenset({Kind.PLAIN, Kind.SUBTITLES})
_CHOICES: Final = frozenset({"tags", "format", "priority", "cache", "variant", "deadline", "not_before"})
"""Fields that other programs also use as column names."""


@dataclass(frozen=True, slots=True)
class Understood:
    """How the input was interpreted, for display."""

    headers: list[Header] = field(default_factory=list)
    unread_sheets: list[str] = field(default_factory=list)
    """Hidden sheets that were not read."""
    positions: list[Positions] = field(default_factory=list)
    """Set if rows are identified by more than their line."""

    def describe(self, line: int) -> str | None:
        return self.positions[-1].place(line) if self.positions else None


def read(
    source: Path | IO[bytes],
    *,
    kind: Kind | None = None,
    defaults: Defaults = _NO_DEFAULTS,
    max_text_bytes: int | None = None,
    options: SheetOptions = AS_IT_IS,
    long_texts: bool = False,
) -> Iterator[Row | Fault]:
    """Yield the rows and faults of `source`, roughly in line order; stop after 1,000 faults.

    If there is any fault, use none of the rows. Without `kind`, the file name or first line decides the format.
    `long_texts` may exceed one request's limit: their caller divides them.
    """
    reading = _Reading(defaults, max_text_bytes, options, long_texts)
    for item in _bounded(reading.found(source, kind)):
        if isinstance(item, RowBlock):
            yield from item.rows()
        else:
            yield item


def _bounded(items: Iterator[RowBlock | Row | Fault]) -> Iterator[RowBlock | Row | Fault]:
    faults = 0
    for item in items:
        yield item
        if isinstance(item, Fault):
            faults += 1
            if faults >= MAX_FAULTS:
                message = f"reading stopped here after {MAX_FAULTS:,} errors"
                yield WholeFault(line=item.line, place=item.place, message=message)
                return


@dataclass(frozen=True, slots=True)
class _Reading:
    defaults: Defaults
    max_text_bytes: int | None
    options: SheetOptions
    long_texts: bool = False
    understood: Understood = field(default_factory=Understood)

    def found(self, source: Path | IO[bytes], kind: Kind | None) -> Iterator[RowBlock | Row | Fault]:
        try:
            with opened(source) as stream:
                kind = kind or chosen_kind(self.options)
                if (kind or (by_name(source) if isinstance(source, Path) else None)) in WORKBOOKS:
                    yield from self._of_workbook(stream)
                else:
                    yield from self._of_text(source, stream, kind)
        except OSError as error:
            yield unreadable(error)
        except UnreadableError as error:
            yield error.fault

    def _of_text(
        self, source: Path | IO[bytes], stream: IO[bytes], kind: Kind | None
    ) -> Iterator[RowBlock | Row | Fault]:
        if self.options.chooses_sheets:
            yield Fault(message="has no sheets to choose from: only a workbook (.xlsx, .ods) has")
            return
        with in_utf_8(stream, self.options) as text:
            head, line_count, endless = head_and_lines(text)
            found = kind or _kind(source, head)
            if isinstance(found, Fault):
                yield found
            elif fault := foreign(head, self.options):
                yield fault
            elif found in _COLUMNLESS and (option := self.options.chosen_column):
                yield Fault(message=f"has no columns, and {option} is for sheets: CSV, TSV, .xlsx, .ods and JSON")
            elif found is Kind.JSON:
                yield from self._of_list(text)
            else:
                judge = self._judge(Names(line_count))
                yield from judge.default_faults
                parse = _PARSERS[found] if endless else _BLOCKS.get(found, _PARSERS[found])
                yield from self._of_lines(Lines(text, self.options, head), parse, judge)

    def _of_lines(self, text: Lines, parse: _Parser, judge: Judge) -> Iterator[RowBlock | Row | Fault]:
        columns, hints = Columns(judge), _Hints(self.options)
        anything = False
        try:
            for found in parse(text, self.options):
                anything = True
                yield from text.take()
                if isinstance(found, Header):
                    self._note(found, hints)
                elif isinstance(found, Fault):
                    yield found
                elif isinstance(found, Block):
                    yield from map(hints.hinted, columns(found))
                elif text.is_broken(found.line, found.last_line):
                    yield from _faults_beside_text(judge(found))
                else:
                    yield from map(hints.hinted, judge(found))
            last = text.take_last()
            yield from last
            if not anything and not last:
                yield _EMPTY
        finally:
            text.close()

    def _of_workbook(self, stream: IO[bytes]) -> Iterator[Row | Fault]:
        if stream.read(len(ZIP)) != ZIP:
            stream.seek(0)
            yield foreign(stream.read(len(ZIP))) or Fault(message="is not a workbook, despite its name")
            return
        if self.options.encoding is not None:
            option = self.options.spelled("encoding", self.options.encoding)
            yield Fault(message=f"is a workbook, and {option} is for text files; leave it out")
            return
        from worker.intake.workbooks import Workbook  # noqa: PLC0415 - most inputs are text

        workbook = Workbook(stream, self.options)
        self.understood.unread_sheets.extend(workbook.unread)
        names = Names(workbook.rows, workbook.positions)
        yield from self._of_records(workbook.records(), names, workbook.positions)

    def _of_list(self, stream: IO[bytes]) -> Iterator[Row | Fault]:
        found = items.load(stream, self.options)
        if isinstance(found, Fault):
            yield found
            return
        positions = Items()
        yield from self._of_records(items.parse(found, self.options), Names(len(found), positions), positions)

    def _of_records(
        self, records: Iterator[Header | Record | Fault], names: Names, positions: Positions
    ) -> Iterator[Row | Fault]:
        judge, hints = self._judge(names), _Hints(self.options)
        self.understood.positions.append(positions)
        yield from judge.default_faults
        anything = False
        for found in records:
            anything = True
            if isinstance(found, Header):
                self._note(found, hints)
            elif isinstance(found, Fault):
                yield positions.placed(found)
            else:
                for item in map(hints.hinted, judge(found)):
                    yield positions.placed(item) if isinstance(item, Fault) else item
        if not anything:
            yield _EMPTY

    def _judge(self, names: Names) -> Judge:
        return Judge(self.defaults, names, self.max_text_bytes, long_texts=self.long_texts)

    def _note(self, header: Header, hints: _Hints) -> None:
        self.understood.headers.append(header)
        hints.header = header


class _Hints:
    """Adds a hint to the first fault of a guessed column: how to ignore that column."""

    def __init__(self, options: SheetOptions) -> None:
        self.header: Header | None = None
        self._options = options
        self._given = set[str]()

    def hinted(self, item: Found) -> Found | Fault:
        if not isinstance(item, Fault) or self.header is None or item.field is None:
            return item
        field = item.field.partition(".")[0]
        known = self.header.guessed.get(field)
        if field in _CHOICES and field in self.header.fields:
            known = known or field
        if known is None or field == TEXT or field in self._given:
            return item
        self._given.add(field)
        aside = self._options.spelled("ignore-column", known)
        message = f"{item.message}; to ignore the column: {aside}"
        return item.model_copy(update={"message": message})


@dataclass(frozen=True, slots=True)
class Judged:
    rows: Spool
    faults: Sequence[Fault]
    """The first hundred."""
    total_faults: int
    whole: bool
    """Whether the input as a whole is faulty, so that none of its rows may be used."""
    markup: MarkupCount = field(default_factory=MarkupCount)
    """Texts with markup that may be read aloud."""
    understood: Understood = field(default_factory=Understood)

    def error(self, name: str) -> InvalidInputError:
        """Return the faults as an exception, for all-or-nothing callers."""
        return InvalidInputError(name, self.faults, self.total_faults)


def judge_all(
    source: Path | IO[bytes],
    *,
    kind: Kind | None = None,
    defaults: Defaults = _NO_DEFAULTS,
    max_text_bytes: int | None = None,
    options: SheetOptions = AS_IT_IS,
    skips: bool = False,
    long_texts: bool = False,
    prepare: Callable[[RowBlock | Row | Fault], Iterable[RowBlock | Row | Fault]] | None = None,
) -> Judged:
    """Read `source` into a spool of valid rows and a list of faults.

    Stops after 1,000 faults unless faulty rows are skipped (`skips`). `prepare` turns rows into what is spoken.
    """
    reading = _Reading(defaults, max_text_bytes, options, long_texts)
    rows, faults, total, whole, markup = Spool(), list[Fault](), 0, False, MarkupCount()
    found = reading.found(source, kind)
    if prepare is not None:
        found = (one for item in found for one in prepare(item))
    for item in found if skips else _bounded(found):
        if isinstance(item, RowBlock):
            rows.put_piece(item)
            markup.look(item.texts, item.lines)
            continue
        if isinstance(item, Row):
            rows.put(item)
            markup.look((item.request.text,), (item.line,))
            continue
        total += 1
        whole = whole or item.line is None or isinstance(item, WholeFault)
        if total <= SHOWN_FAULTS:
            faults.append(item)
    return Judged(rows, faults, total, whole, markup, reading.understood)


def read_all(
    source: Path | IO[bytes],
    *,
    name: str | None = None,
    kind: Kind | None = None,
    defaults: Defaults = _NO_DEFAULTS,
    max_text_bytes: int | None = None,
    options: SheetOptions = AS_IT_IS,
) -> list[Row]:
    """Return all rows of `source`; `name` is its name in errors. Raises InvalidInputError: the input has faults; the
    first hundred are kept.
    """
    judged = judge_all(source, kind=kind, defaults=defaults, max_text_bytes=max_text_bytes, options=options)
    if judged.faults:
        raise judged.error(name or (str(source) if isinstance(source, Path) else "input"))
    return list(judged.rows)


def _kind(source: Path | IO[bytes], head: bytes) -> Kind | Fault:
    # Pipes such as /dev/stdin or <(…) have no extension; regular files need one.
    if not isinstance(source, Path) or not (source.suffix or source.is_file()):
        return sniff(head)
    match by_name(source):
        case Kind.PLAIN:
            return of_text_file(head)
        case Kind.JSON:
            return of_json_file(head)
        case found:
            return found


def _faults_beside_text(judged: Iterator[Row | Fault]) -> Iterator[Fault]:
    return (item for item in judged if isinstance(item, Fault) and item.field != TEXT)
