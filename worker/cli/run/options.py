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
    typer.Argument(
        metavar="FILE", help="CSV, TSV, .xlsx, JSON, JSONL or plain text, one job a line; - is standard input."
    ),
]
Sheet = Annotated[
    list[str] | None,
    typer.Option("--sheet", metavar="NAME", help="The worksheet of an .xlsx with several; may be repeated."),
]
AllSheets = Annotated[bool, typer.Option("--all-sheets", help="Every visible worksheet of an .xlsx that has rows.")]
TextColumn = Annotated[
    str | None, typer.Option("--text-column", metavar="NAME", help="The column of texts, if it isn't called text.")
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id-column", metavar="NAME", help="The column to name files by, if it isn't called custom_id."),
]
IgnoreColumn = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore-column",
        metavar="NAME",
        help="A column that is only copied to manifest.csv, whatever it is called; may be repeated.",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The encoding of a text file that isn't UTF-8, such as cp1252 or mac-roman."),
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
    typer.Option(
        metavar="TEMPLATE",
        help="How the files are named, such as {line:04}-{text:40}.{ext}; {NAME} is any column of the sheet.",
    ),
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
