"""`ttsq run FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSONL or plain text, one job a line; - is standard input.")
    ],
    model: Annotated[str | None, typer.Option(help="The model of rows that name none.")] = None,
    voice: Annotated[
        str | None, typer.Option(help="The voice of rows that name none. `ttsq voices` lists them.")
    ] = None,
    voice_2: Annotated[str | None, typer.Option("--voice-2", help="The second speaker's voice.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Expressiveness, 0 to 2.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder for the audio.", show_default="audio/<name of FILE>")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--fresh",
            help="Take up what the same command began, or buy everything afresh.",
        ),
    ] = True,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Speak with the bundled emulator: no key, no network, no money.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="End with one JSON line; words go to standard error.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")] = False,
) -> None:
    """Speak every line of FILE, and leave DIR/{custom_id or line number}.wav.

    Ctrl-C stops in good order; the same command again goes on from there and buys nothing twice.
    """
    from worker.cli.leaving import leave  # noqa: PLC0415 - `ttsq --help` doesn't pay for the libraries behind it
    from worker.cli.order import Order  # noqa: PLC0415 - likewise
    from worker.cli.running import run as carry_out  # noqa: PLC0415 - likewise
    from worker.cli.terminal import Terminal  # noqa: PLC0415 - likewise
    from worker.intake.judging import Defaults  # noqa: PLC0415 - likewise

    order = Order(
        source=None if str(file) == "-" else file,
        defaults=Defaults(model=model, voice_1=voice, voice_2=voice_2, temperature=temperature),
        out=out,
        resume=resume,
        rehearse=rehearse,
    )
    leave(carry_out(order, Terminal(as_json=as_json, quiet=quiet)))
