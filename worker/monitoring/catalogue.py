"""Every metric: its name, kind, labels and description. Exposition, alerts, dashboard and docs follow this table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Which `/metrics` has it."""

    DATABASE = "database"
    """Every gateway: the same values, read from the database."""
    GATEWAY = "gateway"
    """Every gateway: of its own process."""
    WORKER = "worker"
    """Every worker with TTSQ_WORKER_METRICS_ADDRESS: of its own process."""


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    """As in queries; a counter ends in `_total`."""
    kind: Kind
    description: str
    labels: tuple[str, ...] = ()
    source: Source = Source.DATABASE


def _counter(name: str, description: str, *labels: str, source: Source = Source.DATABASE) -> Family:
    return Family(name, Kind.COUNTER, description, labels, source)


def _gauge(name: str, description: str, *labels: str, source: Source = Source.DATABASE) -> Family:
    return Family(name, Kind.GAUGE, description, labels, source)


def _histogram(name: str, description: str, *labels: str, source: Source = Source.DATABASE) -> Family:
    return Family(name, Kind.HISTOGRAM, description, labels, source)


GATEWAY: Final = Source.GATEWAY
WORKER: Final = Source.WORKER
FAMILIES: Final = (
    _gauge("ttsq_build_info", "1; the version is in the label.", "version"),
    _gauge("ttsq_jobs", "Jobs by state; finished ones of the last day only.", "status"),
    _counter("ttsq_jobs_finished_total", "Jobs that reached a final state, parts of documents left out.", "outcome"),
    _gauge("ttsq_queue_age_seconds", "Age of the oldest queued job that could start."),
    _gauge("ttsq_priority_queue_age_seconds", "The same of jobs with a priority above 0."),
    _gauge("ttsq_startable_jobs", "Queued jobs that nothing holds but slots and pace."),
    _gauge("ttsq_held_jobs", "Queued jobs that may not start, by the first reason that applies.", "reason"),
    _gauge("ttsq_useful_slots", "Slots that the pace and the jobs to be started can keep busy; see docs/scaling.md."),
    _counter("ttsq_attempts_total", "Attempts by verdict.", "verdict", "model"),
    _gauge("ttsq_attempts_recent", "Attempts finished in the last five minutes, by verdict.", "verdict"),
    _gauge("ttsq_rate_limited_share", "Share of calls refused with 429 in the last five minutes."),
    _histogram("ttsq_attempt_seconds", "Time from claim to record, of attempts with a call.", "model"),
    _histogram("ttsq_call_seconds", "Duration of API calls.", "model"),
    _histogram("ttsq_upload_seconds", "Duration of uploads to the store, waits included.", "model"),
    _counter("ttsq_audio_bytes_total", "Stored audio.", "model"),
    _counter("ttsq_cost_dollars_total", "Cost of calls, as recorded in the ledger.", "model", "tenant"),
    _gauge("ttsq_spent_recent_dollars", "Cost of calls in the last five minutes."),
    _gauge("ttsq_possibly_billed_attempts", "Attempts that may have been billed and have no clear response."),
    _gauge("ttsq_pace_rpm", "Rate of calls per minute that the dispatcher allows; absent without a limit."),
    _gauge("ttsq_balance_dollars", "Account balance, as last reported by the API; absent before the first report."),
    _gauge("ttsq_price_days", "Days until a model's last price row ends; absent without an end.", "model"),
    _gauge("ttsq_sunset_days", "Days until a model's last day of service; absent without one.", "model"),
    _gauge("ttsq_budget_used_ratio", "Share of a budget that is spent or possibly billed.", "kind", "name"),
    _gauge("ttsq_budget_holds", "1 while a budget holds jobs.", "kind", "name"),
    _gauge("ttsq_gate_closed", "1 while the gate holds jobs.", "gate", "code"),
    _gauge("ttsq_leader", "1 while a worker leads, 0 while none does."),
    _gauge("ttsq_workers", "Live worker processes."),
    _gauge("ttsq_slots", "Total slots of the live workers."),
    _counter("ttsq_workers_lost_total", "Workers whose heartbeat lapsed, so that their jobs were taken from them."),
    _counter("ttsq_messages_dropped_total", "Broker messages that could never be served."),
    _gauge("ttsq_inbox_rows", "Rows of the inbox that are waiting or refused.", "state"),
    _gauge("ttsq_deliveries", "Webhook deliveries by state; finished ones of the last day only.", "state"),
    _gauge("ttsq_delivery_age_seconds", "Age of the oldest unfinished delivery."),
    _counter("ttsq_http_requests_total", "Requests by route and status.", "method", "route", "status", source=GATEWAY),
    _histogram(
        "ttsq_http_request_seconds", "Duration of requests, without the wait for a job's end.", "route", source=GATEWAY
    ),
    _histogram("ttsq_http_wait_seconds", "Duration of requests that waited for a job's end.", "route", source=GATEWAY),
    _gauge("ttsq_http_requests_under_way", "Requests in progress.", source=GATEWAY),
    _counter("ttsq_http_jobs_accepted_total", "Jobs accepted, by source.", "way", source=GATEWAY),
    _gauge("ttsq_worker_slots", "Calls that this worker may have in flight.", source=WORKER),
    _gauge("ttsq_worker_attempts", "Attempts that this worker is executing.", source=WORKER),
    _gauge("ttsq_worker_heartbeat_age_seconds", "Time since this worker's last successful heartbeat.", source=WORKER),
    _gauge("ttsq_worker_leads", "1 while this worker leads.", source=WORKER),
    _gauge("ttsq_worker_troubled", "1 while this worker cannot accept paid work.", source=WORKER),
    _counter(
        "ttsq_worker_messages_dropped_total", "Broker messages that this worker could never serve.", source=WORKER
    ),
)

BY_NAME: Final = {family.name: family for family in FAMILIES}


def series(family: Family) -> frozenset[str]:
    """Return the names under which queries find a family."""
    if family.kind is Kind.HISTOGRAM:
        return frozenset(f"{family.name}_{suffix}" for suffix in ("bucket", "sum", "count"))
    return frozenset({family.name})
