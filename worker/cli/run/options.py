"""The options that say what is to be spoken and where the audio goes: those of `ttsq run`, and of `ttsq quote`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSONL or plain text, one job a line; - is standard input.")
]
Model = Annotated[str | None, typer.Option(help="The model of rows that name none.")]
Voice = Annotated[str | None, typer.Option(help="The voice of rows that name none. `ttsq voices` lists them.")]
Voice2 = Annotated[str | None, typer.Option("--voice-2", help="The second speaker's voice.")]
Temperature = Annotated[float | None, typer.Option(help="Expressiveness, 0 to 2.")]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The folder for the audio.", show_default="audio/<name of FILE>")
]
Resume = Annotated[
    bool, typer.Option("--resume/--fresh", help="Take up what the same command began, or buy everything afresh.")
]
MaxCost = Annotated[
    str | None,
    typer.Option(metavar="DOLLARS", help="What its calls may cost at most; what that doesn't cover is held."),
]
