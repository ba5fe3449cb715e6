"""`ttsq run FILE`."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.console.exits import leave
from worker.cli.console.format import dollars
from worker.cli.console.terminal import Terminal
from worker.cli.run.options import (
    AllSheets,
    Deadline,
    Encoding,
    File,
    Format,
    IdColumn,
    IgnoreColumn,
    KeyTemplate,
    Loudness,
    MaxCost,
    Model,
    OnInvalid,
    Out,
    Overwrite,
    Priority,
    Resume,
    Sheet,
    Tag,
    Temperature,
    TextColumn,
    Voice,
    Voice2,
)
from worker.cli.run.order import Order
from worker.cli.run.run import run as carry_out
from worker.intake.sheet_options import SheetOptions
from worker.intake.validation import Defaults


def run(
    *,
    file: File,
    sheet: Sheet = None,
    all_sheets: AllSheets = False,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    ignore_column: IgnoreColumn = None,
    encoding: Encoding = None,
    model: Model = None,
    voice: Voice = None,
    voice_2: Voice2 = None,
    temperature: Temperature = None,
    audio_format: Format = None,
    loudness: Loudness = None,
    key_template: KeyTemplate = None,
    expires_after: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How long after its end text and audio are kept, such as 30d."),
    ] = None,
    priority: Priority = None,
    deadline: Deadline = None,
    tag: Tag = None,
    on_invalid: Annotated[
        OnInvalid, typer.Option(help="What becomes of an input with faults: nothing of it is spoken, or the rest is.")
    ] = OnInvalid.REJECT,
    out: Out = None,
    resume: Resume = True,
    missing: Annotated[
        bool, typer.Option("--missing", help="Buy audio again that was bought and whose file is gone.")
    ] = False,
    overwrite: Overwrite = False,
    max_cost: MaxCost = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before buying.")] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Speak with the bundled emulator: no key, no network, no money.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="End with one JSON line; words go to standard error.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")] = False,
) -> None:
    """Speak every line of FILE and save one audio file per line.

    Prints the estimated cost, and on a terminal asks. Ctrl-C stops in good order. The same command resumes the run;
    audio that was accepted is never bought again, and texts whose takes were refused only after a question or --yes.
    """

    order = Order(
        source=None if str(file) == "-" else file,
        sheet=SheetOptions.of(sheet, text_column, id_column, ignore_column, encoding, all_sheets=all_sheets),
        defaults=Defaults(
            model=model,
            voice_1=voice,
            voice_2=voice_2,
            temperature=temperature,
            format=audio_format,
            loudness=loudness,
            expires_after=expires_after,
            priority=priority,
            deadline=deadline,
            tags=tuple(tag) if tag else None,
        ),
        skip_invalid=on_invalid is OnInvalid.SKIP,
        key_template=key_template,
        out=out,
        resume=resume,
        rehearse=rehearse,
        missing=missing,
        overwrite=overwrite,
        max_cost=None if max_cost is None else dollars("--max-cost", max_cost),
        ask=not yes,
    )
    leave(carry_out(order, Terminal(as_json=as_json, quiet=quiet)))
