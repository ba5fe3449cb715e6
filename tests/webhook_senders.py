"""Workshops as most tests of a worker want them. A module that wants another emulator or other limits says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.attempt_harness import During, Workshop, client_of, opened
from tests.databases import BOTH
from worker.audio.gate import GateLimits
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.segmind.v1 import ClientV1
from worker.store.database import Database


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """How the module's emulator is: its audio is short, and fits no text."""
    return EmulatorConfig(audio_bytes=4_844)


@pytest.fixture(scope="module")
def running(config: EmulatorConfig) -> Iterator[Emulator]:
    """One emulator for the module."""
    with Emulator(config) as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator) -> Emulator:
    """The emulator as new."""
    running.admin.reset()
    return running


@pytest.fixture
def client(emulator: Emulator) -> Iterator[ClientV1]:
    """A patient client."""
    with closing(client_of(emulator)) as made:
        yield made


@pytest.fixture
def limits() -> GateLimits | None:
    """How takes are judged: not at all."""
    return None


@pytest.fixture
def shop(
    on_sqlite: Database, emulator: Emulator, client: ClientV1, tmp_path: Path, limits: GateLimits | None
) -> Workshop:
    """A worker on SQLite."""
    return opened(Workshop(on_sqlite, emulator, tmp_path, During(client), limits=limits))


@pytest.fixture(params=BOTH)
def shop_on_both(
    request: pytest.FixtureRequest, emulator: Emulator, client: ClientV1, tmp_path: Path, limits: GateLimits | None
) -> Workshop:
    """A worker, once on each database."""
    database = request.getfixturevalue(f"on_{request.param}")
    return opened(Workshop(database, emulator, tmp_path, During(client), limits=limits))
