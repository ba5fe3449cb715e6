"""What `/metrics` shows: counted here as it happens, or read from the rows when asked. Prometheus' own format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api_models.status import JobStatus
from worker.store.database import Database
from worker.store.queries import metrics
from worker.store.queries.metrics import QueueSnapshot

LATENCIES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WINDOW: Final = timedelta(minutes=5)
"""Over which shares and latencies of calls are taken."""


class _Rows(Collector):
    """Everything that is read from the rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[Metric]:
        with self._database.read() as connection:
            standing = metrics.snapshot(connection, now=self._database.now(connection), window=WINDOW)
        yield from _of_jobs(standing)
        yield from _of_calls(standing)
        yield from _of_the_rest(standing)


def _of_jobs(standing: QueueSnapshot) -> Iterable[Metric]:
    jobs = GaugeMetricFamily("ttsq_jobs", "Jobs by state; those that are over, of the last day.", labels=["status"])
    for status in JobStatus:
        jobs.add_metric([status], standing.jobs.get(status, 0))
    yield jobs
    yield GaugeMetricFamily(
        "ttsq_queue_age_seconds", "How long the job that waits longest has waited.", standing.queue_age_seconds
    )


def _of_calls(standing: QueueSnapshot) -> Iterable[Metric]:
    verdicts = GaugeMetricFamily(
        "ttsq_attempts_recent", "Attempts that ended in the last five minutes, by verdict.", labels=["verdict"]
    )
    for verdict, number in sorted(standing.verdicts.items()):
        verdicts.add_metric([verdict], number)
    yield verdicts
    yield GaugeMetricFamily(
        "ttsq_rate_limited_share", "The share of calls answered 429 in the last five minutes.", standing.limited_share
    )
    for name, told, quantiles in (
        ("ttsq_attempt_seconds", "From the claim to the record", standing.attempt_seconds),
        ("ttsq_call_seconds", "How long the API took", standing.call_seconds),
        ("ttsq_upload_seconds", "How long the store took", standing.upload_seconds),
    ):
        seconds = GaugeMetricFamily(name, f"{told}, over the last five minutes, by quantile.", labels=["quantile"])
        for quantile, value in quantiles.items():
            seconds.add_metric([f"{quantile:g}"], value)
        yield seconds
    yield GaugeMetricFamily(
        "ttsq_spent_recent_dollars", "What calls have cost in the last five minutes.", float(standing.spent)
    )


def _of_the_rest(standing: QueueSnapshot) -> Iterable[Metric]:
    if standing.rpm is not None:
        yield GaugeMetricFamily("ttsq_pace_rpm", "Calls a minute that the dispatcher permits itself.", standing.rpm)
    if standing.balance is not None:
        yield GaugeMetricFamily(
            "ttsq_balance_dollars", "What is left in the account, as an answer last said.", float(standing.balance)
        )
    gates = GaugeMetricFamily("ttsq_gate_closed", "1 while the gate holds jobs.", labels=["gate", "code"])
    for name, code in standing.closed_gates:
        gates.add_metric([name, code], 1)
    yield gates
    yield GaugeMetricFamily("ttsq_workers", "Worker processes that are alive.", standing.workers)
    yield GaugeMetricFamily("ttsq_slots", "Calls that they can have in flight.", standing.slots)
    deliveries = GaugeMetricFamily(
        "ttsq_deliveries", "Deliveries of webhooks by state; those that are over, of the last day.", labels=["state"]
    )
    for state, number in sorted(standing.deliveries.items()):
        deliveries.add_metric([state], number)
    yield deliveries
    yield GaugeMetricFamily(
        "ttsq_delivery_age_seconds", "How long the oldest delivery has been on its way.", standing.delivery_age_seconds
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """One a process."""

    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    under_way: Gauge
    submitted: Counter

    @classmethod
    def of(cls, database: Database) -> Figures:
        """All at zero."""
        registry = CollectorRegistry()
        registry.register(_Rows(database))
        return cls(
            registry,
            Counter(
                "ttsq_http_requests", "Requests, by route and status.", ["method", "route", "status"], registry=registry
            ),
            Histogram(
                "ttsq_http_request_seconds", "How long requests took.", ["route"], buckets=LATENCIES, registry=registry
            ),
            Gauge("ttsq_http_requests_under_way", "Requests that are being answered now.", registry=registry),
            Counter("ttsq_http_jobs_accepted", "Jobs taken, by the way they came.", ["way"], registry=registry),
        )

    def shown(self) -> bytes:
        """The text."""
        return generate_latest(self.registry)
