"""Validates a submitted batch completely, then writes it in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from typing import IO, Any, Final
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from api_models.http_problems import Trouble
from api_models.jobs import JobIn
from api_models.key_templates import TemplateError, checked_template, columns_of
from api_models.problems import Fault, faults_of
from worker.gateway import entries, strict_json
from worker.gateway.entries import Origin
from worker.gateway.middleware.guard import ClientGoneError
from worker.gateway.parts import Gateway
from worker.gateway.problems import MAX_FAULTS, ProblemError, invalid
from worker.gateway.spoken import spoken
from worker.intake.kinds import Kind
from worker.intake.reader import read as read_rows
from worker.intake.sheet_options import AS_IT_IS, SheetOptions
from worker.intake.unspoken import MarkupCount
from worker.intake.validation import Defaults, Row
from worker.producer import documents
from worker.producer.documents import DocumentRows, Source
from worker.store import batches, outputs
from worker.store.access import idempotency
from worker.store.access.idempotency import IdempotentRequest
from worker.store.batches import BatchRecord
from worker.store.money import budgets
from worker.store.outbox import endpoints
from worker.store.transitions import actions
from worker.webhooks import signatures

MAX_COUNTED_FAULTS: Final = 1_000
"""Validation stops after this many: a fault takes a hundred times as long as a valid job."""
MAX_ROWS: Final = 200_000
"""Rows of one upload; all are held in memory until they are validated."""
ROWS_PER_STATEMENT: Final = 1_000

RowOf = Callable[["Line"], dict[str, Any]]
DocumentOf = Callable[["Line", dict[str, Any]], DocumentRows | None]
"""Returns the rows of a long text; None for a text of one call."""
IsGone = Callable[[], bool]
"""Whether the client has disconnected: then the work is of no use to anyone."""


@dataclass(frozen=True, slots=True)
class Sheet:
    kind: Kind
    defaults: Defaults
    options: SheetOptions = AS_IT_IS


@dataclass(frozen=True, slots=True)
class Batch:
    name: str
    callback_url: str | None
    max_cost: Decimal | None
    key_template: str | None = None
    """How objects are named; None uses the setting."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    batch_id: UUID
    jobs: int
    """Jobs written; 0 if the same request had been submitted before."""
    warnings: Sequence[str] = ()
    """Texts whose markup may be read aloud."""


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    job: JobIn
    extra: str | None = None
    """The row's other columns, as JSON."""


def validated(jobs: Sequence[dict[str, Any]], gateway: Gateway, is_gone: IsGone) -> list[Line]:
    """Validate the jobs of a JSON batch. Raises ProblemError with their errors, or ClientGoneError."""
    lines: list[Line] = []
    faults: list[Fault] = []
    names: dict[str, int] = {}
    for number, fields in enumerate(jobs):
        if is_gone():
            raise ClientGoneError
        found = _validated(fields, gateway)
        if isinstance(found, list):
            faults += [_placed(fault, number) for fault in found]
        else:
            faults += _faults_in_batch(found, number, names)
            lines.append(Line(number + 1, found))
        if len(faults) >= MAX_COUNTED_FAULTS:
            break
    if faults:
        raise invalid(faults[:MAX_FAULTS], len(faults))
    return lines


def prepared(lines: Sequence[Line], gateway: Gateway, tenant: str) -> Sequence[Line]:
    """Return jobs with their texts as they are spoken. Raises ProblemError with their errors."""
    if not any(line.job.is_to_be_prepared for line in lines):
        return lines
    jobs = spoken(gateway, tenant, [line.job for line in lines], lambda index: f"jobs.{index}.")
    return [replace(line, job=job) for line, job in zip(lines, jobs, strict=True)]


def _validated(fields: dict[str, Any], gateway: Gateway) -> JobIn | list[Fault]:
    if faults := strict_json.too_many_unknown(fields, JobIn.model_fields):
        return faults
    try:
        return JobIn.model_validate(fields, context=gateway.context)
    except ValidationError as error:
        return faults_of(error, known=JobIn.model_fields)


def _faults_in_batch(job: JobIn, number: int, names: dict[str, int]) -> Iterator[Fault]:
    if job.custom_id is not None and (first := names.setdefault(job.custom_id, number)) != number:
        message = f"is already used by jobs.{first}; use a unique one"
        yield Fault(field=f"jobs.{number}.custom_id", message=message)
    if job.receiver is not None:
        message = "applies to single jobs only; set it on the batch"
        yield Fault(field=f"jobs.{number}.{job.receiver_field}", message=message)


def read(content: IO[bytes], sheet: Sheet, gateway: Gateway, is_gone: IsGone) -> list[Line]:
    """Read the jobs of a sheet. Raises ProblemError with their errors, or ClientGoneError."""
    lines: list[Line] = []
    faults: list[Fault] = []
    total = 0
    for item in read_rows(
        content,
        kind=sheet.kind,
        defaults=sheet.defaults,
        max_text_bytes=gateway.settings.max_text_bytes,
        options=sheet.options,
        long_texts=True,
    ):
        if is_gone():
            raise ClientGoneError
        if isinstance(item, Row):
            if len(lines) >= MAX_ROWS:
                raise ProblemError(Trouble.TOO_LARGE, f"A sheet may have at most {MAX_ROWS:,} rows; split it.")
            job = JobIn.model_construct(**dict(item.request))
            lines.append(Line(item.line, job, item.extra))
            continue
        total += 1
        if total <= MAX_FAULTS:
            faults.append(item)
    if faults:
        raise invalid(faults, total)
    return lines


def warnings(lines: Sequence[Line], describe: Callable[[int], str | None] = lambda _: None) -> list[str]:
    """Return a sentence for each kind of markup in the texts."""
    count = MarkupCount()
    count.look([line.job.text for line in lines], [line.number for line in lines])
    return count.warnings(describe)


def item(number: int) -> str:
    """The position of a job in a JSON batch, as errors name it."""
    return f"jobs.{number - 1}"


def check_template(template: str | None, lines: Sequence[Line]) -> None:
    """Raise ProblemError if a template names a column that the sheet does not have."""
    if template is None or not columns_of(template):
        return
    columns = dict.fromkeys(name for line in lines if line.extra for name in json.loads(line.extra))
    try:
        checked_template(template, shared=True, columns=columns)
    except TemplateError as error:
        raise invalid([Fault(field="key_template", message=str(error))]) from None


def write(
    gateway: Gateway,
    lines: Sequence[Line],
    batch: Batch,
    origin: Origin,
    once: IdempotentRequest | None,
    *,
    also: Callable[[Connection, UUID], None] = lambda *_: None,
    source: Source | None = None,
) -> BatchResult:
    """Write all jobs, or none. Raises ProblemError if the Idempotency-Key belongs to another request.

    `also` writes in the same transaction what else belongs to the batch, by its id. With a `source`, every line is a
    document read from it.
    """
    lines = prepared(lines, gateway, origin.tenant)
    now = gateway.now()
    record = BatchRecord(uuid7(), origin.tenant, batch.name, None, len(lines), now)
    limit = gateway.settings.max_text_bytes

    def row_of(line: Line) -> dict[str, Any]:
        return entries.entry(line.job, origin, now=now, batch_id=record.id, line=line.number, extra=line.extra)

    def document_of(line: Line, row: dict[str, Any]) -> DocumentRows | None:
        is_document = source is not None or documents.is_long(line.job, limit)
        return entries.document(line.job, row, origin, limit, source=source) if is_document else None

    with gateway.database.begin() as connection:
        if once is not None and (known := idempotency.claim(connection, [(once, None, record.id)], now=now)[0]):
            if known.request.body_hash != once.body_hash or known.batch_id is None:
                raise ProblemError(Trouble.KEY_REUSED, "This key belongs to another request; use a new key.")
            return BatchResult(known.batch_id, 0)
        batches.add(connection, record, resume_key=None)
        batches.announce(connection, record.id, callback_url=batch.callback_url)
        if batch.key_template is not None:
            outputs.name_keys(connection, record.id, batch.key_template)
        if batch.max_cost is not None:
            budgets.limit_batch(connection, record.id, batch.max_cost)
        if batch.callback_url is not None:
            endpoints.callbacks(connection, origin.tenant, fresh_secret=signatures.new_secret(), now=now)
        also(connection, record.id)
        rest = iter(lines)
        while page := list(islice(rest, ROWS_PER_STATEMENT)):
            _write_page(connection, page, row_of, document_of)
    return BatchResult(record.id, len(lines))


def _write_page(connection: Connection, page: Sequence[Line], row_of: RowOf, document_of: DocumentOf) -> None:
    long_texts: list[DocumentRows] = []

    def rows() -> Iterator[dict[str, Any]]:
        for line in page:
            row = row_of(line)
            if (found := document_of(line, row)) is None:
                yield row
            else:
                long_texts.append(found)

    actions.submit(connection, rows())
    documents.submit(connection, long_texts)


def _placed(fault: Fault, number: int) -> Fault:
    return fault.model_copy(update={"field": f"jobs.{number}.{fault.field}" if fault.field else f"jobs.{number}"})
