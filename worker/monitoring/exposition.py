"""The metrics of the database in the form that Prometheus reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from api_models.model_notices import price_days, sunset_days
from api_models.registry import MODELS
from api_models.speech_model import SpeechModel, today
from api_models.status import TERMINAL, JobStatus
from api_models.verdict import VerdictKind
from worker.monitoring.catalogue import BY_NAME
from worker.store import totals
from worker.store.database import Database
from worker.store.queries import backlog, metrics
from worker.store.queries.metrics import QueueSnapshot
from worker.store.totals import Key, Name
from worker.store.types import PICODOLLARS

WINDOW: Final = timedelta(minutes=5)
"""Window of the shares and of the latency that the useful slots follow."""
MILLISECONDS: Final = 1_000

Samples = Iterable[tuple[tuple[str, ...], float]]


class DatabaseCollector(Collector):
    """Reads everything anew at each scrape."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[Metric]:
        with self._database.read() as connection:
            snapshot = metrics.snapshot(connection, now=self._database.now(connection), window=WINDOW)
        yield from families(snapshot)
        yield from of_models(MODELS.values(), today())


def families(snapshot: QueueSnapshot) -> Iterable[Metric]:
    yield gauge("ttsq_build_info", [((build_version(),), 1)])
    yield from _of_jobs(snapshot)
    yield from _of_calls(snapshot)
    yield from _of_money(snapshot)
    yield from _of_the_rest(snapshot)


def of_models(models: Iterable[SpeechModel], day: date) -> Iterable[Metric]:
    for name, days_of in (("ttsq_price_days", price_days), ("ttsq_sunset_days", sunset_days)):
        found = ((model.slug, days_of(model, day)) for model in models)
        yield gauge(name, [((slug,), days) for slug, days in found if days is not None])


def gauge(name: str, samples: Samples) -> Metric:
    family = BY_NAME[name]
    metric = GaugeMetricFamily(name, family.description, labels=family.labels)
    for labels, value in samples:
        metric.add_metric(labels, value)
    return metric


def counter(name: str, samples: Samples) -> Metric:
    family = BY_NAME[name]
    metric = CounterMetricFamily(name.removesuffix("_total"), family.description, labels=family.labels)
    for labels, value in samples:
        metric.add_metric(labels, value)
    return metric


def build_version() -> str:
    try:
        return version("ttsq")
    except PackageNotFoundError:
        return "unknown"


def _histogram(name: str, found: Mapping[Key, int], total: Name) -> Metric:
    metric = HistogramMetricFamily(name, BY_NAME[name].description, labels=BY_NAME[name].labels)
    by_model: dict[str, dict[str, int]] = defaultdict(dict)
    for key, value in found.items():
        if key.name is total:
            by_model[key.model][key.label] = value
    for model, counts in sorted(by_model.items()):
        metric.add_metric([model], _cumulated(counts), counts.get(totals.SUM, 0) / MILLISECONDS)
    return metric


def _cumulated(counts: Mapping[str, int]) -> list[tuple[str, float]]:
    reached, buckets = 0, []
    for label in (*(f"{bound:g}" for bound in totals.BUCKETS), totals.BEYOND):
        reached += counts.get(label, 0)
        buckets.append((label if label == totals.BEYOND else str(float(label)), float(reached)))
    return buckets


def _of_jobs(snapshot: QueueSnapshot) -> Iterable[Metric]:
    yield gauge("ttsq_jobs", [((status,), snapshot.jobs.get(status, 0)) for status in JobStatus])
    outcomes = {Key(Name.JOBS, str(status)) for status in TERMINAL}
    ended = sorted((key.label, snapshot.totals.get(key, 0)) for key in outcomes)
    yield counter("ttsq_jobs_finished_total", [((outcome,), number) for outcome, number in ended])
    yield gauge("ttsq_queue_age_seconds", [((), snapshot.queue_age_seconds)])
    yield gauge("ttsq_priority_queue_age_seconds", [((), snapshot.priority_queue_age_seconds)])
    yield gauge("ttsq_startable_jobs", [((), snapshot.backlog.startable)])
    held = snapshot.backlog.held
    yield gauge("ttsq_held_jobs", [((reason,), held.get(reason, 0)) for reason in backlog.REASONS])
    yield gauge("ttsq_useful_slots", [((), snapshot.useful_slots)])


def _of_calls(snapshot: QueueSnapshot) -> Iterable[Metric]:
    found = snapshot.totals
    models = sorted({key.model for key in found if key.name is Name.ATTEMPTS})
    # Every verdict from the first attempt of its model on: a counter that appears with its first value hides it.
    keys = [Key(Name.ATTEMPTS, str(verdict), model) for model in models for verdict in VerdictKind]
    yield counter("ttsq_attempts_total", [((key.label, key.model), found.get(key, 0)) for key in keys])
    yield gauge("ttsq_attempts_recent", [((verdict,), number) for verdict, number in sorted(snapshot.verdicts.items())])
    yield gauge("ttsq_rate_limited_share", [((), snapshot.limited_share)])
    yield _histogram("ttsq_attempt_seconds", found, Name.ATTEMPT_SECONDS)
    yield _histogram("ttsq_call_seconds", found, Name.CALL_SECONDS)
    yield _histogram("ttsq_upload_seconds", found, Name.UPLOAD_SECONDS)
    stored = sorted((key.model, value) for key, value in found.items() if key.name is Name.BYTES)
    yield counter("ttsq_audio_bytes_total", [((model,), value) for model, value in stored])


def _of_money(snapshot: QueueSnapshot) -> Iterable[Metric]:
    spent = {key: value for key, value in snapshot.totals.items() if key.name is Name.DOLLARS}
    dollars = sorted((key.model, key.tenant, float(Decimal(value) / PICODOLLARS)) for key, value in spent.items())
    yield counter("ttsq_cost_dollars_total", [((model, tenant), value) for model, tenant, value in dollars])
    yield gauge("ttsq_spent_recent_dollars", [((), float(snapshot.spent))])
    yield gauge("ttsq_possibly_billed_attempts", [((), snapshot.possibly_billed)])
    if snapshot.balance is not None:
        yield gauge("ttsq_balance_dollars", [((), float(snapshot.balance))])
    budgets = snapshot.budgets
    yield gauge("ttsq_budget_used_ratio", [((one.kind, one.name), one.used_ratio) for one in budgets])
    yield gauge("ttsq_budget_holds", [((one.kind, one.name), float(one.holds)) for one in budgets])


def _of_the_rest(snapshot: QueueSnapshot) -> Iterable[Metric]:
    if snapshot.rpm is not None:
        yield gauge("ttsq_pace_rpm", [((), snapshot.rpm)])
    yield gauge("ttsq_gate_closed", [((name, code), 1) for name, code in snapshot.closed_gates])
    yield gauge("ttsq_leader", [((), float(snapshot.has_leader))])
    yield gauge("ttsq_workers", [((), snapshot.workers)])
    yield gauge("ttsq_slots", [((), snapshot.slots)])
    yield counter("ttsq_workers_lost_total", [((), snapshot.totals.get(Key(Name.WORKERS_LOST), 0))])
    yield counter("ttsq_messages_dropped_total", [((), snapshot.dropped_messages)])
    inbox = snapshot.inbox
    yield gauge("ttsq_inbox_rows", [(("waiting",), inbox.waiting), (("refused",), inbox.refused)])
    yield gauge("ttsq_deliveries", [((state,), number) for state, number in sorted(snapshot.deliveries.items())])
    yield gauge("ttsq_delivery_age_seconds", [((), snapshot.delivery_age_seconds)])
