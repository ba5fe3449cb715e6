"""What every test stands on: an environment without the developer's settings, and real servers, started on demand.

Servers are one set per test process, so with xdist every worker has its own. A server that can't be had fails the test:
only where its package has nothing for the platform at all is the test skipped.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests.distribution.fixtures import distribution_folder
from tests.servers import forked
from tests.servers.moto import Moto
from tests.servers.places import memory_for_tests
from tests.servers.postgres import Postgres
from tests.servers.s3 import Bucket, S3Server
from tests.servers.swift import Swift
from tests.servers.valkey import Valkey
from tests.spread import spread

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.register_profile("random", deadline=None)
# What passes today must not fail tomorrow for other examples; `make proof` looks on.
settings.load_profile("repeatable")

# Else each of the hundreds of processes that the tests start would compile all its modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

OWN_PREFIXES: Final = ("TTSQ_", "SEGMIND_", "AWS_")
SERVER_FIXTURES: Final = frozenset({"valkey", "postgres", "swift", "moto", "s3"})


forked.enable()

# Every commit of a SQLite database waits until it is on the disk.
if (MEMORY := memory_for_tests()) is not None:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server, so that `-m "not servers"` runs the others alone; order them."""
    for item in items:
        if SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)
    if processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        items[:] = spread(items, processes)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the run installed; of several test processes, the one that started the others does."""
    factory: pytest.TempPathFactory | None = getattr(config, "_tmp_path_factory", None)
    if factory is not None and factory._basetemp is not None and not hasattr(config, "workerinput"):
        shutil.rmtree(distribution_folder(factory._basetemp), ignore_errors=True)


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the developer's settings, credentials, `.env` or `.ttsq`, nor sends a local call through a proxy."""
    for name in [name for name in os.environ if name.upper().startswith(OWN_PREFIXES)]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """This test process's Valkey."""
    with Valkey() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """This test process's PostgreSQL."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def swift() -> Iterator[Swift]:
    """This test process's Swift, the strict S3."""
    if sys.platform != "linux":
        pytest.skip("Swift runs on Linux only")
    with Swift() as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """This test process's moto, the lenient S3."""
    with Moto() as server:
        yield server


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """The address of an empty Redis database."""
    valkey.flush()
    return valkey.url


@pytest.fixture
def postgres_database(postgres: Postgres) -> Iterator[str]:
    """SQLAlchemy's address of a fresh, empty database, which is dropped after the test."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(params=["swift", "moto"])
def s3(request: pytest.FixtureRequest) -> Bucket:
    """A fresh, empty bucket, once on each S3 server."""
    server: S3Server = request.getfixturevalue(request.param)
    return server.create_bucket(f"test-{uuid.uuid4().hex}")
