"""One emulator for a module, and both clients of the API."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_models.speech import Speech
from tests.integration.segmind_clients import KEY, NOW, VERSIONS, make_client
from tests.servers.bare import BareServer, Reply
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Rule
from worker.emulator.server import Emulator
from worker.segmind.client import Client

SPEECH = Speech(text="Good evening, and welcome back.", voice_1="Puck")


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


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Which client is under test."""
    return str(request.param)


@pytest.fixture
def client(version: str, emulator: Emulator) -> Iterator[Client]:
    """That client, speaking to the emulator."""
    with contextlib.closing(make_client(version, emulator.base_url)) as made:
        yield made


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where the take goes."""
    return tmp_path / "take"


@contextlib.contextmanager
def bare(version: str, *replies: bytes | Reply, path: str = "") -> Iterator[tuple[Client, BareServer]]:
    """The client, connected to a server that sends these replies."""
    with BareServer(replies) as server, contextlib.closing(make_client(version, server.base_url + path)) as made:
        yield made, server


def faulty(emulator: Emulator, **effect: object) -> None:
    """Every call from now on has this effect."""
    emulator.admin.rules([Rule(effect=Effect.model_validate(effect))])
