"""Options shared by `ttsq run`, `quote`, `batch diff` and `schedule add`."""

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

SHORT_SECONDS: Final = 3_600
"""A shorter retention is probably a mistake: results may be gone before they are fetched."""


def retention(value: str | None) -> str | None:
    """Require a unit, and warn of a short span. An impossible span is reported with the other defaults.

    Raises:
        BadOptionError
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


class OnInvalid(StrEnum):
    """How to treat an input with faulty rows."""

    REJECT = "reject"
    """Queue nothing."""
    SKIP = "skip"
    """Queue the valid rows."""


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="CSV, TSV, .xlsx, JSON, JSONL or plain text, one job per line; - reads standard input."
    ),
]
Sheet = Annotated[
    list[str] | None,
    typer.Option("--sheet", metavar="NAME", help="Worksheet of an .xlsx to read; repeatable."),
]
AllSheets = Annotated[bool, typer.Option("--all-sheets", help="Read every visible worksheet of an .xlsx.")]
TextColumn = Annotated[
    str | None, typer.Option("--text-column", metavar="NAME", help="Column with the texts, if not `text`.")
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id-column", metavar="NAME", help="Column to name files by, if not `custom_id`."),
]
IgnoreColumn = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore-column",
        metavar="NAME",
        help="Column to copy to manifest.csv only; repeatable.",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Encoding of the file if not UTF-8, such as cp1252 or mac-roman."),
]
Model = Annotated[str | None, typer.Option(help="Default model.")]
Voice = Annotated[str | None, typer.Option(help="Default voice; `ttsq voices` lists them.")]
Voice2 = Annotated[str | None, typer.Option("--voice-2", help="Default voice of the second speaker.")]
Temperature = Annotated[float | None, typer.Option(help="Default expressiveness, 0 to 2.")]
Format = Annotated[str | None, typer.Option("--format", help="Default format: wav, flac, mp3 or opus.")]
Loudness = Annotated[
    float | None,
    typer.Option(metavar="LUFS", help="Default loudness, such as -16."),
]
KeyTemplate = Annotated[
    str | None,
    typer.Option(
        metavar="TEMPLATE",
        help="File names, such as {line:04}-{text:40}.{ext}; {NAME} is a column of the sheet.",
    ),
]
ExpiresAfter = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Delete text and audio this long after a job finishes, such as 30d.",
        callback=retention,
    ),
]
Priority = Annotated[int | None, typer.Option(help="Default priority, -100 to 100; higher starts earlier.")]
Deadline = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Default time after which a job is not started, such as 2026-12-01T08:00:00Z."),
]
Tag = Annotated[list[str] | None, typer.Option(help="Default tag; repeatable.")]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder for the audio.", show_default="audio/<name of FILE>")
]
Resume = Annotated[
    bool, typer.Option("--resume/--fresh", help="Resume the same command's earlier run, or buy everything again.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that ttsq did not create or that have changed.")
]
MaxCost = Annotated[
    str | None,
    typer.Option(metavar="DOLLARS", help="Budget in US dollars; jobs beyond it are held."),
]
