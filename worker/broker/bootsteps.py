"""Bootsteps added to Celery's worker: signal handlers, broker connection status, quieter logs.

Celery waits for a thread pool without limit, sleeps inside signal handlers, and logs three lines per reconnect.
Here
signals go to `Shutdown`, and connection errors go to `BrokerStatus`.
"""

from __future__ import annotations

import logging
import signal
import time
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from celery import Celery
from celery.apps.worker import Worker
from celery.bootsteps import StartStopStep
from celery.platforms import SecurityWarning  # type: ignore[attr-defined]  # unknown to its stubs
from celery.worker import state as celery_state
from celery.worker.consumer import consumer as celery_consumer

from worker.process.broker_status import BrokerStatus
from worker.process.shutdown import ShutdownRequest

SIGNALS: Final = {
    signal.SIGTERM: ShutdownRequest.LEAVE,
    signal.SIGINT: ShutdownRequest.LEAVE,
    signal.SIGHUP: ShutdownRequest.LEAVE,  # its terminal is gone; Celery would restart it
    signal.SIGQUIT: ShutdownRequest.AT_ONCE,
}
BREATH_SECONDS: Final = 1.0
"""Between a lost connection and the next attempt to connect."""
CONSUMER_LOGGER: Final = celery_consumer.__name__
TRANSPORT_LOGGER: Final = "kombu.transport.redis"
ABOUT_CONNECTION: Final = frozenset(
    (celery_consumer.CONNECTION_RETRY, celery_consumer.CONNECTION_ERROR)  # type: ignore[attr-defined]  # likewise
)


class Program(Worker):
    """Celery's worker without gossip, mingle and banner.

    Events and heartbeats, for monitors such as Flower, are enabled by `-E` or `TTSQ_CELERY_EVENTS`.
    """

    def prepare_args(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - the signature is Celery's
        events = kwargs.get("task_events") or self.app.conf.worker_send_task_events
        known = {"without_gossip": True, "without_mingle": True, "without_heartbeat": not events}
        return {**kwargs, **known, "task_events": bool(events)}

    def emit_banner(self) -> None:
        """Replaced by the log event `worker_started`."""


def add_to(
    app: Celery,
    *,
    start: Callable[[], None],
    ask: Callable[[ShutdownRequest], None],
    broker: Callable[[], BrokerStatus],
) -> None:

    class StartRuntime(StartStopStep):
        """Runs after Celery has installed its signal handlers and before it connects.

        While the broker is unreachable, the worker runs, reports the outage, and does the work that needs no
        messages.
        """

        def start(self, parent: object) -> None:  # noqa: ARG002 - Celery's signature
            for number in SIGNALS:
                signal.signal(number, on_signal)
            start()

    class Connected(StartStopStep):
        """Starts when messages are received: at startup and after every reconnect."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: object) -> None:  # noqa: ARG002 - Celery's signature
            broker().connected()

        def stop(self, parent: object) -> None:  # noqa: ARG002 - Celery's signature
            # A broker that accepts connections and refuses commands would be retried hundreds of times a second.
            if celery_state.should_stop is None:
                time.sleep(BREATH_SECONDS)

    class FlushEvents(StartStopStep):
        """Flushes buffered events, which Celery leaves unsent at exit."""

        requires = ("celery.worker.consumer.events:Events",)

        def shutdown(self, parent: Any) -> None:  # noqa: ANN401 - its stubs don't know of the dispatcher
            if parent.event_dispatcher is not None:
                parent.event_dispatcher.flush()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        setattr(celery_state, "should_stop", 0)  # noqa: B010 - its stubs know only None
        ask(SIGNALS[signal.Signals(number)])

    app.Worker = app.subclass_with_self(Program)  # type: ignore[misc]  # a cached property, and only a property to its stubs
    app.steps["worker"].add(StartRuntime)
    app.steps["consumer"].update((Connected, FlushEvents))


def quieten(broker: Callable[[], BrokerStatus]) -> None:
    """Route Celery's connection logs to the broker status, and drop warnings without a remedy."""
    warnings.filterwarnings("ignore", category=SecurityWarning)  # the worker logs `runs_as_root` instead
    logging.getLogger("py.warnings").addFilter(lambda record: "CPendingDeprecationWarning" not in record.getMessage())
    for name in (CONSUMER_LOGGER, TRANSPORT_LOGGER):
        logging.getLogger(name).addFilter(_ConnectionFilter(broker))


class _ConnectionFilter(logging.Filter):
    """Passes records that aren't about the connection."""

    def __init__(self, broker: Callable[[], BrokerStatus]) -> None:
        super().__init__()
        self._broker = broker

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        error = _error(record)
        if error is None:
            return True
        self._broker().lost(error)
        return False


def _error(record: logging.LogRecord) -> BaseException | str | None:
    if record.name == TRANSPORT_LOGGER:
        return "the broker does not answer" if "stale connection" in str(record.msg) else None
    arguments: tuple[Any, ...] = record.args if isinstance(record.args, tuple) else ()
    # One of them is a format, the other the first word that goes into one.
    if not ABOUT_CONNECTION.intersection((record.msg, *map(str, arguments[:1]))):
        return None
    return next((argument for argument in arguments if isinstance(argument, BaseException)), record.getMessage())
