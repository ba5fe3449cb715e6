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
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any, Final

from celery import Celery
from celery.apps.worker import Worker
from celery.bootsteps import StartStopStep
from celery.concurrency import get_implementation
from celery.platforms import SecurityWarning  # type: ignore[attr-defined]  # unknown to its stubs
from celery.utils.text import str_to_list
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
    """Celery's worker without gossip, mingle and banner. `-c` and `--autoscale` are its slots.

    Events and heartbeats, for monitors such as Flower, are enabled by `-E` or `TTSQ_CELERY_EVENTS`.
    """

    concurrency: int
    """As `-c` says, or `--autoscale`, or the settings."""
    pool_cls: Any
    named_queues: tuple[str, ...] = ()
    """By `-Q`."""
    excluded_queues: tuple[str, ...] = ()
    """By `-X`."""

    def setup_defaults(self, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # noqa: ANN401 - Celery's names
        slots = _most(kwargs.pop("autoscale", None)) or kwargs.pop("concurrency", None)
        self.app.conf.worker_disable_prefetch = False
        return super().setup_defaults(**{**kwargs, "concurrency": slots, "prefetch_multiplier": 1})

    def setup_queues(self, include: Any, exclude: Any = None) -> None:  # noqa: ANN401 - likewise
        """Which queue is ours is known only once the database was read; until then, note what was asked for."""
        self.named_queues, self.excluded_queues = tuple(str_to_list(include) or ()), tuple(str_to_list(exclude) or ())

    def prepare_args(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - the signature is Celery's
        events = kwargs.get("task_events") or self.app.conf.worker_send_task_events
        known = {"without_gossip": True, "without_mingle": True, "without_heartbeat": not events}
        return {**kwargs, **known, "task_events": bool(events), "autoscale": None}

    def emit_banner(self) -> None:
        """Replaced by the log event `worker_started`."""


def add_to(
    app: Celery,
    *,
    start: Callable[[], None],
    ask: Callable[[ShutdownRequest], None],
    connected: Callable[[Any], None],
) -> None:
    """Install the bootsteps in every worker of this application. `connected` is given Celery's consumer."""

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

        def start(self, parent: object) -> None:
            connected(parent)

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


def _most(autoscale: Any) -> Any:  # noqa: ANN401 - a text, or what Celery's command line has made of it
    """The larger number of `--autoscale`: slots that wait take no memory, so there is nothing to scale."""
    if isinstance(autoscale, str):
        autoscale = tuple(int(part) if part.strip().isdigit() else 0 for part in autoscale.split(","))
    return max(autoscale) if autoscale else None


def unusable_option(program: Program, queues: Collection[str]) -> str | None:
    """Why a worker with these options of Celery's would serve nothing; None if it would."""
    pool = get_implementation(program.pool_cls)
    if pool is not get_implementation("threads"):
        return f"-P {pool.__module__.rpartition('.')[2]} can't run calls; leave -P out"
    if others := sorted(set(program.named_queues) - set(queues)):
        own = max(queues, key=len)
        return f"-Q {','.join(others)}: a worker reads the queue of its installation only ({own}); leave -Q out"
    if left_out := sorted(set(program.excluded_queues) & set(queues)):
        return f"-X {','.join(left_out)} leaves the worker without a queue; leave -X out"
    return None


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
