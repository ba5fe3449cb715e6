"""A worker that speaks v2, whose waits between polls take no time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from api_models.status import JobStatus
from tests.attempt_harness import During, Workshop, kill, opened
from tests.databases import BOTH
from tests.integration.segmind_clients import Time, make_v2
from worker.emulator.faults import Effect, Match, Rule, Step
from worker.emulator.server import Emulator
from worker.store.database import Database

SUCCEEDED, FAILED, QUEUED, SCHEDULED = (
    JobStatus.SUCCEEDED,
    JobStatus.FAILED,
    JobStatus.QUEUED,
    JobStatus.SCHEDULED,
)
RUN_TIMEOUT: Final = 60.0
UNDER_WAY: Final = Rule(match=Match(step=Step.POLL), effect=Effect(word="PROCESSING"))
"""Polls report that the run is still processing."""


@pytest.fixture
def time() -> Time:
    """The waits between polls, which take no time."""
    return Time()


@contextmanager
def a_shop(database: Database, emulator: Emulator, folder: Path, time: Time) -> Iterator[Workshop]:
    """A worker that submits and polls."""
    with closing(make_v2(emulator.base_url, time=time, run_timeout=RUN_TIMEOUT)) as client:
        yield opened(Workshop(database, emulator, folder, During(client)))


@pytest.fixture
def shop(on_sqlite: Database, emulator: Emulator, tmp_path: Path, time: Time) -> Iterator[Workshop]:
    """A worker on SQLite."""
    with a_shop(on_sqlite, emulator, tmp_path, time) as made:
        yield made


@pytest.fixture(params=BOTH)
def shop_on_both(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path, time: Time) -> Iterator[Workshop]:
    """A worker, once on each database."""
    with a_shop(request.getfixturevalue(f"on_{request.param}"), emulator, tmp_path, time) as made:
        yield made


def runs_go_on(shop: Workshop) -> None:
    """Make runs outlast the test."""
    shop.emulator.admin.rules([UNDER_WAY])


def runs_end(shop: Workshop) -> None:
    """Finish all submitted runs."""
    shop.emulator.admin.rules([])


def submitted(shop: Workshop) -> int:
    """How often a text was handed to the API."""
    return shop.emulator.state(detail=False).submits


def a_killed_job(shop: Workshop, time: Time) -> UUID:
    """A job whose worker died between its first poll and its second."""
    job = shop.job()
    runs_go_on(shop)
    time.on_wait = kill
    shop.run_until_killed(job)
    time.on_wait = None
    shop.die()
    runs_end(shop)
    return job
