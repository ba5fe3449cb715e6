"""`ttsq quote FILE`."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.run.options import (
    AllSheets,
    Encoding,
    File,
    Format,
    IdColumn,
    IgnoreColumn,
    KeyTemplate,
    Loudness,
    MaxCost,
    Model,
    Out,
    Resume,
    Sheet,
    Temperature,
    TextColumn,
    Voice,
    Voice2,
)


def quote(
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
    out: Out = None,
    resume: Resume = True,
    max_cost: MaxCost = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell what `ttsq run` with the same options would buy, what that costs and how long it takes. Stores nothing."""
    from worker.cli.money.amounts import dollars  # noqa: PLC0415 - `ttsq --help` doesn't pay for the libraries behind it
    from worker.cli.money.quoting import show  # noqa: PLC0415 - likewise
    from worker.cli.run.order import Order  # noqa: PLC0415 - likewise
    from worker.intake.judging import Defaults  # noqa: PLC0415 - likewise
    from worker.intake.sheet_options import SheetOptions  # noqa: PLC0415 - likewise

    order = Order(
        source=None if str(file) == "-" else file,
        sheet=SheetOptions.of(sheet, text_column, id_column, ignore_column, encoding, all_sheets=all_sheets),
        defaults=Defaults(
            model=model, voice_1=voice, voice_2=voice_2, temperature=temperature, format=audio_format, loudness=loudness
        ),
        key_template=key_template,
        out=out,
        resume=resume,
        max_cost=None if max_cost is None else dollars("--max-cost", max_cost),
    )
    show(order, as_json=as_json)
