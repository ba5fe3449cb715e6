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


def exec_worker(concurrency: int | None) -> NoReturn:
    """Become the worker: same process id, so that signals of a supervisor reach it.

    Raises:
        MemoryBrokerError: nobody could reach it.
        CliError, SQLAlchemyError: the database isn't ready.
    """
    override = {} if concurrency is None else {"TTSQ_CONCURRENCY": concurrency}
    settings = Terminal().guard(settings_page.load(**override))
    if settings.embedded:
        raise MemoryBrokerError
    with database.queue(settings):
        pass
    # The worker reads its settings from its environment, which `env` sets for it and for nobody else.
    assignments = [f"{name}={value}" for name, value in override.items()]
    os.execvp("env", ["env", *assignments, sys.executable, *CELERY])  # noqa: S606, S607 - no shell; `env` is POSIX's


def worker(
    concurrency: Annotated[
        int | None, typer.Option(help="Calls in flight at once.", show_default="TTSQ_CONCURRENCY, or 100")
    ] = None,
) -> None:
    """Start a worker, as `celery -A worker.app worker` does."""

    exec_worker(concurrency)
