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
    ExpiresAfter,
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
from worker.cli.run.run import run as run_order
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
    expires_after: ExpiresAfter = None,
    priority: Priority = None,
    deadline: Deadline = None,
    tag: Tag = None,
    on_invalid: Annotated[
        OnInvalid, typer.Option(help="For an input with errors: queue nothing, or skip the faulty rows.")
    ] = OnInvalid.REJECT,
    out: Out = None,
    resume: Resume = True,
    missing: Annotated[bool, typer.Option("--missing", help="Buy audio again whose file no longer exists.")] = False,
    overwrite: Overwrite = False,
    max_cost: MaxCost = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Run against the bundled emulator: no key, no network, no cost.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end; text goes to standard error.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Speak every line of FILE and save one audio file per line.

    Prints the estimated cost, and asks for confirmation on a terminal. Ctrl-C lets calls in flight finish; repeat the
    command to resume. Accepted audio is never bought again; refused takes only after confirmation or with --yes.
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
    leave(run_order(order, Terminal(as_json=as_json, quiet=quiet)))
