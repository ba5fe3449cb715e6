"""`ttsq worker`."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from worker import settings as settings_page
from worker.cli import database
from worker.cli.console.errors import MemoryBrokerError
from worker.cli.console.terminal import Terminal

CELERY = ("-m", "celery", "--quiet", "-A", "worker.app", "worker")


def exec_worker(concurrency: int | None, *, as_json: bool) -> NoReturn:
    """Replace this process with the worker, so that a supervisor's signals reach it. Raises MemoryBrokerError;
    CliError, SQLAlchemyError: the database is not ready.
    """
    override: dict[str, object] = {} if concurrency is None else {"TTSQ_CONCURRENCY": concurrency}
    override |= {"TTSQ_LOG_FORMAT": "json"} if as_json else {}
    settings = Terminal().guard(settings_page.load(**override))
    if settings.embedded:
        raise MemoryBrokerError
    with database.queue(settings):
        pass
    # The worker reads its settings from its environment, which `env` sets for it alone.
    assignments = [f"{name}={value}" for name, value in override.items()]
    os.execvp("env", ["env", *assignments, sys.executable, *CELERY])  # noqa: S606, S607 - no shell; `env` is POSIX's


def worker(
    concurrency: Annotated[
        int | None, typer.Option(help="Maximum concurrent calls.", show_default="TTSQ_CONCURRENCY, or 100")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Log one JSON object per line.")] = False,
) -> None:
    """Start a worker; same as `celery -A worker.app worker`."""

    exec_worker(concurrency, as_json=as_json)
