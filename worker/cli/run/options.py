"""Options shared by `ttsq run`, `quote`, `batch diff` and `schedule add`, besides those of `row_options`."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic_core import PydanticCustomError

from api_models.values import span
from worker.cli.console.errors import BadOptionError
from worker.cli.console.format import duration
from worker.cli.console.terminal import Terminal
from worker.documents.stored_plan import Sidecar

SHORT_SECONDS: Final = 3_600
"""A shorter retention is probably a mistake: results may be gone before they are fetched."""


def retention(value: str | None) -> str | None:
    """Require a unit, and warn of a short span. An impossible span is reported with the other defaults. Raises
    BadOptionError.
    """
    if value is None:
        return None
    bare = value.strip()
    if bare.replace(".", "", 1).isdigit():
        raise BadOptionError("--expires-after", value, "has no unit", f"write {bare}d for days, or {bare}s, m, h or w")
    with suppress(PydanticCustomError):
        seconds = span(bare)
        if seconds is not None and seconds < SHORT_SECONDS:
            Terminal().warn(f"texts and audio will be deleted {duration(seconds)} after each job finishes", "yellow")
    return value


OUTPUT = "Output and cost"


class OnInvalid(StrEnum):
    """How to treat an input with faulty rows."""

    REJECT = "reject"
    """Queue nothing."""
    SKIP = "skip"
    """Queue the valid rows."""


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="CSV, TSV, .xlsx, .ods, JSON, JSONL or plain text, one job per line; or a document; - reads stdin.",
    ),
]
KeyTemplate = Annotated[
    str | None,
    typer.Option(
        metavar="TEMPLATE",
        help="File names, such as {line:04}-{text:40}.{ext}; {NAME} is a column of the sheet.",
        rich_help_panel=OUTPUT,
    ),
]
InvalidRows = Annotated[
    OnInvalid,
    typer.Option("--on-invalid", help="For an input with errors: queue nothing, or skip the faulty rows."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for the audio, or the recording of a document, such as book.mp3.",
        show_default="audio/<name of FILE>",
        rich_help_panel=OUTPUT,
    ),
]
DOCUMENT = "Documents"
Preset = Annotated[
    str,
    typer.Option(
        help="Loudness of the recording: none, podcast, broadcast, audiobook-acx (MP3).",
        show_default="none",
        rich_help_panel=DOCUMENT,
    ),
]
Captions = Annotated[
    list[Sidecar] | None,
    typer.Option("--captions", help="Also write captions or chapters; repeatable.", rich_help_panel=DOCUMENT),
]
CastName = Annotated[
    str,
    typer.Option(
        "--cast",
        metavar="FILE|NAME",
        help="Voices of a script's speakers: a file, or a name with an optional @VERSION.",
        rich_help_panel=DOCUMENT,
    ),
]
Stems = Annotated[
    bool,
    typer.Option("--stems", help="Also write one track for each speaker of a script.", rich_help_panel=DOCUMENT),
]
Gaps = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND=SECONDS",
        help="Pause after a kind of place, such as paragraph=0.7; repeatable.",
        rich_help_panel=DOCUMENT,
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume/--fresh", help="Resume the same command's earlier run, or buy everything again.")
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace files that ttsq did not create or that have changed.", rich_help_panel=OUTPUT
    ),
]
MaxCost = Annotated[
    str | None,
    typer.Option(metavar="DOLLARS", help="Budget in US dollars; jobs beyond it are held.", rich_help_panel=OUTPUT),
]
