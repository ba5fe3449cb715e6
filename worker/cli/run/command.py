"""`ttsq run FILE`."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.console.exits import leave
from worker.cli.console.format import dollars
from worker.cli.console.option_groups import takes
from worker.cli.console.terminal import Terminal
from worker.cli.run.document import join_style, with_stems
from worker.cli.run.options import (
    Captions,
    CastName,
    File,
    Gaps,
    InvalidRows,
    KeyTemplate,
    MaxCost,
    OnInvalid,
    Out,
    Overwrite,
    Preset,
    Resume,
    Stems,
)
from worker.cli.run.order import Order
from worker.cli.run.row_options import RowOptions
from worker.cli.run.run import run as run_order


@takes(rows=RowOptions)
def run(
    *,
    file: File,
    rows: RowOptions,
    out: Out = None,
    key_template: KeyTemplate = None,
    max_cost: MaxCost = None,
    on_invalid: InvalidRows = OnInvalid.REJECT,
    resume: Resume = True,
    missing: Annotated[bool, typer.Option("--missing", help="Buy audio again whose file no longer exists.")] = False,
    overwrite: Overwrite = False,
    preset: Preset = "",
    captions: Captions = None,
    gap: Gaps = None,
    cast: CastName = "",
    stems: Stems = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Run against the bundled emulator: no key, no network, no cost.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end; text goes to standard error.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Speak FILE line by line, or a document as one recording.

    Saves one audio file per line. FILE is a document if it is a book (.epub, .docx, .pdf, .html, .md), or if --out
    names an audio file; it is a script if it is a screenplay (.fountain), or if --cast names the speakers' voices.

    Prints the estimated cost, and asks for confirmation on a terminal. Ctrl-C lets calls in flight finish; repeat the
    command to resume. Accepted audio is never bought again; refused takes only after confirmation or with --yes.
    """

    order = Order(
        source=None if str(file) == "-" else file,
        sheet=rows.sheet_options(),
        defaults=rows.defaults(),
        style=join_style(preset, with_stems(captions, stems=stems), gap or ()),
        cast=cast,
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
