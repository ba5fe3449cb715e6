"""The v2 client connected to an emulator."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.segmind_clients import KEY, NOW, Time, make_v2
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.segmind.v2 import ClientV2


@pytest.fixture(scope="module")
def shared_emulator() -> Iterator[Emulator]:
    """One emulator for the module."""
    with Emulator(EmulatorConfig(key=KEY), clock=NOW.timestamp) as running:
        yield running


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    """The emulator as new."""
    shared_emulator.admin.reset()
    return shared_emulator


@pytest.fixture
def time() -> Time:
    """The client's waits."""
    return Time()


@pytest.fixture
def client(emulator: Emulator, time: Time) -> Iterator[ClientV2]:
    """A client of the emulator."""
    with contextlib.closing(make_v2(emulator.base_url, time=time)) as made:
        yield made


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where the take goes."""
    return tmp_path / "take"
