"""Builds the Celery application. The broker only wakes workers; a lost message loses nothing."""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES
from redis.backoff import NoBackoff
from redis.retry import Retry

from api_models.broker_address import sentinel_address
from worker.broker import current
from worker.settings import Settings

MEMORY: Final = "memory://localhost/"
"""No broker; kombu warns about a URL without a host."""
CONNECT_SECONDS: Final = 5


def make_app(configuration: Settings, queue: str, *, probe_seconds: float | None = None) -> Celery:
    """`probe_seconds` bounds each answer and repeats nothing: for a look at the broker, not for a worker."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "worker.broker.redis_transport:Transport"))
    TRANSPORT_ALIASES["sentinel"] = "worker.broker.redis_transport:SentinelTransport"
    app = Celery("ttsq", set_as_current=False)
    app.conf.update(
        broker_url=_url(configuration),
        imports=("worker.tasks",),
        task_acks_late=True,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_serializer="json",
        accept_content=["json"],
        task_send_sent_event=False,
        worker_send_task_events=configuration.celery_events == "on",
        worker_pool="threads",
        worker_concurrency=configuration.concurrency,
        worker_prefetch_multiplier=1,
        worker_disable_rate_limits=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_channel_error_retry=True,  # a full broker refuses a new consumer; retry that too
        broker_connection_max_retries=None,
        broker_pool_acquire_timeout=5,
        broker_transport_options=_transport_options(configuration) | _probing(configuration, probe_seconds),
        broker_use_ssl=_tls(configuration),
    )
    read_queue(app, queue)
    return app


def read_queue(app: Celery, queue: str) -> None:
    """Make `queue` the one that a worker of this application reads, and that its tasks go to."""
    app.conf.update(task_queues=(Queue(queue, durable=True),), task_default_queue=queue)
    setattr(app.amqp, "queues", app.conf.task_queues)  # noqa: B010 - its stubs know no setter


def _url(configuration: Settings) -> str:
    if configuration.embedded:
        return MEMORY
    sentinels = sentinel_address(configuration.broker_url)
    return configuration.broker_url if sentinels is None else sentinels.celery_url()


def _tls(configuration: Settings) -> dict[str, Any] | bool:
    """For Redis behind Sentinels; a rediss:// address has its options itself."""
    sentinels = sentinel_address(configuration.broker_url)
    return dict(sentinels.tls) if sentinels is not None and sentinels.tls else False


def _probing(configuration: Settings, seconds: float | None) -> dict[str, Any]:
    if seconds is None or configuration.embedded:
        return {}
    found: dict[str, Any] = {"socket_timeout": seconds, "socket_connect_timeout": seconds, "repeats": 0}
    if sentinels := sentinel_address(configuration.broker_url):
        found |= sentinels.transport_options(seconds=seconds)
        found["sentinel_kwargs"]["retry"] = Retry(NoBackoff(), 0)
    return found


def _transport_options(configuration: Settings) -> dict[str, Any]:
    if configuration.embedded:
        return {}
    sentinels = sentinel_address(configuration.broker_url)
    return {
        **(sentinels.transport_options(seconds=CONNECT_SECONDS) if sentinels else {}),
        # No copies of unacknowledged messages in Redis: database rows bring lost ones back sooner.
        "ack_emulation": False,
        "socket_timeout": 15,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "heard": current.note_broker_answer,
        "read": current.read_entry,
        "crashed": current.note_crash,
    }
