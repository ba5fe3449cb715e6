"""`ttsq`: its commands, and the last resort that turns any exception into one line. Imports nothing heavy."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from worker.cli import doctor, emulator, jobs, migrate, run, status, voices, worker
from worker.cli.exits import Exit

app = typer.Typer(
    name="ttsq",
    help="Texts in, spoken audio out: a job queue for Segmind's text-to-speech API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run.run)
app.command()(status.status)
app.add_typer(jobs.app)
app.command()(voices.voices)
app.command()(worker.worker)
app.command()(migrate.migrate)
app.command()(doctor.doctor)
app.command()(emulator.emulator)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - needed by this option alone

        typer.echo(f"ttsq {version('ttsq')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out one command line, that of this process by default, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that can't show a letter must not end a run
    try:
        app(args=None if arguments is None else list(arguments), prog_name="ttsq")
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - whatever it is, its reader gets one clear line and an exit code
        from worker.cli.complaint import complain  # noqa: PLC0415 - only now is there something to explain

        complain(error)
        sys.exit(Exit.UNUSABLE)
