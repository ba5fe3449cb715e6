"""`ttsq`: its commands, and the last resort that turns any exception into one line. Imports nothing heavy."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from worker.cli import gates, tenants
from worker.cli.batch import commands as batch
from worker.cli.console.exits import Exit
from worker.cli.doctor.run import doctor
from worker.cli.events import events
from worker.cli.gateway import commands as gateway
from worker.cli.jobs import commands as jobs
from worker.cli.money import budget
from worker.cli.money.credits import credits as credits_command
from worker.cli.money.quote import quote
from worker.cli.money.spend import spend
from worker.cli.run.command import run
from worker.cli.schedule import commands as schedule
from worker.cli.service.emulator import emulator
from worker.cli.service.migrate import migrate
from worker.cli.service.restore_check import restore_check
from worker.cli.service.worker import worker
from worker.cli.status import status
from worker.cli.voices import voices
from worker.process.memory import freeze_startup_objects

app = typer.Typer(
    name="ttsq",
    help="Texts in, spoken audio out: a job queue for Segmind's text-to-speech API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
SPEAK, QUEUE, MONEY, SERVICE = "Speak texts", "The queue", "Money", "The installation"
HTTP = "Over HTTP"

app.command(rich_help_panel=SPEAK)(run)
app.command(rich_help_panel=SPEAK)(quote)
app.command(rich_help_panel=SPEAK)(voices)
app.command(rich_help_panel=QUEUE)(status)
app.add_typer(batch.app, rich_help_panel=QUEUE)
app.add_typer(jobs.app, rich_help_panel=QUEUE)
app.add_typer(gates.app, rich_help_panel=QUEUE)
app.add_typer(schedule.app, rich_help_panel=QUEUE)
app.command(rich_help_panel=QUEUE)(events)
app.command(rich_help_panel=QUEUE)(batch.prune)
app.command("credits", rich_help_panel=MONEY)(credits_command)
app.command(rich_help_panel=MONEY)(spend)
app.add_typer(budget.app, rich_help_panel=MONEY)
app.add_typer(tenants.app, rich_help_panel=SERVICE)
app.command(rich_help_panel=SERVICE)(doctor)
app.command(rich_help_panel=SERVICE)(migrate)
app.command(rich_help_panel=SERVICE)(restore_check)
app.command(rich_help_panel=SERVICE)(worker)
app.command(rich_help_panel=SERVICE)(emulator)
app.command(rich_help_panel=HTTP)(gateway.serve)
app.add_typer(gateway.keys, rich_help_panel=HTTP)
app.add_typer(gateway.hooks, rich_help_panel=HTTP)
app.add_typer(gateway.webhooks, rich_help_panel=HTTP)


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
        from worker.cli.console.explain import print_error  # noqa: PLC0415 - only now is there something to explain

        print_error(error)
        sys.exit(Exit.UNUSABLE)
    finally:
        if arguments is None:
            freeze_startup_objects()  # on its way out
