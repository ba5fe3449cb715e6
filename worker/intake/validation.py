"""Validates one record: a row, or all of its faults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from pydantic import ValidationError

from api_models.hints import quoted
from api_models.problems import Fault, faults_of
from api_models.speech import LONG_TEXTS, JobRequest
from worker.intake.block import Record
from worker.intake.custom_ids import Names
from worker.intake.fast_rows import FastRows
from worker.intake.header import FIELDS, TEXT
from worker.intake.row_defaults import merged, relevant
from worker.intake.unspoken import is_cell_error, unspoken

TAGS: Final = "tags"
_BETWEEN_TAGS: Final = re.compile(r"[\s,;]+")
"""Tags share one cell in a sheet."""


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    request: JobRequest
    """`custom_id` is always set: explicit, or the zero-padded line number."""
    extra: str | None = None
    """The row's extra columns, as JSON."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for fields that a row leaves empty."""

    model: str | None = None
    voice_1: str | None = None
    voice_2: str | None = None
    temperature: float | None = None
    format: str | None = None
    loudness: float | None = None
    sample_rate: int | str | None = None
    mp3_bitrate: int | str | None = None
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    track: str | None = None
    expires_after: int | str | None = None
    timings: str | None = None
    provenance: bool | None = None
    priority: int | None = None
    deadline: str | None = None
    lexicon: str | None = None
    clean: str | None = None
    tags: tuple[str, ...] | None = None


class Judge:
    def __init__(
        self, defaults: Defaults, names: Names, max_text_bytes: int | None, *, long_texts: bool = False
    ) -> None:
        """`max_text_bytes` is the operator's limit of a call in UTF-8 bytes; None uses the model's. With `long_texts`,
        texts may exceed it.
        """
        self.names = names
        self._context = {"max_text_bytes": max_text_bytes, LONG_TEXTS: long_texts}
        self.defaults: dict[str, object] = {
            field: value for field, value in asdict(defaults).items() if value is not None
        }
        self.default_faults = _faults_of_defaults(self.defaults)
        """Faults of the defaults. Faulty defaults are then dropped, or every row would repeat the fault."""
        for fault in self.default_faults:
            self.defaults.pop(str(fault.field).partition(".")[0], None)
        self.plainly = FastRows(self.defaults, self._context)

    def __call__(self, record: Record) -> Iterator[Row | Fault]:
        fields = {**relevant(self.defaults, own(record.fields))}
        text = fields.get(TEXT)
        wordless = unspoken(text) if isinstance(text, str) else None
        if wordless is not None:
            yield Fault(line=record.line, field=TEXT, message=wordless)
            fields[TEXT] = "a"  # what else is wrong with the row is said as well
        for broken in [name for name, value in fields.items() if name != TEXT and is_cell_error(value)]:
            message = (
                f"holds {quoted(fields.pop(broken))}, the error of a formula; correct the formula, or clear the cell"
            )
            yield Fault(line=record.line, field=broken, message=message)
            wordless = wordless or message
        given = fields.get("custom_id")
        if given is None:
            fields["custom_id"] = name = self.names.give(record.line)
            if isinstance(name, Fault):
                yield name
                fields["custom_id"] = None
        try:
            request = self.plainly.request(fields) or JobRequest.model_validate(
                merged(self.defaults, fields), context=self._context
            )
        except ValidationError as error:
            faults = faults_of(error, record.line, known=FIELDS)
            yield from faults
            usable = all(fault.field != "custom_id" for fault in faults)
            if given is not None and usable and (taken := self.names.claim(str(given), record.line)):
                yield taken
            return
        if given is not None and (taken := self.names.claim(str(request.custom_id), record.line)):
            yield taken
        elif request.custom_id is not None and wordless is None:
            yield Row(record.line, request, record.extra)


def own(fields: Mapping[str, object]) -> dict[str, object]:
    """Return a row's non-empty fields."""
    said = {
        field: value
        for field, value in fields.items()
        if field == TEXT or not (value is None or (isinstance(value, str) and (not value or value.isspace())))
    }
    if isinstance(tags := said.get(TAGS), str):
        said[TAGS] = tuple(filter(None, _BETWEEN_TAGS.split(tags)))
    return said


def _faults_of_defaults(defaults: dict[str, object]) -> list[Fault]:
    try:
        JobRequest.model_validate({TEXT: "a", **defaults})
    except ValidationError as error:
        return faults_of(error)
    return []
