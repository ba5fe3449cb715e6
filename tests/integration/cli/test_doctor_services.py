"""What `ttsq doctor` says of services that answer and are good for nothing, and of clocks that disagree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from redis import Redis
from sqlalchemy import text

from tests.integration.cli.test_doctor import Doctor
from tests.servers.valkey import Valkey
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store.database import Database


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """The command."""
    return Doctor(capsys)


@pytest.fixture(autouse=True)
def installation(monkeypatch: pytest.MonkeyPatch, on_postgresql: Database, redis_url: str) -> Iterator[None]:
    """PostgreSQL, Redis and an API, all well."""
    with Emulator(EmulatorConfig()) as emulator:
        monkeypatch.setenv("SEGMIND_BASE_URL", emulator.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", emulator.key)
        monkeypatch.setenv("TTSQ_DATABASE_URL", on_postgresql.url.render_as_string(hide_password=False))
        monkeypatch.setenv("TTSQ_BROKER_URL", redis_url)
        yield


def test_all_well(doctor: Doctor) -> None:
    """Every clock that can be asked is asked; the broker accepts messages; nothing fails."""
    found = doctor()
    assert found.code == 0
    assert "accepts messages" in found.words("broker")
    assert found.level("clock") == "ok"
    assert "the database, the broker, the API" in found.words("clock")


def used(client: Redis) -> int:
    """Bytes of memory; less than a moment ago, where a command's own buffers have gone."""
    return int(client.info("memory")["used_memory"])


def test_a_full_broker_fails_though_it_answers(doctor: Doctor, valkey: Valkey) -> None:
    """With what would mend it; one that is nearly full is a warning."""
    with closing(valkey.client()) as client:
        for piece in range(80):  # small ones: what a command was read into is given back only later
            client.set(f"cargo-{piece}", "x" * 500_000)
        client.config_set("maxmemory-policy", "noeviction")
        try:
            client.config_set("maxmemory", used(client) // 2)
            full = doctor()
            client.config_set("maxmemory", int(used(client) / 0.95))
            nearly = doctor()
        finally:
            client.config_set("maxmemory", 0)
    assert (full.code, full.level("broker")) == (2, "fail")
    assert "the broker is full" in full.words("broker")
    assert "maxmemory" in full.words("broker").split(" → ")[1]
    assert (nearly.code, nearly.level("broker")) == (0, "warning")
    assert "before it refuses messages" in nearly.words("broker")


def test_a_read_only_database_fails_though_it_answers(doctor: Doctor, on_postgresql: Database) -> None:
    """As a replica does, and a primary in the middle of a failover."""
    name = on_postgresql.url.database
    with on_postgresql.begin() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    found = doctor()
    assert (found.code, found.level("database")) == (2, "fail")
    assert "read-only" in found.words("database")
    assert "set TTSQ_DATABASE_URL to the primary" in found.words("database")


def test_clocks_that_disagree_are_named(doctor: Doctor) -> None:
    """Which one, by how much and in which direction; the check still passes."""
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=3), tick=True):
        found = doctor()
    assert (found.code, found.level("clock")) == (0, "warning")
    assert "behind this machine" in found.words("clock")
    assert "NTP" in found.words("clock")
