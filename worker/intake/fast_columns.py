"""The fast path for sheets: validates many regular rows at once, column by column; other rows go to the judge.

A row then costs a few checks of text and name instead of a dozen objects. The fast path accepts nothing that the
judge would reject or change, and rejects without side effects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from api_models.encodings import TAG_FIELDS
from api_models.problems import Fault
from worker.intake.block import Block
from worker.intake.fast_rows import MAX_KINDS, Kind, are_plain_names, are_speakable
from worker.intake.header import TEXT
from worker.intake.row_block import RowBlock
from worker.intake.row_defaults import may_have_tags, relevant
from worker.intake.unspoken import any_unspoken
from worker.intake.validation import Judge, Row, own

NAME: Final = "custom_id"
_CHOICES: Final = frozenset({"format", "mp3_bitrate"})
"""Columns by which single rows become MP3s, whose tags count."""
FEW_ROWS: Final = 16
"""Blocks of up to this size are not halved any further."""

_Cells = tuple[str, ...]


class Columns:
    """Validates the blocks of one sheet, in order."""

    def __init__(self, judge: Judge) -> None:
        """`judge` holds the names of all rows and validates the irregular ones."""
        self._judge = judge
        self._kinds: dict[_Cells, Kind] = {}

    def __call__(self, block: Block) -> Iterator[RowBlock | Row | Fault]:
        if piece := self._regular(block):
            yield piece
        elif len(block.rows) > FEW_ROWS:
            for half in block.halves():
                yield from self(half)
        else:
            for record in block.records():
                if isinstance(record, Fault):
                    yield record
                else:
                    yield from self._judge(record)

    def _regular(self, block: Block) -> RowBlock | None:
        columns = block.columns()
        if columns is None or TEXT not in columns:
            return None
        texts, names = columns.pop(TEXT), columns.pop(NAME, None)
        if not _CHOICES.intersection(columns) and not may_have_tags(self._judge.defaults, {}):
            columns = {name: cells for name, cells in columns.items() if name not in TAG_FIELDS}
        kinds = self._known(columns, len(block.rows))
        if kinds is None or not are_speakable(texts, min(kind.limit for kind in set(kinds))) or any_unspoken(texts):
            return None
        given = self._named(names, block.lines)
        if given is None:
            return None
        return RowBlock(block.lines, given, texts, [kind.like for kind in kinds], block.extras())

    def _named(self, names: Sequence[str] | None, lines: Sequence[int]) -> Sequence[str] | None:
        if names is None or not any(names):
            return self._judge.names.give_all(lines)
        return names if are_plain_names(names) and self._judge.names.claim_all(names, lines) else None

    def _known(self, columns: dict[str, Sequence[str]], count: int) -> list[Kind] | None:
        """Return the kind of each row, or None unless all are valid."""
        rows: list[_Cells] = list(zip(*columns.values(), strict=True)) if columns else [()] * count
        for cells in set(rows).difference(self._kinds):
            fields = own(dict(zip(columns, map(str.strip, cells), strict=True)))
            kind = self._judge.plainly.kind(relevant(self._judge.defaults, fields))
            if kind is None or len(self._kinds) >= MAX_KINDS:
                return None
            self._kinds[cells] = kind
        return [self._kinds[cells] for cells in rows]
