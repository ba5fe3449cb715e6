"""`ttsq`: the table of its commands, and the handler that prints any exception as one line. Imports nothing heavy."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from worker.cli.console.exits import Exit
from worker.cli.lazy import Entry, LazyGroup
from worker.process.memory import freeze_startup_objects

SPEAK, QUEUE, MONEY, SERVICE = "Speak texts", "The queue", "Money", "The installation"
HTTP = "Over HTTP"

COMMANDS: Final = (
    Entry("run", "worker.cli.run.command:run", "Speak every line of FILE and save one audio file per line.", SPEAK),
    Entry(
        "quote", "worker.cli.money.quote:quote", "Show what `ttsq run` would buy, cost and take. Stores nothing.", SPEAK
    ),
    Entry(
        "voices",
        "worker.cli.voices:voices",
        "List the voices, their characters and the models that support them.",
        SPEAK,
    ),
    Entry(
        "status", "worker.cli.status:status", "Show the state of the queue or of one batch, and what holds it.", QUEUE
    ),
    Entry("batch", "worker.cli.batch.commands:app", "Show, change and download batches.", QUEUE),
    Entry("jobs", "worker.cli.jobs.commands:app", "Show, retry, cancel and delete single jobs.", QUEUE),
    Entry("gates", "worker.cli.gates:app", "Show what holds the queue, and open or close it by hand.", QUEUE),
    Entry(
        "schedule",
        "worker.cli.schedule.commands:app",
        "Submit files or query results on a schedule, each time once.",
        QUEUE,
    ),
    Entry(
        "events",
        "worker.cli.events:events",
        "Show the latest 50 events, such as gates that closed or a low balance.",
        QUEUE,
    ),
    Entry(
        "prune",
        "worker.cli.batch.commands:prune",
        "Delete old finished batches and jobs with their audio. The ledger stays.",
        QUEUE,
    ),
    Entry(
        "credits",
        "worker.cli.money.credits:credits",
        "Show the account's balance and how many calls it covers. Free.",
        MONEY,
    ),
    Entry(
        "spend",
        "worker.cli.money.spend:spend",
        "Show calls, cost, estimated and possibly billed amounts, and savings.",
        MONEY,
    ),
    Entry("budget", "worker.cli.money.budget:app", "Show and set budgets of batches and of tenants by month.", MONEY),
    Entry("tenants", "worker.cli.tenants:app", "Show and change what a tenant has of its own.", SERVICE),
    Entry("doctor", "worker.cli.doctor.run:doctor", "Check settings, services, key and clock. Costs nothing.", SERVICE),
    Entry(
        "migrate",
        "worker.cli.service.migrate:migrate",
        "Create or upgrade the database schema. Safe to re-run.",
        SERVICE,
    ),
    Entry(
        "restore-check",
        "worker.cli.service.restore_check:restore_check",
        "After restoring a backup: find what was bought since, and adopt it.",
        SERVICE,
    ),
    Entry(
        "worker", "worker.cli.service.worker:worker", "Start a worker, as `celery -A worker.app worker` does.", SERVICE
    ),
    Entry(
        "emulator",
        "worker.cli.service.emulator:emulator",
        "Emulate Segmind's API on this machine, with limits and faults.",
        SERVICE,
    ),
    Entry("serve", "worker.cli.gateway.commands:serve", "Serve the HTTP API. Ctrl-C stops it gracefully.", HTTP),
    Entry("keys", "worker.cli.gateway.commands:keys", "Create and revoke API keys.", HTTP),
    Entry("hooks", "worker.cli.gateway.commands:hooks", "Turn other systems' webhooks into jobs.", HTTP),
    Entry(
        "webhooks",
        "worker.cli.gateway.commands:webhooks",
        "List webhook endpoints and deliveries, and redeliver.",
        HTTP,
    ),
)
"""Every command, with the first line of its help; `tests/unit/cli/test_lazy.py` compares the two."""


class Commands(LazyGroup):
    """The group behind `ttsq`."""

    entries = COMMANDS


app = typer.Typer(
    name="ttsq",
    cls=Commands,
    help="Texts in, spoken audio out: a job queue for Segmind's text-to-speech API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
