"""Rows as they are spoken: prepared after they were judged, before they are stored, priced or queued."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from api_models.problems import Fault
from worker.intake.fast_rows import made
from worker.intake.row_block import RowBlock
from worker.intake.validation import Row

if TYPE_CHECKING:
    from worker.text.lexicon.lexicon import Lexicon
    from worker.text.preparation import Preparation, Prepared

_wanted: Final = attrgetter("is_to_be_prepared")


@dataclass(slots=True)
class RowPreparation:
    """Prepares the rows of one input, and counts what it changed. Rows that want nothing cost and import nothing."""

    find_lexicon: Callable[[str], Lexicon]
    max_text_bytes: int | None
    texts: int = 0
    """Rows to which a rule of a lexicon applies."""
    hits: int = 0
    """Places where rules of a lexicon apply."""
    labels: set[str] = field(default_factory=set)
    """The lexicons that were applied."""
    unapplied: Counter[str] = field(default_factory=Counter)
    """Markup without effect, by its name."""
    cleaned: int = 0
    """Rows whose markup was taken out."""
    _prepare: Preparation | None = None

    def __call__(self, item: RowBlock | Row | Fault) -> Iterator[RowBlock | Row | Fault]:
        if isinstance(item, Row) and _wanted(item.request):
            yield self._row(item)
        elif isinstance(item, RowBlock) and any(item.each(_wanted)):
            yield from map(self._row, item.rows())
        else:
            yield item

    def _row(self, row: Row) -> Row | Fault:
        from worker.text.errors import TextError  # noqa: PLC0415 - most inputs need none of it

        request = row.request
        if not _wanted(request):
            return row
        try:
            found = self._preparation()(request.text, request)
        except TextError as error:
            return Fault(line=row.line, field=error.field, message=error.described())
        self._count(found)
        values = {"text": found.text, "lexicon": found.lexicon, "wording": found.wording}
        return replace(row, request=made(request.__dict__ | values, request.model_fields_set))

    def _preparation(self) -> Preparation:
        if self._prepare is None:
            from worker.text.preparation import Preparation  # noqa: PLC0415 - most inputs need none of it

            self._prepare = Preparation(self.find_lexicon, self.max_text_bytes)
        return self._prepare

    def _count(self, found: Prepared) -> None:
        self.texts += found.hits > 0
        self.cleaned += found.is_cleaned
        self.unapplied.update(found.unapplied)
        self.hits += found.hits
        if found.lexicon:
            self.labels.add(found.lexicon)
