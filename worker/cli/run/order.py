"""The command line of `ttsq run`, and the rows of its input."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from api_models.encodings import TAG_FIELDS
from api_models.formats import AudioFormat
from api_models.key_templates import FIELDS as TEMPLATE_FIELDS
from api_models.key_templates import FLAT_TEMPLATE, TemplateError, checked_template, columns_of
from api_models.problems import Fault, InvalidInputError
from worker.artifacts.keys import object_key
from worker.cli.console.terminal import Terminal
from worker.cli.run.row_options import option_faults
from worker.cli.run.understanding import notes, warnings
from worker.intake.reader import Judged, judge_all
from worker.intake.row_defaults import may_have_tags
from worker.intake.sheet_options import AS_IT_IS, SHEET, SheetOptions
from worker.intake.validation import Defaults
from worker.settings import Settings
from worker.store.queries.jobs import JobRecord

DEFAULT_FOLDER: Final = Path("audio")
REHEARSAL_SUFFIX: Final = "-rehearsal"
"""Keeps the emulator's audio out of the folder of real speech."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the audio goes; `output_url` and `copies` are never both set."""

    shown: str
    """The place as printed."""
    output_url: str | None
    """The batch's folder; None stores the audio in TTSQ_ARTIFACTS_URL."""
    copies: Path | None
    """Folder that receives a copy of every object of that store."""


def choose(settings: Settings, out: Path | None, *, stem: str, rehearsal: bool) -> Destination:
    """Choose the destination of a run whose input is called `stem`."""
    if settings.artifacts_url is not None:
        return Destination(str(out or settings.artifacts_url), None, out)
    folder = out or DEFAULT_FOLDER / (stem + (REHEARSAL_SUFFIX if rehearsal else ""))
    # Resolved, so that another name of the same folder resumes the same run.
    return Destination(str(folder), folder.resolve().as_uri(), None)


def file_name(job: JobRecord) -> str:
    """Return the name of a job's audio in a flat folder, as the store names it."""
    return object_key(
        FLAT_TEMPLATE,
        tenant=job.tenant,
        batch=str(job.batch_id),
        custom_id=job.custom_id,
        job=str(job.id),
        model=job.model,
        ext=AudioFormat(job.audio_format or AudioFormat.WAV).extension,
    )


SHOWN_FAULTS: Final = 20
"""Skipped rows that are printed; the rest are counted."""
STDIN: Final = "-"
STDIN_STEM: Final = "stdin"


@dataclass(frozen=True, slots=True)
class Order:
    """The parsed command line."""

    source: Path | None
    """None reads standard input."""
    defaults: Defaults
    out: Path | None
    resume: bool
    sheet: SheetOptions = AS_IT_IS
    key_template: str | None = None
    """None: as in the settings, or flat in the batch's folder."""
    skip_invalid: bool = False
    """Whether valid rows are queued although others are faulty."""
    rehearse: bool = False
    missing: bool = False
    """Whether missing audio is bought again."""
    overwrite: bool = False
    """Whether files that ttsq did not create may be replaced."""
    max_cost: Decimal | None = None
    """US dollars; None keeps the current budget."""
    ask: bool = True
    """Whether to ask for confirmation on a terminal."""

    @property
    def title(self) -> str:
        return "standard input" if self.source is None else self.source.name

    @property
    def stem(self) -> str:
        """Names the default folder, which is never a hidden one, nor one above."""
        return STDIN_STEM if self.source is None else self.source.stem.lstrip(".") or STDIN_STEM

    @property
    def typed(self) -> str:
        return STDIN if self.source is None else str(self.source)


def check_template(order: Order, settings: Settings) -> None:
    """Check the key template before anything is queued.

    Raises:
        InvalidInputError: two rows could get one name.
    """
    if order.key_template is not None:
        _check_template(order.key_template, settings, None)


def check_columns(order: Order, settings: Settings, judged: Judged) -> None:
    """Check that every sheet has the columns that the template names.

    Raises:
        InvalidInputError
    """
    order = with_fields(order, judged)
    if order.key_template is None:
        return
    headers = judged.understood.headers
    columns = [[label for _, label in header.carried()] for header in headers] or [[]]
    for carried in columns:
        _check_template(order.key_template, settings, [SHEET, *carried] if len(headers) > 1 else carried)


def check_tags(order: Order, judged: Judged) -> None:
    """Check that there may be MP3s where tags of MP3s were given.

    Raises:
        InvalidInputError
    """
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


def read(order: Order, settings: Settings, terminal: Terminal) -> Judged:
    """Read and validate the input; print skipped rows, notes and warnings.

    Raises:
        InvalidInputError: with every error, unless faulty rows are skipped and valid ones remain.
    """
    if order.source is None and sys.stdin.isatty():
        terminal.note("Reading texts from the terminal, one per line; end with Ctrl-D.", style="dim")
    judged = judge_all(
        sys.stdin.buffer if order.source is None else order.source,
        defaults=order.defaults,
        max_text_bytes=settings.max_text_bytes,
        options=order.sheet,
        skips=order.skip_invalid,
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
