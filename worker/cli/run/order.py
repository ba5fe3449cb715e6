"""The command line of `ttsq run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from api_models.formats import AudioFormat
from api_models.key_templates import FLAT_TEMPLATE
from worker.artifacts.keys import object_key
from worker.documents.stored_plan import JoinStyle
from worker.intake.sheet_options import AS_IT_IS, SheetOptions
from worker.intake.validation import Defaults
from worker.producer.documents import PLAIN, Source
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


STDIN: Final = "-"
STDIN_STEM: Final = "stdin"


@dataclass(frozen=True, slots=True)
class Order:
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
    style: JoinStyle = PLAIN
    """How the parts of a document are joined."""
    cast: str = ""
    """The cast of a script: a file, or a name with an optional version."""
    recording: Path | None = None
    """The file that --out named, for a document."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Documents by the names of their rows."""

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
