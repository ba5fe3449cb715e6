"""The metrics at `/metrics`: those of the database, and those that this process counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import Scope

from worker.monitoring.catalogue import BY_NAME
from worker.monitoring.exposition import DatabaseCollector
from worker.store.database import Database

LATENCIES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WAITED: Final = "waited"


def note_wait(scope: Scope) -> None:
    """Note that a request waits for a job's end, or streams: its duration says nothing about the gateway."""
    scope["state"][_WAITED] = True


@dataclass(frozen=True, slots=True)
class GatewayMetrics:
    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    wait_seconds: Histogram
    in_progress: Gauge
    submitted: Counter

    @classmethod
    def of(cls, database: Database) -> GatewayMetrics:
        registry = CollectorRegistry()
        registry.register(DatabaseCollector(database))
        return cls(
            registry,
            _counter("ttsq_http_requests_total", registry),
            _histogram("ttsq_http_request_seconds", registry),
            _histogram("ttsq_http_wait_seconds", registry),
            Gauge("ttsq_http_requests_under_way", _help("ttsq_http_requests_under_way"), registry=registry),
            _counter("ttsq_http_jobs_accepted_total", registry),
        )

    def seconds_of(self, scope: Scope) -> Histogram:
        return self.wait_seconds if scope["state"].get(_WAITED) else self.seconds

    def render(self) -> bytes:
        return generate_latest(self.registry)


def _help(name: str) -> str:
    return BY_NAME[name].description


def _counter(name: str, registry: CollectorRegistry) -> Counter:
    return Counter(name.removesuffix("_total"), _help(name), BY_NAME[name].labels, registry=registry)


def _histogram(name: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(name, _help(name), BY_NAME[name].labels, buckets=LATENCIES, registry=registry)
