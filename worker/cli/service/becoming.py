"""From this command to a Celery worker: checked first, so that faults are told in our words, then replaced by it."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from worker import settings as settings_page
from worker.cli.queue import opening
from worker.cli.talk.errors import MemoryBrokerError
from worker.cli.talk.terminal import Terminal

CELERY = ("-m", "celery", "--quiet", "-A", "worker.app", "worker")


def become_worker(concurrency: int | None) -> NoReturn:
    """Become the worker: same process id, so that signals of a supervisor reach it.

    Raises:
        MemoryBrokerError: nobody could reach it.
        CliError, SQLAlchemyError: the database isn't ready.
    """
    override = {} if concurrency is None else {"TTSQ_CONCURRENCY": concurrency}
    settings = Terminal().guard(settings_page.load(**override))
    if settings.embedded:
        raise MemoryBrokerError
    with opening.queue(settings):
        pass
    # The worker reads its settings from its environment, which `env` sets for it and for nobody else.
    assignments = [f"{name}={value}" for name, value in override.items()]
    os.execvp("env", ["env", *assignments, sys.executable, *CELERY])  # noqa: S606, S607 - no shell; `env` is POSIX's
