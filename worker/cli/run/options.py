"""The options that say what is to be spoken and where the audio goes: those of `ttsq run`, and of `ttsq quote`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class OnInvalid(StrEnum):
    """What becomes of an input with faulty rows."""

    REJECT = "reject"
    """Nothing of it is taken."""
    SKIP = "skip"
    """The sound rows are."""


File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="CSV, TSV, JSONL, .xlsx or plain text, one job a line; - is standard input."),
]
Model = Annotated[str | None, typer.Option(help="The model of rows that name none.")]
Voice = Annotated[str | None, typer.Option(help="The voice of rows that name none. `ttsq voices` lists them.")]
Voice2 = Annotated[str | None, typer.Option("--voice-2", help="The second speaker's voice.")]
Temperature = Annotated[float | None, typer.Option(help="Expressiveness, 0 to 2.")]
Format = Annotated[
    str | None, typer.Option("--format", help="wav (the default), flac, mp3 or opus, for rows that name none.")
]
Loudness = Annotated[
    float | None,
    typer.Option(metavar="LUFS", help="How loud each file is to be, such as -16, for rows that don't say."),
]
KeyTemplate = Annotated[
    str | None,
    typer.Option(metavar="TEMPLATE", help="How the files are named, such as {model}/{custom_id}.{ext}."),
]
Priority = Annotated[int | None, typer.Option(help="−100 to 100, for rows that don't say; higher starts earlier.")]
Deadline = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Not started after this, such as 2026-12-01T08:00:00Z, for rows that don't say."),
]
Tag = Annotated[list[str] | None, typer.Option(help="A word to find the jobs by, for rows without; may be repeated.")]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The folder for the audio.", show_default="audio/<name of FILE>")
]
Resume = Annotated[
    bool, typer.Option("--resume/--fresh", help="Take up what the same command began, or buy everything afresh.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that ttsq didn't make, or that were changed since.")
]
MaxCost = Annotated[
    str | None,
    typer.Option(metavar="DOLLARS", help="What its calls may cost at most; what that doesn't cover is held."),
]
