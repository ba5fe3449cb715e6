"""The Celery application: `celery -A worker.app worker` adds a worker.

The broker only wakes workers; losing every message loses nothing.
"""

from __future__ import annotations

import logging
import os
from functools import lru_cache

import structlog
from celery import Celery, signals
from celery.worker import WorkController
from sqlalchemy.exc import SQLAlchemyError

from api_models.problems import InvalidInputError
from worker import settings
from worker.broker import bootsteps, current
from worker.broker.app_factory import make_app
from worker.broker.publisher import Publisher
from worker.process import runtime
from worker.process.broker_status import BrokerStatus
from worker.process.factories import StartError, open_database
from worker.process.memory import release_large_blocks
from worker.process.shutdown import Shutdown, ShutdownRequest
from worker.telemetry import logs

log = structlog.get_logger("ttsq.worker")

_shutdowns: list[Shutdown] = []
"""The shutdown of this process, once it has a runtime."""


@lru_cache(maxsize=1)
def _worker_app() -> Celery:
    try:
        configuration = settings.current()
    except InvalidInputError as error:
        logs.exit_with("\n".join(["ttsq: invalid settings:", *(f"  {fault}" for fault in error.faults)]))
    app = make_app(configuration, runtime.QUEUE)
    app.set_default()
    bootsteps.add_to(app, start=_start, ask=_ask, broker=lambda: current.runtime().broker)
    bootsteps.quieten(lambda: current.runtime().broker)
    signals.setup_logging.connect(_configure_logs)
    signals.worker_init.connect(_build)
    signals.worker_shutdown.connect(_leave)
    return app


def _configure_logs(**_: object) -> None:
    logs.configure(settings.current())
    logging.getLogger("celery").setLevel(logging.WARNING)


def _build(**_: object) -> None:
    """Runs before anything is consumed: a worker that can't work must not start."""
    _configure_logs()
    configuration = settings.current()
    if configuration.embedded:
        logs.exit_with("ttsq: TTSQ_BROKER_URL is memory://, which only reaches its own process; set it to redis://…")
    if os.geteuid() == 0:
        log.warning(
            "runs_as_root", remedy="run the worker as an unprivileged user that can write to its spool directory"
        )
    release_large_blocks()
    broker = BrokerStatus()
    publisher = Publisher(_worker_app(), runtime.QUEUE, broker)
    try:
        database = open_database(configuration)
        current.set_runtime(runtime.build(configuration, database, publisher, broker=broker))
    except StartError as error:
        logs.exit_with(f"ttsq: {error.message}; {error.remedy}", *configuration.secrets)
    except SQLAlchemyError as error:
        logs.exit_with(_no_database(error), *settings.current().secrets)
    _shutdowns.append(Shutdown(current.runtime(), grace_seconds=configuration.grace_seconds))


# Celery logs and ignores exceptions of signal receivers, except SystemExit. A worker without a runtime must exit: it
# would receive messages and drop them.


def _start() -> None:
    try:
        current.runtime().start()
    except SQLAlchemyError as error:
        logs.exit_with(_no_database(error), *settings.current().secrets)


def _no_database(error: SQLAlchemyError) -> str:
    return f"ttsq: the database can't be used ({str(error).splitlines()[0]}); see `ttsq doctor`"


def _ask(how: ShutdownRequest) -> None:
    """Called in a signal handler, between any two instructions of the main thread."""
    for shutdown in _shutdowns:
        shutdown.ask(how)


def _leave(sender: WorkController, **_: object) -> None:
    """Celery has exited. Start-up failures are reported by Celery itself."""
    failed_to_start = isinstance(sender.exitcode, str)
    for shutdown in _shutdowns if not failed_to_start else ():
        shutdown.complete(int(sender.exitcode or 0))


def __getattr__(name: str) -> Celery:
    """Create the application on first access, so that importing this module reads no settings."""
    if name in {"app", "celery"}:
        return _worker_app()
    raise AttributeError(name)
