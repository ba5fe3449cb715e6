"""What this project adds to Celery's own start of a worker: signal handlers, an eye on the connection, fewer words.

Celery waits for a pool of threads without bound, sleeps inside a signal handler, and tells a lost connection in three
lines a try. Here a signal is a word to `leaving`, and what Celery notices of the broker is a word to `broker`.
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
    signal.SIGHUP: ShutdownRequest.LEAVE,  # its terminal is gone; Celery would start it anew
    signal.SIGQUIT: ShutdownRequest.AT_ONCE,
}
BREATH_SECONDS: Final = 1.0
"""Between the loss of a connection and the next one."""
CONSUMER_LOGGER: Final = celery_consumer.__name__
TRANSPORT_LOGGER: Final = "kombu.transport.redis"
ABOUT_CONNECTION: Final = frozenset(
    (celery_consumer.CONNECTION_RETRY, celery_consumer.CONNECTION_ERROR)  # type: ignore[attr-defined]  # likewise
)


class Program(Worker):
    """Celery's worker without what only costs here: talk with other workers, a banner between the logs.

    Its events, a heartbeat among them, are for monitors such as Flower: with `-E` or `TTSQ_CELERY_EVENTS`.
    """

    def prepare_args(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - the signature is Celery's
        events = kwargs.get("task_events") or self.app.conf.worker_send_task_events
        known = {"without_gossip": True, "without_mingle": True, "without_heartbeat": not events}
        return {**kwargs, **known, "task_events": bool(events)}

    def emit_banner(self) -> None:
        """The log's own first line says what it would."""


def add_to(
    app: Celery,
    *,
    start: Callable[[], None],
    ask: Callable[[ShutdownRequest], None],
    broker: Callable[[], BrokerStatus],
) -> None:
    """Have them in every worker that this application starts."""

    class OwnStart(StartStopStep):
        """Comes after Celery has put its own handlers in place, and before anything connects.

        While the broker is away, the worker is there, says so, and looks after what needs no messages.
        """

        def start(self, parent: object) -> None:  # noqa: ARG002 - Celery's signature
            for number in SIGNALS:
                signal.signal(number, heard)
            start()

    class Connected(StartStopStep):
        """Begins when messages come in, at the start and after every new connection."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: object) -> None:  # noqa: ARG002 - Celery's signature
            broker().connected()

        def stop(self, parent: object) -> None:  # noqa: ARG002 - Celery's signature
            # A broker that takes connections and refuses all else would be asked hundreds of times a second.
            if celery_state.should_stop is None:
                time.sleep(BREATH_SECONDS)

    class LastWords(StartStopStep):
        """Tells monitors of what ended on the way out: Celery gathers its events, and would leave the last unsent."""

        requires = ("celery.worker.consumer.events:Events",)

        def shutdown(self, parent: Any) -> None:  # noqa: ANN401 - its stubs don't know of the dispatcher
            if parent.event_dispatcher is not None:
                parent.event_dispatcher.flush()

    def heard(number: int, _frame: FrameType | None) -> None:
        setattr(celery_state, "should_stop", 0)  # noqa: B010 - its stubs know only None
        ask(SIGNALS[signal.Signals(number)])

    app.Worker = app.subclass_with_self(Program)  # type: ignore[misc]  # a cached property, and only a property to its stubs
    app.steps["worker"].add(OwnStart)
    app.steps["consumer"].update((Connected, LastWords))


def quieten(broker: Callable[[], BrokerStatus]) -> None:
    """Take Celery's words about the broker for what they say, and leave out its warnings that nobody can act on."""
    warnings.filterwarnings("ignore", category=SecurityWarning)  # said in one line by the worker itself
    logging.getLogger("py.warnings").addFilter(lambda record: "CPendingDeprecationWarning" not in record.getMessage())
    for name in (CONSUMER_LOGGER, TRANSPORT_LOGGER):
        logging.getLogger(name).addFilter(_Understood(broker))


class _Understood(logging.Filter):
    """Lets a record pass that isn't about the connection."""

    def __init__(self, broker: Callable[[], BrokerStatus]) -> None:
        super().__init__()
        self._broker = broker

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        trouble = _trouble(record)
        if trouble is None:
            return True
        self._broker().lost(trouble)
        return False


def _trouble(record: logging.LogRecord) -> BaseException | str | None:
    """What a record says of the connection to the broker, if anything."""
    if record.name == TRANSPORT_LOGGER:
        return "the broker does not answer" if "stale connection" in str(record.msg) else None
    arguments: tuple[Any, ...] = record.args if isinstance(record.args, tuple) else ()
    # One of them is a format, the other the first word that goes into one.
    if not ABOUT_CONNECTION.intersection((record.msg, *map(str, arguments[:1]))):
        return None
    return next((argument for argument in arguments if isinstance(argument, BaseException)), record.getMessage())
