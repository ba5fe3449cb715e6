"""What was asked of `ttsq run` at the terminal, and the rows that it names."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from api_models.formats import AudioFormat
from api_models.key_templates import FLAT_TEMPLATE, TemplateError, checked_template
from api_models.problems import Fault, InvalidInputError
from worker.artifacts.keys import object_key
from worker.cli.console.terminal import Terminal
from worker.cli.run.understanding import notes, warnings
from worker.intake.reader import Judged, judge_all
from worker.intake.sheet_options import AS_IT_IS, SheetOptions
from worker.intake.validation import Defaults
from worker.intake.workbooks import SHEET
from worker.settings import Settings
from worker.store.queries.jobs import JobRecord

DEFAULT_FOLDER: Final = Path("audio")
REHEARSAL_SUFFIX: Final = "-rehearsal"
"""Keeps the emulator's tones out of the folder that real speech belongs in."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One of the three ways; `output_url` and `copies` are never both set."""

    shown: str
    """What people call the place."""
    output_url: str | None
    """The batch's own folder; None sends the audio to the store of the settings."""
    copies: Path | None
    """The folder that gets a copy of every object in that store."""


def choose(settings: Settings, out: Path | None, *, stem: str, rehearsal: bool) -> Destination:
    """The destination of a run whose input is called `stem`."""
    if settings.artifacts_url is not None:
        return Destination(str(out or settings.artifacts_url), None, out)
    folder = out or DEFAULT_FOLDER / (stem + (REHEARSAL_SUFFIX if rehearsal else ""))
    # Resolved, so that the same folder under another name is the same destination and the run is taken up again.
    return Destination(str(folder), folder.resolve().as_uri(), None)


def file_name(job: JobRecord) -> str:
    """What a job's audio is called in a folder of its own; the rule of the store itself."""
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
"""Of rows that are skipped; the others are counted."""
STDIN: Final = "-"
STDIN_STEM: Final = "stdin"


@dataclass(frozen=True, slots=True)
class Order:
    """The command line, understood."""

    source: Path | None
    """None is standard input."""
    defaults: Defaults
    out: Path | None
    resume: bool
    sheet: SheetOptions = AS_IT_IS
    """How the input is to be read."""
    key_template: str | None = None
    """How its objects are named; None: as the settings have it, or flat in a folder of its own."""
    skip_invalid: bool = False
    """Whether the sound rows of an input are spoken that has faulty ones."""
    rehearse: bool = False
    missing: bool = False
    """Whether audio that was bought and is gone is bought again."""
    overwrite: bool = False
    """Whether files that ttsq didn't make may be replaced."""
    max_cost: Decimal | None = None
    """US dollars; None leaves a limit as it is."""
    ask: bool = True
    """Whether a person at the terminal is asked before anything is bought."""

    @property
    def title(self) -> str:
        """What people call the input."""
        return "standard input" if self.source is None else self.source.name

    @property
    def stem(self) -> str:
        """What its folder is called."""
        return STDIN_STEM if self.source is None else self.source.stem

    @property
    def typed(self) -> str:
        """The input as it stands in the command."""
        return STDIN if self.source is None else str(self.source)


def check_template(order: Order, settings: Settings) -> None:
    """Find out before anything is stored whether two lines could get one name.

    Raises:
        InvalidInputError: with what is wrong.
    """
    if order.key_template is not None:
        _check_template(order.key_template, settings, None)


def check_columns(order: Order, settings: Settings, judged: Judged) -> None:
    """Find out likewise whether every sheet has the columns that the template names.

    Raises:
        InvalidInputError: with the first that is missing.
    """
    if order.key_template is None:
        return
    headers = judged.understood.headers
    columns = [[label for _, label in header.carried()] for header in headers] or [[]]
    for carried in columns:
        _check_template(order.key_template, settings, [SHEET, *carried] if len(headers) > 1 else carried)


def _check_template(template: str, settings: Settings, columns: Sequence[str] | None) -> None:
    try:
        checked_template(template, shared=settings.artifacts_url is not None, columns=columns)
    except TemplateError as error:
        fault = Fault(field="--key-template", message=f"{template} {error}")
        raise InvalidInputError("the command", [fault]) from None


def read(order: Order, settings: Settings, terminal: Terminal) -> Judged:
    """The rows of the input, and what was skipped; that is told at once.

    Raises:
        InvalidInputError: with every fault there is, where nothing is to be skipped, or nothing is left.
    """
    if order.source is None and sys.stdin.isatty():
        terminal.note("Reading texts from the terminal, one a line; Ctrl-D ends them.", style="dim")
    judged = judge_all(
        sys.stdin.buffer if order.source is None else order.source,
        defaults=order.defaults,
        max_text_bytes=settings.max_text_bytes,
        options=order.sheet,
        skips=order.skip_invalid,
    )
    if judged.faults:
        if judged.whole or not judged.rows or not order.skip_invalid:
            raise judged.error(order.title if order.source is None else order.typed)
        _tell_skipped(judged, terminal)
    check_columns(order, settings, judged)
    for note in notes(judged, order.sheet):
        terminal.note(note, style="dim")
    for warning in warnings(judged):
        terminal.note(warning, style="yellow")
    return judged


def _tell_skipped(judged: Judged, terminal: Terminal) -> None:
    for fault in judged.faults[:SHOWN_FAULTS]:
        terminal.warn(f"  skipped: {fault}", style="yellow")
    if more := judged.total_faults - len(judged.faults[:SHOWN_FAULTS]):
        terminal.warn(f"  and {more:,} more", style="yellow")
