"""A gateway for a module's hostile requests, none of which may write anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway import Client, Running, running
from worker.store.database import Database
from worker.store.outbox import endpoints
from worker.store.queries import jobs


@pytest.fixture(scope="module")
def gateway(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One gateway for all of them: what one attack leaves behind, the next would find."""
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / "queue.db"
    shutil.copyfile(migrated_file, path)
    database = Database(f"sqlite:///{path}")
    with running(database, TTSQ_ARTIFACTS_URL=(folder / "audio").as_uri()) as started:
        yield started
    database.close()


@pytest.fixture(scope="module")
def client(gateway: Running) -> Client:
    """A client with every permission."""
    return gateway.client()


@pytest.fixture(autouse=True)
def nothing_gets_in(gateway: Running) -> Iterator[None]:
    """Whatever was tried: there is no row of it, and the gateway still answers."""
    yield
    with gateway.gateway.database.read() as connection:
        assert jobs.counts(connection, jobs.all_jobs()).total == 0
        assert [one.url for one in endpoints.listed(connection) if one.url] == []
    assert gateway.stranger.get("/healthz").status == 200
