"""Connections of the v1 client: timeouts, resets, broken HTTP, and whether a call may have been billed."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from pathlib import Path

import pytest

from api_models.verdict import GateScope, VerdictKind
from tests.integration.segmind.v1.scripted import KEY, SPEECH, bare, faulty, make_client
from tests.servers.bare import BareServer, reply, reset
from worker.concurrency.futures import run_here
from worker.emulator.api.responses import Ending
from worker.emulator.server import Emulator
from worker.segmind.answers import Failure
from worker.segmind.client import Client
from worker.segmind.verdicts import verdict


def test_cut_off_body_is_noticed(client: Client, emulator: Emulator, spool: Path) -> None:
    """A body shorter than its Content-Length is no take, however good its beginning."""
    faulty(emulator, ending=Ending.CUT)
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.audio) == (200, Failure.CUT_OFF, None)
    assert verdict(answer).kind is VerdictKind.BAD_TAKE
    assert not list(spool.parent.iterdir())


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.LOST])
def test_reset_after_sending_may_have_been_billed(
    client: Client, emulator: Emulator, spool: Path, ending: Ending
) -> None:
    """A connection that dies under a sent request leaves open whether it was billed; it is not repeated from here."""
    faulty(emulator, ending=ending)
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.sent) == (None, Failure.RESET, True)
    found = verdict(answer)
    assert (found.kind, found.possibly_billed) == (VerdictKind.RETRY, True)
    assert emulator.state().calls == 1


def test_reset_on_a_reused_connection_counts_as_sent(spool: Path) -> None:
    """A kept-alive connection that dies under the next request: the API may have acted on it."""
    with bare(reply("200 OK", b"\x00" * 100), reset) as (client, server):
        run_here(client.synthesize(SPEECH, spool))
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.sent) == (Failure.RESET, True)
    assert (server.connections, len(server.requests)) == (1, 2)


def test_a_connection_closed_while_idle_is_replaced(spool: Path) -> None:
    """A server that closed a kept connection costs the next call nothing."""
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n\x00\x00\x00"
    with bare(closing, reply("200 OK", b"\x00" * 100)) as (client, server):
        run_here(client.synthesize(SPEECH, spool))
        assert run_here(client.synthesize(SPEECH, spool)).size == 100
    assert server.connections == 2


def test_silence_after_sending_times_out(spool: Path) -> None:
    """No answer in time: the call may have run and been billed."""
    release = threading.Event()
    with BareServer([lambda _: release.wait(30)]) as server:
        with contextlib.closing(make_client(server.base_url, read_timeout=0.2)) as client:
            answer = run_here(client.synthesize(SPEECH, spool))
        release.set()
    assert (answer.status, answer.failure, answer.sent) == (None, Failure.TIMEOUT_READ, True)
    assert (verdict(answer).code, verdict(answer).possibly_billed) == ("timeout", True)


def test_a_dripping_body_times_out(emulator: Emulator, spool: Path) -> None:
    """The body has its own read timeout: single bytes in time don't keep a slot forever."""
    faulty(emulator, ending=Ending.SLOW, body_seconds=4)
    with contextlib.closing(make_client(emulator.base_url, read_timeout=0.5)) as hurried:
        answer = run_here(hurried.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.audio) == (200, Failure.TIMEOUT_READ, None)
    assert not list(spool.parent.iterdir())


def test_slow_but_whole_body_is_fine(client: Client, emulator: Emulator, spool: Path) -> None:
    """A body in pieces is the same body."""
    faulty(emulator, ending=Ending.SLOW, body_seconds=0.2)
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.size) == (None, spool.stat().st_size)


def test_refused_connection_was_not_sent(spool: Path) -> None:
    """The request never left this machine, and the message says why."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with contextlib.closing(make_client(f"http://127.0.0.1:{port}")) as client:
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.sent) == (None, Failure.CONNECT, False)
    assert answer.message == "Connection refused"
    assert verdict(answer).possibly_billed is False


def test_unknown_host_was_not_sent(spool: Path) -> None:
    """A name that doesn't exist is a failure to connect."""
    with contextlib.closing(make_client("http://nowhere.invalid")) as client:
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.sent) == (Failure.CONNECT, False)


def test_failed_handshake_was_not_sent(spool: Path) -> None:
    """A server that doesn't speak TLS gets no text, let alone the key."""
    with bare(b"HTTP/1.1 400 Bad Request\r\n\r\n", scheme="https") as (client, server):
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.sent) == (None, Failure.CONNECT, False)
    assert not any(KEY.encode() in request for request in server.requests)


@pytest.mark.parametrize(
    ("raw", "failure"),
    [
        (b"SSH-2.0-OpenSSH_9.9\r\n", Failure.GARBLED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\x00\x01\x02\x03\x04\r\n", Failure.CUT_OFF),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\x00", Failure.GARBLED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n\x00\x00\x00", Failure.GARBLED),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n\x1f\x8bno", Failure.GARBLED),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", Failure.EMPTY),
        (b"", Failure.RESET),
    ],
)
def test_broken_http(spool: Path, raw: bytes, failure: Failure) -> None:
    """Invalid or truncated HTTP is a failure that says which, leaves no file and never raises."""
    with bare(raw) as (client, _):
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.audio, answer.sent) == (failure, None, True)
    assert verdict(answer).kind in {VerdictKind.RETRY, VerdictKind.BAD_TAKE}
    assert not list(spool.parent.iterdir())


def test_reset_within_the_body(spool: Path) -> None:
    """A connection reset in the middle of a body is a reset, with what the head said kept."""

    def half(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nx-cost: 0.0067\r\n\r\n" + bytes(50))
        reset(connection)

    with bare(half) as (client, _):
        answer = run_here(client.synthesize(SPEECH, spool))
    assert answer.failure in {Failure.RESET, Failure.CUT_OFF}
    assert (answer.status, answer.audio) in {(200, None), (None, None)}


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\x00\x01\x02\r\n2\r\n\x03\x04\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\x00\x01\x02\x03\x04",
        reply("200 OK", gzip.compress(b"\x00\x01\x02\x03\x04", mtime=0), "Content-Encoding: gzip"),
    ],
)
def test_framings_of_a_whole_body(spool: Path, raw: bytes) -> None:
    """Chunked, delimited by the end of the connection, or compressed unasked: the body is the same."""
    with bare(raw) as (client, _):
        assert run_here(client.synthesize(SPEECH, spool)).size == 5
    assert spool.read_bytes() == b"\x00\x01\x02\x03\x04"


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_redirects_are_not_followed(spool: Path, status: str) -> None:
    """The key goes nowhere but to the address it was given for; where it was sent on to is reported."""
    with BareServer([]) as offload:
        location = f"Location: {offload.base_url}/v1/x"
        with bare(reply(status, b"", location)) as (client, server):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert offload.connections == 0
        assert len(server.requests) == 1
        assert offload.base_url in answer.message
    assert (verdict(answer).code, verdict(answer).scope) == ("redirected", GateScope.ACCOUNT)
