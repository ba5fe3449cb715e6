"""Rows that stand one after the other, as columns: a sheet's rows are alike in most of what they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from api_models.speech import JobRequest
from worker.intake.fast_rows import made
from worker.intake.validation import Row

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Some rows in their order. All columns are of one length."""

    lines: Sequence[int]
    names: Sequence[str | None]
    texts: Sequence[str]
    column_block: Sequence[JobRequest]
    """For each row a request that is like its own in all but text and name: one object for all that are alike."""
    extras: Sequence[str | None] | None = None
    """What each row holds beside its fields, as JSON; None where no row holds anything."""

    def __len__(self) -> int:
        return len(self.lines)

    def each(self, make: Callable[[JobRequest], Made]) -> list[Made]:
        """For each row what `make` makes of the request that it is like; asked once for all that are alike."""
        keys = list(map(id, self.column_block))
        found = {key: make(like) for key, like in dict(zip(keys, self.column_block, strict=True)).items()}
        return [found[key] for key in keys]

    def rows(self) -> Iterator[Row]:
        """The same, a row at a time."""
        extras = self.extras or [None] * len(self)
        for line, name, text, like, extra in zip(
            self.lines, self.names, self.texts, self.column_block, extras, strict=True
        ):
            yield Row(line, made({**like.__dict__, "text": text, "custom_id": name}, like.model_fields_set), extra)


def block_of(rows: Sequence[Row]) -> RowBlock:
    """The rows as columns."""
    requests = [row.request for row in rows]
    return RowBlock(
        [row.line for row in rows],
        [request.custom_id for request in requests],
        [request.text for request in requests],
        requests,
        [row.extra for row in rows] if any(row.extra for row in rows) else None,
    )
