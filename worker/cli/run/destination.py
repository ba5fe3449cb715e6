"""Where a run's audio goes: a folder of its own, or the store of the settings with copies in a folder. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api_models.formats import AudioFormat
from api_models.key_templates import FLAT_TEMPLATE
from worker.artifacts.keys import object_key
from worker.settings import Settings
from worker.store.views import JobRecord

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
