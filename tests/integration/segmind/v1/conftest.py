"""The v1 client connected to an emulator."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.segmind.v1.scripted import KEY, NOW, make_client
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.segmind.v1 import ClientV1


@pytest.fixture(scope="module")
def shared_emulator() -> Iterator[Emulator]:
    with Emulator(EmulatorConfig(key=KEY), clock=NOW.timestamp) as running:
        yield running


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    shared_emulator.admin.reset()
    return shared_emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[ClientV1]:
    with contextlib.closing(make_client(emulator.base_url)) as made:
        yield made


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "take"
