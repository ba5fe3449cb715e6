"""Many jobs, half of them finished: what a page of the console reads is bounded, whatever its filter.

A filter that an index serves touches a handful of pages; any other looks at one window of jobs. `PLAN_ROWS` as for the
statements of the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from api_models import job_filter
from tests.factories import NOW
from tests.integration import scale
from tests.integration.store.test_plans_at_scale import ROWS, Hot, filled_sqlite, pages, steps
from worker.store import activity, operations
from worker.store.access import console_log, console_sessions
from worker.store.database import Database
from worker.store.queries import job_search, tenant_pages
from worker.store.queries import jobs as job_queries

__all__ = ["filled_sqlite"]

TENANT: Final = "tenant 2"
FEW_PAGES: Final = 400
WINDOW_PAGES: Final = 6 * job_search.WINDOW
"""Each job of a window may lie on a page of its own, and is reached through two indexes; page and count read it."""
FEW_STEPS: Final = 20_000
STEPS_PER_JOB: Final = 60
TIMEOUT_SECONDS: Final = 600

INDEXED: Final = ("state:failed", "state:failed,expired,cancelled")
SEARCHED: Final = (
    "",
    '"no such words"',
    "voice:Kore",
    "cost:>99",
    "tag:none",
    "state:running",
    "batch:evening",
    "until:1h",
    "priority:>5",
    "code:invalid_request",
)


def listed(text: str) -> Callable[[Connection], object]:
    """The statements of the list's first page."""

    def run(connection: Connection) -> None:
        wanted = job_filter.parse(text, now=NOW).of_tenant(TENANT)
        search = job_search.search(connection, wanted)
        job_search.page(connection, search, before=None, most=50)

    return run


def counted(text: str) -> Callable[[Connection], object]:
    """The statements of the list's first page, with its count."""

    def run(connection: Connection) -> None:
        listed(text)(connection)
        job_search.count(connection, job_search.search(connection, job_filter.parse(text, now=NOW).of_tenant(TENANT)))

    return run


def operation_page(connection: Connection) -> None:
    """Count a page of an operation whose filter matches nothing."""
    record = operations.create(
        connection,
        tenant=TENANT,
        actor="ada",
        action=operations.Action.RETRY,
        filter_text='"no such words"',
        priority=None,
        now=NOW,
    )
    operations.advance(connection, record, now=NOW)


CHEAP: Final[dict[str, Callable[[Connection], object]]] = {
    **{f"list {text}": listed(text) for text in INDEXED},
    "session": lambda connection: console_sessions.by_token(connection, "x", now=NOW),
    "log": lambda connection: console_log.listed(connection, TENANT, most=50),
    "operations": lambda connection: operations.listed(connection, TENANT, most=25),
    "open operation": operations.next_open,
    "charts": lambda connection: activity.of_tenant(connection, TENANT, since=NOW),
    "next minute": lambda connection: activity.next_minute(connection, after=None, now=NOW),
    "batches": lambda connection: tenant_pages.batches(connection, TENANT, before=uuid7(), most=25),
}
BOUNDED: Final[dict[str, Callable[[Connection], object]]] = {
    **{f"list and count {text}": counted(text) for text in (*INDEXED, *SEARCHED)},
    "operation": operation_page,
}


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_postgresql_reads_a_window_at_most(on_postgresql: Database) -> None:
    """By pages of tables and indexes."""
    scale.fill(on_postgresql, ROWS)
    taken = {name: pages(on_postgresql, Hot(run, frozenset())) for name, run in CHEAP.items()}
    assert {name: number for name, number in taken.items() if number > FEW_PAGES} == {}
    taken = {name: pages(on_postgresql, Hot(run, frozenset())) for name, run in BOUNDED.items()}
    assert {name: number for name, number in taken.items() if number > WINDOW_PAGES} == {}
    counts = pages(on_postgresql, Hot(lambda one: job_queries.unfinished_of_tenant(one, TENANT), frozenset()))
    assert counts <= FEW_PAGES


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_sqlite_reads_a_window_at_most(filled_sqlite: Database) -> None:
    """By steps of its machine."""
    taken = {name: steps(filled_sqlite, Hot(run, frozenset())) for name, run in CHEAP.items()}
    assert {name: number for name, number in taken.items() if number > FEW_STEPS} == {}
    taken = {name: steps(filled_sqlite, Hot(run, frozenset())) for name, run in BOUNDED.items()}
    most = STEPS_PER_JOB * job_search.WINDOW
    assert {name: number for name, number in taken.items() if number > most} == {}
