"""The metrics of the database as Prometheus reads them: of an empty installation and of a busy one."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest

from api_models.verdict import GateScope
from tests.factories import MODEL, a_gate, a_settlement, add_batch, add_gate, add_job, add_lease, add_worker, some_audio
from tests.integration.store.claimed_jobs import SUCCEEDED, claimed
from tests.servers.prometheus import check
from worker.monitoring.catalogue import FAMILIES, Kind, Source
from worker.monitoring.exposition import DatabaseCollector
from worker.store import account
from worker.store.account import PaceState
from worker.store.database import Database
from worker.store.money import balances, budgets
from worker.store.queries import attempts
from worker.store.transitions import actions, settlement

OURS: Final = {family.name: family for family in FAMILIES if family.source is Source.DATABASE}
ONLY_WITH_ROWS: Final = {"ttsq_deliveries", "ttsq_price_days", "ttsq_sunset_days"}


def exposition(database: Database) -> str:
    registry = CollectorRegistry()
    registry.register(DatabaseCollector(database))
    return generate_latest(registry).decode()


def types(text: str) -> dict[str, str]:
    """The kind of each metric."""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def fill(database: Database) -> None:
    """Something of everything."""
    with database.begin() as connection:
        now = database.now(connection)
        add_lease(connection, expires_at=now + timedelta(minutes=1))
        add_worker(connection, heartbeat_at=now, dropped_messages=2)
        batch = add_batch(connection)
        waiting = [add_job(connection, batch_id=batch) for _ in range(3)]
        done = a_settlement(SUCCEEDED, call_ms=7_900, upload_ms=20, audio=some_audio(audio_bytes=1_000))
        settlement.settle(connection, claimed(connection, add_job(connection)), done, now=now)
        attempts.take_news(connection)
        actions.cancel(connection, actions.these(waiting[:1]), now=now)
        add_gate(connection, a_gate(scope=GateScope.STORAGE, code='a "quoted" code'))
        balances.note(connection, Decimal("12.5"), now)
        budgets.limit_batch(connection, batch, Decimal("0.05"))
        account.save_pace(connection, PaceState(rpm=120.0))


def test_a_busy_installation_shows_every_metric(database: Database) -> None:
    """Each of the table with its kind and labels, and nothing beside it; promtool finds no fault with it."""
    fill(database)
    text = exposition(database)
    assert types(text) == {name: str(family.kind) for name, family in OURS.items()}
    for name, family in OURS.items():
        suffix = "_count" if family.kind is Kind.HISTOGRAM else ""
        samples = re.findall(rf"^{name}{suffix}(?:\{{(.*)\}})? \S+$", text, re.MULTILINE)
        if name not in ONLY_WITH_ROWS:
            assert samples, name
        for labels in samples:
            assert set(re.findall(r'(\w+)="', labels)) == set(family.labels)
    assert check("metrics", text=text) == ""
    for sample in (
        'ttsq_jobs_finished_total{outcome="succeeded"} 1.0',
        'ttsq_jobs_finished_total{outcome="cancelled"} 1.0',
        f'ttsq_cost_dollars_total{{model="{MODEL}",tenant="default"}} 0.0067',
        f'ttsq_audio_bytes_total{{model="{MODEL}"}} 1000.0',
        f'ttsq_call_seconds_bucket{{le="5.0",model="{MODEL}"}} 0.0',
        f'ttsq_call_seconds_bucket{{le="10.0",model="{MODEL}"}} 1.0',
        f'ttsq_call_seconds_sum{{model="{MODEL}"}} 7.9',
        f'ttsq_attempts_total{{model="{MODEL}",verdict="refused"}} 0.0',
        'ttsq_held_jobs{reason="storage"} 2.0',
        "ttsq_messages_dropped_total 2.0",
        "ttsq_leader 1.0",
    ):
        assert f"{sample}\n" in text


def test_an_empty_installation_has_every_metric_that_is_known(database: Database) -> None:
    """Zeros where nothing happened; no pace without a limit, no balance before its first report."""
    text = exposition(database)
    assert set(OURS) - set(types(text)) == {"ttsq_pace_rpm", "ttsq_balance_dollars"}
    assert check("metrics", text=text) == ""
    for sample in ("ttsq_leader 0.0", "ttsq_workers_lost_total 0.0", 'ttsq_jobs_finished_total{outcome="failed"} 0.0'):
        assert f"{sample}\n" in text
