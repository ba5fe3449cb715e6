"""A restored database shows: a worker's machine has seen it further on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, update

from tests.factories import add_worker
from tests.terminal import Ttsq
from worker.execution.restore_sign import NAME, RestoreSign
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.tables.workers import Worker


@pytest.fixture
def sign(queue: Database, tmp_path: Path) -> RestoreSign:
    """A machine that saw a worker beat just now."""
    sign = RestoreSign(queue, tmp_path)
    with queue.begin() as connection:
        now = queue.now(connection)
        worker = add_worker(connection, heartbeat_at=now)
    sign.note(worker, now=now)
    return sign


def put_back(database: Database, *, seconds: float) -> None:
    """The rows of workers are so much older than they were."""
    with database.begin() as connection:
        then = database.now(connection) - timedelta(seconds=seconds)
        connection.execute(update(Worker).values(heartbeat_at=then))


@pytest.mark.parametrize(("seconds", "behind"), [(0, False), (20, False), (600, True)])
def test_a_database_that_lost_minutes_is_behind(sign: RestoreSign, seconds: float, *, behind: bool) -> None:
    """A replica that took over a few seconds late is not."""
    put_back(sign.database, seconds=seconds)
    assert sign.is_behind() is behind


def test_a_database_without_the_worker_is_behind(sign: RestoreSign) -> None:
    """It was backed up before the worker had begun."""
    with sign.database.begin() as connection:
        connection.execute(delete(Worker))
    assert sign.is_behind()


def test_the_check_settles_it(sign: RestoreSign) -> None:
    """After `ttsq restore-check` there is nothing left to warn of."""
    put_back(sign.database, seconds=600)
    with sign.database.begin() as connection:
        events.move_ahead(connection, now=sign.database.now(connection))
    assert not sign.is_behind()


def test_no_file_or_that_of_another_database_says_nothing(sign: RestoreSign) -> None:
    """A spool may have served another queue before; half a file is none."""
    put_back(sign.database, seconds=600)
    file = sign.folder / NAME
    content = file.read_text()
    for other in (content.replace('"database": "', '"database": "0'), content[:20], "[]"):
        file.write_text(other)
        assert not sign.is_behind()
    file.unlink()
    assert not sign.is_behind()


def test_a_read_only_folder_stops_no_worker(queue: Database, tmp_path: Path) -> None:
    """The sign is a help, not a duty."""
    with queue.read() as connection:
        now = queue.now(connection)
    RestoreSign(queue, tmp_path / "missing").note(UUID(int=1), now=now)


def test_the_doctor_names_the_command(sign: RestoreSign, ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says nothing of it while all is well."""
    monkeypatch.setenv("TTSQ_SPOOL_DIR", str(sign.folder))
    monkeypatch.setenv("TTSQ_BROKER_URL", "memory://")
    assert "ttsq restore-check" not in ttsq("doctor").out
    put_back(sign.database, seconds=600)
    assert "ttsq restore-check" in ttsq("doctor").out
