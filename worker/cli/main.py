"""The `ttsq` command table, and the handler that prints any exception as one line. Imports nothing heavy."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from worker.cli.console.exits import Exit
from worker.cli.lazy import Entry, LazyGroup
from worker.process.memory import freeze_startup_objects, pause_collection

SPEAK, QUEUE, MONEY, SERVICE = "Speech", "Queue", "Money", "Installation"
HTTP = "HTTP API"

COMMANDS: Final = (
    Entry("run", "worker.cli.run.command:run", "Speak FILE line by line, or a document as one recording.", SPEAK),
    Entry(
        "quote", "worker.cli.money.quote:quote", "Estimate the cost and duration of `ttsq run`. Queues nothing.", SPEAK
    ),
    Entry("plan", "worker.cli.plan:plan", "Show how a book or long text is divided into parts. Buys nothing.", SPEAK),
    Entry("script", "worker.cli.script.commands:app", "Check scripts of several speakers. Buys nothing.", SPEAK),
    Entry("cast", "worker.cli.script.cast:app", "Keep and suggest the voices of scripts.", SPEAK),
    Entry("join", "worker.cli.join:join", "Join the takes of a planned document into one recording.", SPEAK),
    Entry(
        "voices",
        "worker.cli.voices:voices",
        "List voices, their character and the models that support them.",
        SPEAK,
    ),
    Entry("models", "worker.cli.models:app", "List, show and check speech models.", SPEAK),
    Entry("lexicon", "worker.cli.lexicon.commands:app", "Rules that say how words are pronounced.", SPEAK),
    Entry("status", "worker.cli.status:status", "Show the progress of the queue or one batch, and its holds.", QUEUE),
    Entry("batch", "worker.cli.batch.commands:app", "Show, change and download batches.", QUEUE),
    Entry("jobs", "worker.cli.jobs.commands:app", "Show, retry, cancel and delete single jobs.", QUEUE),
    Entry(
        "takes",
        "worker.cli.takes.commands:app",
        "Listen to, mark and choose takes; see when words are heard.",
        QUEUE,
    ),
    Entry("gates", "worker.cli.gates:app", "Show, open and close the gates that hold the queue.", QUEUE),
    Entry(
        "schedule",
        "worker.cli.schedule.commands:app",
        "Submit files or query results on a cron schedule.",
        QUEUE,
    ),
    Entry(
        "events",
        "worker.cli.events:events",
        "Show recent events, such as closed gates or a low balance.",
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
        "Show calls and cost by day, month, batch, model or tenant.",
        MONEY,
    ),
    Entry("budget", "worker.cli.money.budget:app", "Show and set the budgets of batches and tenants.", MONEY),
    Entry("inbox", "worker.cli.inbox:app", "Show refused requests of the inbox, and who may submit by it.", SERVICE),
    Entry("tenants", "worker.cli.tenants:app", "Show or set where a tenant's audio is stored.", SERVICE),
    Entry(
        "verify",
        "worker.cli.verify:verify",
        "Check that FILE is the audio that its provenance and the ledger describe.",
        QUEUE,
    ),
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
        "After restoring a backup, adopt the audio bought since.",
        SERVICE,
    ),
    Entry(
        "worker", "worker.cli.service.worker:worker", "Start a worker; same as `celery -A worker.app worker`.", SERVICE
    ),
    Entry(
        "emulator",
        "worker.cli.service.emulator:emulator",
        "Emulate Segmind's API locally, with limits and failures.",
        SERVICE,
    ),
    Entry("serve", "worker.cli.gateway.serve:serve", "Serve the HTTP API. Ctrl-C stops it gracefully.", HTTP),
    Entry(
        "console",
        "worker.cli.gateway.console:console",
        "Print a link that signs in to the web console, once, within 15 minutes.",
        HTTP,
    ),
    Entry("keys", "worker.cli.gateway.keys:app", "Create, limit and revoke API keys.", HTTP),
    Entry("hooks", "worker.cli.gateway.hooks:app", "Turn other systems' webhooks into jobs.", HTTP),
    Entry(
        "webhooks",
        "worker.cli.gateway.webhooks:app",
        "List webhook endpoints and deliveries, and redeliver.",
        HTTP,
    ),
)
"""Every command with the first line of its help, which `tests/unit/cli/test_lazy.py` compares."""


class Commands(LazyGroup):
    entries = COMMANDS


app = typer.Typer(
    name="ttsq",
    cls=Commands,
    help="A job queue for Segmind's text-to-speech API: submit texts, get audio files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version  # noqa: PLC0415 - needed by this option alone

        from worker.cli.console.terminal import Terminal  # noqa: PLC0415 - likewise

        Terminal().result(f"ttsq {version('ttsq')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line (by default this process's arguments) and exit with its code."""
    if arguments is None:
        pause_collection()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an unprintable character must not abort a run
    try:
        code = app(args=None if arguments is None else list(arguments), prog_name="ttsq", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else Exit.DONE)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - any error becomes one line and an exit code
        from worker.cli.console.explain import print_error  # noqa: PLC0415 - needed on failure only

        print_error(error)
        sys.exit(Exit.UNUSABLE)
    finally:
        if arguments is None:
            freeze_startup_objects()  # makes interpreter shutdown faster
