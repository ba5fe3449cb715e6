"""The first page: what moves, what holds the queue and what reopens it, workers, batches, and the last 24 hours."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.responses import Response

from api_models.access import Scope
from api_models.job_filter import JobFilter
from api_models.model_notices import Notice, notices
from api_models.registry import MODELS
from api_models.status import IN_FLIGHT, TERMINAL, WAITING, JobStatus
from worker.gateway import answers
from worker.gateway.answers import gateway_of
from worker.gateway.console import pages
from worker.gateway.console.access import OperatingInstallation, Reader, Visitor, note
from worker.gateway.parts import Gateway
from worker.gateway.problems import not_found
from worker.store import account, activity, workers
from worker.store.access import api_keys
from worker.store.activity import Minute
from worker.store.money import balances
from worker.store.money.balances import Balance
from worker.store.queries import holds, job_search, tenant_pages
from worker.store.queries import jobs as job_queries
from worker.store.queries.holds import STALE_SECONDS, Hold
from worker.store.queries.job_search import Search
from worker.store.queries.tenant_pages import BatchEntry
from worker.store.workers import Member

router = APIRouter(prefix="/console", include_in_schema=False)

FRESH_SECONDS: Final = 2.0
"""Figures are read once in this time for all open consoles of a tenant."""
MAX_TENANTS: Final = 1_000
SHOWN_BATCHES: Final = 8
SHOWN_JOBS: Final = 8
STRIP_MINUTES: Final = 10
"""Of each point in the charts."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch that has not finished."""

    batch: BatchEntry
    counts: job_queries.Counts
    seconds_left: float | None

    @property
    def finished(self) -> int:
        return self.counts.of(*TERMINAL)


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything on the page, at one moment."""

    at: datetime
    counts: Mapping[JobStatus, int]
    holds: Sequence[Hold]
    workers: Sequence[Member]
    rpm: float | None
    balance: Balance | None
    minutes: Sequence[Minute]
    batches: Sequence[Progress]
    newest: Sequence[tenant_pages.JobEntry]

    @property
    def notices(self) -> Sequence[Notice]:
        """Models and prices that end soon."""
        return notices(MODELS.values(), self.at.date())

    @property
    def waiting(self) -> int:
        return sum(self.counts.get(state, 0) for state in WAITING)

    @property
    def in_flight(self) -> int:
        return sum(self.counts.get(state, 0) for state in IN_FLIGHT)

    @property
    def slots(self) -> int:
        return sum(member.slots for member in self.workers)

    @property
    def last_hour(self) -> Sequence[Minute]:
        return [one for one in self.minutes if one.minute >= self.at - timedelta(hours=1)]

    @property
    def spent_last_hour(self) -> Decimal:
        return activity.total_cost(self.last_hour)

    @property
    def finished_a_minute(self) -> float:
        """Of the last ten minutes."""
        recent = [one.finished for one in self.minutes if one.minute >= self.at - timedelta(minutes=11)]
        return sum(recent) / 10

    @property
    def hours_of_balance(self) -> float | None:
        if self.balance is None or not self.spent_last_hour:
            return None
        return float(self.balance.remaining / self.spent_last_hour)

    @property
    def is_still(self) -> bool:
        """Jobs are waiting and none is in flight."""
        return bool(self.waiting) and not self.in_flight


@dataclass(slots=True)
class FigureCache:
    """One per gateway process, so that two hundred open consoles cost as much as one."""

    _kept: dict[str, tuple[float, Figures]] = field(default_factory=dict)
    _reading: dict[str, threading.Lock] = field(default_factory=dict)

    def of(self, gateway: Gateway, tenant: str) -> Figures:
        """Return figures that are at most `FRESH_SECONDS` old, or older ones while another thread reads."""
        kept = self._kept.get(tenant)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        reading = self._reading.setdefault(tenant, threading.Lock())
        if kept is not None and reading.locked():
            return kept[1]
        with reading:
            kept = self._kept.get(tenant)
            if kept is not None and kept[0] > time.monotonic():
                return kept[1]
            found = read(gateway, tenant)
            if len(self._kept) > MAX_TENANTS:
                self._kept.clear()
            self._kept[tenant] = (time.monotonic() + FRESH_SECONDS, found)
            return found


def read(gateway: Gateway, tenant: str) -> Figures:
    with gateway.database.read() as connection:
        now = gateway.database.now(connection)
        alive = [
            one for one in workers.present(connection) if one.heartbeat_at >= now - timedelta(seconds=STALE_SECONDS)
        ]
        minutes = activity.of_tenant(connection, tenant, since=now - activity.SHOWN)
        newest = [
            tenant_pages.batch(connection, tenant, one.id)
            for one in tenant_pages.batches(connection, tenant, before=None, most=SHOWN_BATCHES)
            if one.finished_at is None
        ]
        found = [
            (one, job_queries.counts(connection, job_queries.of_batch(one.id))) for one in newest if one is not None
        ]
        return Figures(
            at=now,
            counts=job_queries.unfinished_of_tenant(connection, tenant),
            holds=[one for one in holds.holds(connection, now=now) if _concerns(connection, one, tenant)],
            workers=alive,
            rpm=account.load_pace(connection).rpm,
            balance=balances.last(connection),
            minutes=minutes,
            batches=[_progress(batch, counts, minutes, now) for batch, counts in found],
            newest=job_search.page(connection, Search(JobFilter(tenant=tenant)), before=None, most=SHOWN_JOBS).jobs,
        )


def _concerns(connection: Connection, hold: Hold, tenant: str) -> bool:
    """Whether a hold is the account's or this tenant's: the names of others' batches are not shown."""
    prefixes = (holds.PAUSED_PREFIX, holds.TAKES_PREFIX, holds.BUDGET_PREFIX)
    prefix = next((one for one in prefixes if hold.name.startswith(one)), None)
    if prefix is None:
        return True
    subject = hold.name.removeprefix(prefix)
    subject = subject.rpartition(":")[0] if prefix == holds.TAKES_PREFIX else subject
    try:
        identifier = UUID(subject)
    except ValueError:
        return subject == tenant
    if tenant_pages.batch(connection, tenant, identifier) is not None:
        return True
    key = api_keys.by_id(connection, identifier)
    return key is not None and key.tenant == tenant


def _progress(batch: BatchEntry, counts: job_queries.Counts, minutes: Sequence[Minute], now: datetime) -> Progress:
    recent = [one.finished for one in minutes if one.minute >= now - timedelta(minutes=11)]
    rate = sum(recent) / 10
    left = counts.total - counts.of(*TERMINAL)
    return Progress(batch, counts, left / rate * 60 if rate else None)


def visible_holds(figures: Figures, visitor: Visitor) -> list[Hold]:
    """Holds that this visitor may see: the account's need `operate`, as in the API; others only of its own tenant."""
    if not visitor.may(Scope.OPERATE):
        return []
    return list(figures.holds)


@router.get("")
def get_now(request: Request, visitor: Reader) -> Response:
    """What moves, and what does not."""
    gateway = gateway_of(request)
    figures = cache_of(request).of(gateway, visitor.tenant)
    values = {
        "figures": figures,
        "holds": visible_holds(figures, visitor),
        "sees_account": visitor.may(Scope.OPERATE),
        "hours": hours(figures.minutes),
        "reasons": reasons(figures, visitor),
        "is_embedded": gateway.settings.embedded,
    }
    return pages.render(request, "now.html", visitor, values)


@dataclass(frozen=True, slots=True)
class Hour:
    """A line of the table behind the charts."""

    at: datetime
    finished: int
    refused: int
    cost: Decimal
    wait: float


def hours(minutes: Sequence[Minute]) -> list[Hour]:
    """Sum by the hour, the newest first."""
    found: dict[datetime, list[Minute]] = {}
    for one in minutes:
        found.setdefault(one.minute.replace(minute=0), []).append(one)
    return [
        Hour(
            at,
            sum(one.finished for one in theirs),
            sum(one.refused for one in theirs),
            activity.total_cost(theirs),
            max(one.wait_p95 for one in theirs) / 1000,
        )
        for at, theirs in sorted(found.items(), reverse=True)
    ]


def reasons(figures: Figures, visitor: Visitor) -> list[str]:
    """Say why nothing moves, in sentences, when jobs wait and none is in flight."""
    if not figures.is_still or visible_holds(figures, visitor):
        return []
    scheduled = figures.counts.get(JobStatus.SCHEDULED, 0)
    if scheduled == figures.waiting:
        return [f"All {scheduled:,} waiting jobs are scheduled for later, or pause before another attempt."]
    return ["Nothing holds the queue: the dispatcher will start the next jobs within seconds."]


def cache_of(request: Request) -> FigureCache:
    found: FigureCache = request.app.state.console_figures
    return found


@router.get("/figures")
def get_figures(request: Request, visitor: Reader) -> Response:
    """The points of the charts, for the script that draws them."""
    figures = cache_of(request).of(gateway_of(request), visitor.tenant)
    return answers.json(strips(figures.minutes, figures.at), headers={"cache-control": "no-store"})


def strips(minutes: Sequence[Minute], now: datetime) -> dict[str, list[float | None]]:
    """Bin 24 hours into points of ten minutes: per minute, dollars per hour, and seconds of waiting."""
    step = STRIP_MINUTES * 60
    last = int(now.timestamp()) // step * step
    times = list(range(last - 86_400 + step, last + step, step))
    bins: dict[int, list[Minute]] = {at: [] for at in times}
    for one in minutes:
        bins.get(int(one.minute.timestamp()) // step * step, []).append(one)
    points = [bins[at] for at in times]
    return {
        "time": [float(at) for at in times],
        "finished": [sum(one.finished for one in found) / STRIP_MINUTES for found in points],
        "refused": [sum(one.refused for one in found) / STRIP_MINUTES for found in points],
        "cost": [float(activity.total_cost(found) * 60 / STRIP_MINUTES) for found in points],
        "wait_p50": [_longest(found, "wait_p50") for found in points],
        "wait_p95": [_longest(found, "wait_p95") for found in points],
    }


def _longest(found: Sequence[Minute], name: str) -> float | None:
    return max((getattr(one, name) / 1000 for one in found if one.finished or one.refused), default=None)


@router.post("/gates/{name}/open")
def open_gate(request: Request, name: str, action: OperatingInstallation) -> Response:
    """Open a gate by hand."""
    gateway = gateway_of(request)
    with gateway.database.begin() as connection:
        known = {gate.name for gate in account.closed_gates(connection)}
        if name not in known:
            raise not_found("closed gate")
        now = gateway.database.now(connection)
        account.open_gate(connection, name, now=now)
        note(connection, action, "open gate", name, now=now)
    gateway.on_new_jobs()
    return pages.see_other("/console?done=opened")
