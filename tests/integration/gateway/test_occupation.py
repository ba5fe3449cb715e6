"""Clients that occupy the gateway without a key: `ttsq serve` still serves those who have one, and lets go of them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from uuid_utils.compat import uuid7

from api_models.schemes import Scheme
from tests.factories import NOW
from tests.integration.gateway.attackers import HALF_HEAD, WHOLE_HEAD, Served, answered, is_closed, many, serving
from worker.gateway.connections import MAX_CONNECTIONS
from worker.process.file_limits import raise_open_file_limit
from worker.store.access import hooks
from worker.store.access.hooks import HookRecord

pytestmark = pytest.mark.timeout(240)
BODY_BYTES = 900_000
"""Of the megabyte that each webhook announces."""


@pytest.fixture
def server(tmp_path: Path, migrated_file: Path) -> Iterator[Served]:
    """`ttsq serve`, asking for keys."""
    raise_open_file_limit()
    with serving(tmp_path, migrated_file) as started:
        yield started


def accepts(server: Served) -> bool:
    """Whether it is alive, and takes a job from a client with a key."""
    assert server.stranger("GET", "/healthz", timeout=20).status == 200
    return server.client()("POST", "/v1/jobs", {"text": "Good morning."}, timeout=20).status == 202


@pytest.mark.parametrize("head", [b"", HALF_HEAD, WHOLE_HEAD + HALF_HEAD])
def test_half_open_connections_shut_nobody_out(server: Served, head: bytes) -> None:
    """More than it holds: silent ones, half a head, and half a head after an answered request."""
    with many(MAX_CONNECTIONS + 100, server, head):
        assert accepts(server)


def test_every_head_of_every_connection_has_a_deadline(server: Served) -> None:
    """Also the second one, a pipelined one, and one that never comes because the body before it never ends."""
    endless = b"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with server.connect() as silent, server.connect() as second, server.connect() as piped, server.connect() as body:
        answered(second)
        second.sendall(HALF_HEAD)
        piped.sendall(WHOLE_HEAD + HALF_HEAD)
        body.sendall(endless)
        stopping = Event()
        dripping = Thread(target=drip, args=(body, b"1\r\na\r\n", stopping))
        dripping.start()
        try:
            assert all(is_closed(one) for one in (silent, second, piped, body))
        finally:
            stopping.set()
            dripping.join(20)


def drip(connection: socket.socket, piece: bytes, stopping: Event) -> None:
    """Send `piece` again and again, which resets timers that count from the last byte."""
    with suppress(OSError):
        while not stopping.wait(0.5):
            connection.sendall(piece)


def test_unverified_webhooks_are_not_held_in_memory(server: Served) -> None:
    """150 strangers send most of a megabyte to a hook that exists, with headers that might be a sender's."""
    with server.database.begin() as connection:
        record = HookRecord(uuid7(), "acme", "posts", Scheme.GITHUB, "the sender's secret", {}, {"text": "a"}, NOW)
        assert hooks.add(connection, record)
    before = server.memory
    head = (
        b"POST /v1/hooks/posts HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 1000000\r\n\r\n"
    )
    with many(150, server, head + b"a" * BODY_BYTES):
        assert accepts(server)
        assert server.memory - before < 60_000_000


@pytest.mark.parametrize("path", [b"/v1/hooks/none", b"/v1/hooks/%00", b"/v1/jobs", b"/metrics"])
def test_a_stranger_is_refused_before_the_body_is_read(server: Served, path: bytes) -> None:
    """An unknown hook, or no key: the answer comes although the body doesn't."""
    with server.connect() as connection:
        connection.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 4")


def test_hundreds_of_event_streams_end_with_the_server(server: Served) -> None:
    """Streams, waits and idle connections: on SIGTERM the process is gone within ten seconds, with exit code 0."""
    clients = [server.client(f"tenant-{number}") for number in range(5)]
    waiting = clients[0].post("/v1/jobs", {"text": "Good morning."}).json["id"]
    paths = ["/v1/events/stream"] * 40 + [f"/v1/jobs/{waiting}"] * 5
    with many(50, server, HALF_HEAD):
        open_ones = []
        for client in clients:
            for path in paths:
                one = server.connect()
                key = str(client.key)
                one.sendall(
                    f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nPrefer: wait=60\r\n\r\n".encode()
                )
                open_ones.append(one)
        assert all(
            one.recv(12) == b"HTTP/1.1 200" for one, path in zip(open_ones, paths, strict=False) if "stream" in path
        )
        server.stop()
        assert server.process.wait(10) == 0
        for one in open_ones:
            one.close()
