"""The metrics at `/metrics`, counted in process or read from the database on request, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api_models.status import JobStatus
from worker.store.database import Database
from worker.store.queries import metrics
from worker.store.queries.metrics import QueueSnapshot

LATENCIES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WINDOW: Final = timedelta(minutes=5)
"""Window of the shares and latencies of calls."""


class _Rows(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[Metric]:
        with self._database.read() as connection:
            snapshot = metrics.snapshot(connection, now=self._database.now(connection), window=WINDOW)
        yield from _of_jobs(snapshot)
        yield from _of_calls(snapshot)
        yield from _of_the_rest(snapshot)


def _of_jobs(snapshot: QueueSnapshot) -> Iterable[Metric]:
    jobs = GaugeMetricFamily("ttsq_jobs", "Jobs by state; finished ones of the last day only.", labels=["status"])
    for status in JobStatus:
        jobs.add_metric([status], snapshot.jobs.get(status, 0))
    yield jobs
    yield GaugeMetricFamily(
        "ttsq_queue_age_seconds", "Age of the oldest queued job that may start.", snapshot.queue_age_seconds
    )


def _of_calls(snapshot: QueueSnapshot) -> Iterable[Metric]:
    verdicts = GaugeMetricFamily(
        "ttsq_attempts_recent", "Attempts finished in the last five minutes, by verdict.", labels=["verdict"]
    )
    for verdict, number in sorted(snapshot.verdicts.items()):
        verdicts.add_metric([verdict], number)
    yield verdicts
    yield GaugeMetricFamily(
        "ttsq_rate_limited_share", "Share of calls refused with 429 in the last five minutes.", snapshot.limited_share
    )
    for name, description, quantiles in (
        ("ttsq_attempt_seconds", "Time from claim to record", snapshot.attempt_seconds),
        ("ttsq_call_seconds", "Duration of API calls", snapshot.call_seconds),
        ("ttsq_upload_seconds", "Duration of uploads to the store", snapshot.upload_seconds),
    ):
        seconds = GaugeMetricFamily(
            name, f"{description}, over the last five minutes, by quantile.", labels=["quantile"]
        )
        for quantile, value in quantiles.items():
            seconds.add_metric([f"{quantile:g}"], value)
        yield seconds
    yield GaugeMetricFamily(
        "ttsq_spent_recent_dollars", "Cost of calls in the last five minutes.", float(snapshot.spent)
    )


def _of_the_rest(snapshot: QueueSnapshot) -> Iterable[Metric]:
    if snapshot.rpm is not None:
        yield GaugeMetricFamily("ttsq_pace_rpm", "Rate of calls per minute that the dispatcher allows.", snapshot.rpm)
    if snapshot.balance is not None:
        yield GaugeMetricFamily(
            "ttsq_balance_dollars", "Account balance, as last reported by the API.", float(snapshot.balance)
        )
    gates = GaugeMetricFamily("ttsq_gate_closed", "1 while the gate holds jobs.", labels=["gate", "code"])
    for name, code in snapshot.closed_gates:
        gates.add_metric([name, code], 1)
    yield gates
    yield GaugeMetricFamily("ttsq_workers", "Live worker processes.", snapshot.workers)
    yield GaugeMetricFamily("ttsq_slots", "Total slots of the live workers.", snapshot.slots)
    yield CounterMetricFamily(
        "ttsq_messages_dropped", "Broker messages that could never be served.", snapshot.dropped_messages
    )
    deliveries = GaugeMetricFamily(
        "ttsq_deliveries", "Webhook deliveries by state; finished ones of the last day only.", labels=["state"]
    )
    for state, number in sorted(snapshot.deliveries.items()):
        deliveries.add_metric([state], number)
    yield deliveries
    yield GaugeMetricFamily(
        "ttsq_delivery_age_seconds", "Age of the oldest unfinished delivery.", snapshot.delivery_age_seconds
    )


@dataclass(frozen=True, slots=True)
class GatewayMetrics:
    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    in_progress: Gauge
    submitted: Counter

    @classmethod
    def of(cls, database: Database) -> GatewayMetrics:
        registry = CollectorRegistry()
        registry.register(_Rows(database))
        return cls(
            registry,
            Counter(
                "ttsq_http_requests", "Requests by route and status.", ["method", "route", "status"], registry=registry
            ),
            Histogram(
                "ttsq_http_request_seconds", "Duration of requests.", ["route"], buckets=LATENCIES, registry=registry
            ),
            Gauge("ttsq_http_requests_under_way", "Requests in progress.", registry=registry),
            Counter("ttsq_http_jobs_accepted", "Jobs accepted, by source.", ["way"], registry=registry),
        )

    def render(self) -> bytes:
        return generate_latest(self.registry)
