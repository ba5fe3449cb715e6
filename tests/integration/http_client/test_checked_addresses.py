"""A client for hosts that others name connects to no address outside the public internet, whatever the name says."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from urllib3.exceptions import HTTPError

from worker.concurrency.futures import run_here
from worker.concurrency.reactor import Reactor
from worker.http_client.client import HttpClient


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server on loopback that no connection may reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def resolving(places: list[str]) -> Callable[..., list[Any]]:
    """A resolver that finds these addresses for every name."""

    def resolve(_host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        family = [socket.AF_INET6 if ":" in place else socket.AF_INET for place in places]
        return [(kind, socket.SOCK_STREAM, 6, "", (place, port)) for kind, place in zip(family, places, strict=True)]

    return resolve


def exchange(host: str, port: int, *, public_only: bool = True) -> None:
    """One request."""
    client = HttpClient(host, port, connections=1, reactor=Reactor(), public_only=public_only)
    try:
        run_here(client.exchange("GET", "/", {}, connect_seconds=2, read_seconds=0.2))
    finally:
        client.close()


@pytest.mark.parametrize("host", ["127.1", "localhost", "0x7f000001", "2130706433", "::ffff:127.0.0.1", "127.0.0.1."])
def test_no_notation_of_this_machine_is_connected_to(listener: socket.socket, host: str) -> None:
    """As the resolver understands it."""
    with pytest.raises((HTTPError, OSError)):
        exchange(host, listener.getsockname()[1])
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_name_that_leads_inward_is_not_connected_to(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it looked public when it was checked."""
    monkeypatch.setattr(socket, "getaddrinfo", resolving(["127.0.0.1", "::1", "::ffff:0:7f00:1"]))
    with pytest.raises(HTTPError, match="public internet"):
        exchange("files.example.com", listener.getsockname()[1])
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_the_api_itself_may_be_anywhere(listener: socket.socket) -> None:
    """A rehearsal's is on this machine."""
    with pytest.raises(HTTPError):
        exchange("127.0.0.1", listener.getsockname()[1], public_only=False)
    connection, _ = listener.accept()
    connection.close()
