"""Rows stored as columns, because most values repeat from row to row."""

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
    """Consecutive rows. All columns have the same length."""

    lines: Sequence[int]
    names: Sequence[str | None]
    texts: Sequence[str]
    column_block: Sequence[JobRequest]
    """For each row, a request equal in all but text and name; equal rows share one object."""
    extras: Sequence[str | None] | None = None
    """Extra columns of each row as JSON; None if no row has any."""

    def __len__(self) -> int:
        return len(self.lines)

    def part(self, start: int, end: int) -> RowBlock:
        extras = None if self.extras is None else self.extras[start:end]
        own = (self.lines[start:end], self.names[start:end], self.texts[start:end], self.column_block[start:end])
        return RowBlock(*own, extras)

    def each(self, make: Callable[[JobRequest], Made]) -> list[Made]:
        """Apply `make` to each row's shared request; called once per distinct request."""
        keys = list(map(id, self.column_block))
        found = {key: make(like) for key, like in dict(zip(keys, self.column_block, strict=True)).items()}
        return [found[key] for key in keys]

    def rows(self) -> Iterator[Row]:
        extras = self.extras or [None] * len(self)
        for line, name, text, like, extra in zip(
            self.lines, self.names, self.texts, self.column_block, extras, strict=True
        ):
            yield Row(line, made({**like.__dict__, "text": text, "custom_id": name}, like.model_fields_set), extra)


def block_of(rows: Sequence[Row]) -> RowBlock:
    requests = [row.request for row in rows]
    return RowBlock(
        [row.line for row in rows],
        [request.custom_id for request in requests],
        [request.text for request in requests],
        requests,
        [row.extra for row in rows] if any(row.extra for row in rows) else None,
    )
