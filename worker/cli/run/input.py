"""The input of `ttsq run`: read and judged, and the batch that it resumes. Stores nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final
from uuid import UUID

from api_models.encodings import TAG_FIELDS
from api_models.key_templates import FIELDS as TEMPLATE_FIELDS
from api_models.key_templates import TemplateError, checked_template, columns_of
from api_models.problems import Fault, InvalidInputError
from worker import producer
from worker.cli.console.errors import CliError
from worker.cli.console.terminal import Terminal
from worker.cli.run.document import is_document, is_script, read_document
from worker.cli.run.lexicons import described, with_lexicons
from worker.cli.run.order import Order
from worker.cli.run.row_options import option_faults
from worker.cli.run.understanding import notes, warnings
from worker.intake.preparing import RowPreparation
from worker.intake.reader import Judged, judge_all
from worker.intake.row_defaults import may_have_tags
from worker.intake.sheet_options import SHEET
from worker.intake.validation import Row
from worker.producer import DEFAULT_TENANT
from worker.producer.documents import PLAIN, Source
from worker.settings import Settings
from worker.store import batches
from worker.store.database import Database

SHOWN_FAULTS: Final = 20
"""Skipped rows that are printed; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Input:
    rows: Collection[Row]
    origin: str
    output_url: str | None
    resume: bool
    key_template: str | None = None
    key: str | None = None
    """Resume key; None until `with_batch`."""
    batch: UUID | None = None
    """The batch that the command resumes."""
    lost: frozenset[UUID] = frozenset()
    """Finished jobs whose missing audio is bought again."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Documents by the names of their rows."""
    again: bool = True
    """Whether texts whose paid takes were refused are bought again."""


def read_order(order: Order, settings: Settings, terminal: Terminal) -> tuple[Order, Judged]:
    """Read the input: a sheet, or one document. Returns the order with what the input added. Raises InvalidInputError,
    CliError.
    """
    order, prepare = with_lexicons(order, settings)
    if is_document(order):
        if is_script(order):
            from worker.cli.run.script import read_script_order  # noqa: PLC0415 - few inputs have speakers

            return read_script_order(order, settings, terminal, prepare)
        return read_document(order, settings, terminal, prepare)
    if order.style != PLAIN:
        message = "--preset, --captions and --gap apply to a document that becomes one recording"
        raise CliError(message, "name the recording, such as --out book.mp3")
    check_template(order, settings)
    judged = read(order, settings, terminal, prepare)
    for said in described(prepare):
        terminal.note(said, style="dim")
    return with_fields(order, judged), judged


def with_batch(database: Database | None, wanted: Input) -> Input:
    """Add the batch that the same command would resume."""
    if database is None or not wanted.resume:
        return wanted
    key = producer.resume_key(
        wanted.rows, origin=wanted.origin, output_url=wanted.output_url, key_template=wanted.key_template
    )
    with database.read() as connection:
        found = batches.by_resume_key(connection, DEFAULT_TENANT, key)
    return replace(wanted, key=key, batch=None if found is None else found.id)


def check_template(order: Order, settings: Settings) -> None:
    """Check the key template before anything is queued. Raises InvalidInputError: two rows could get one name."""
    if order.key_template is not None:
        _check_template(order.key_template, settings, None)


def check_columns(order: Order, settings: Settings, judged: Judged) -> None:
    """Check that every sheet has the columns that the template names. Raises InvalidInputError."""
    order = with_fields(order, judged)
    if order.key_template is None:
        return
    headers = judged.understood.headers
    columns = [[label for _, label in header.carried()] for header in headers] or [[]]
    for carried in columns:
        _check_template(order.key_template, settings, [SHEET, *carried] if len(headers) > 1 else carried)


def check_tags(order: Order, judged: Judged) -> None:
    """Check that there may be MP3s where tags of MP3s were given. Raises InvalidInputError."""
    defaults = {name: value for name, value in asdict(order.defaults).items() if value is not None}
    given = [name for name in TAG_FIELDS if name in defaults]
    chosen = {field for header in judged.understood.headers for field in header.known()}
    if given and not may_have_tags(defaults, {}) and chosen.isdisjoint({"format", "mp3_bitrate"}):
        fault = Fault(field=f"--{given[0]}", message="applies to MP3s only; add --format mp3")
        raise InvalidInputError("the command", [fault])


def with_fields(order: Order, judged: Judged) -> Order:
    """Replace columns in the key template by the fields that they were read as: `{Voice}` by `{voice_1}`."""
    template = order.key_template
    if template is None:
        return order
    for name in columns_of(template):
        meant = {field for header in judged.understood.headers for field in [header.field_of(name)]}
        field = next(iter(meant)) if len(meant) == 1 else None
        if field in TEMPLATE_FIELDS:
            template = re.sub(rf"\{{{re.escape(name)}(?=[:}}])", f"{{{field}", template)
    return replace(order, key_template=template)


def _check_template(template: str, settings: Settings, columns: Sequence[str] | None) -> None:
    try:
        checked_template(template, shared=settings.artifacts_url is not None, columns=columns)
    except TemplateError as error:
        fault = Fault(field="--key-template", message=f"{template} {error}")
        raise InvalidInputError("the command", [fault]) from None


def read(order: Order, settings: Settings, terminal: Terminal, prepare: RowPreparation) -> Judged:
    """Read and validate the input; print skipped rows, notes and warnings. Raises InvalidInputError: with every error,
    unless faulty rows are skipped and valid ones remain.
    """
    if order.source is None and sys.stdin.isatty():
        terminal.note("Reading texts from the terminal, one per line; end with Ctrl-D.", style="dim")
    judged = judge_all(
        sys.stdin.buffer if order.source is None else order.source,
        defaults=order.defaults,
        max_text_bytes=settings.max_text_bytes,
        options=order.sheet,
        skips=order.skip_invalid,
        long_texts=True,
        prepare=prepare,
    )
    if judged.faults:
        if judged.whole or not judged.rows or not order.skip_invalid:
            name = order.title if order.source is None else order.typed
            raise InvalidInputError(name, option_faults(judged.faults), judged.total_faults)
        _print_skipped(judged, terminal)
    check_columns(order, settings, judged)
    check_tags(order, judged)
    for note in notes(judged, order.sheet):
        terminal.note(note, style="dim")
    for warning in warnings(judged):
        terminal.note(warning, style="yellow")
    return judged


def _print_skipped(judged: Judged, terminal: Terminal) -> None:
    for fault in judged.faults[:SHOWN_FAULTS]:
        terminal.warn(f"  skipped: {fault}", style="yellow")
    if more := judged.total_faults - len(judged.faults[:SHOWN_FAULTS]):
        terminal.warn(f"  and {more:,} more", style="yellow")
