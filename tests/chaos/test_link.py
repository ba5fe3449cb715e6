"""The relays by which workers reach their servers: what passes, and what doesn't."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.cluster.link import Link, Wire
from tests.servers.ports import LOOPBACK

WORD = b"hello\n"
PATIENCE_SECONDS = 20.0


class Echo(socketserver.ThreadingTCPServer):
    """An echo server for any number of connections that keeps what it received."""

    daemon_threads = True

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        super().__init__((LOOPBACK, 0), Answer)


class Answer(socketserver.StreamRequestHandler):
    """One connection of it."""

    server: Echo

    def handle(self) -> None:
        """Until the caller hangs up."""
        for line in self.rfile:
            self.server.heard.append(line)
            self.wfile.write(line)


@pytest.fixture
def server() -> Iterator[Echo]:
    """A server that runs."""
    with Echo() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def link(server: Echo) -> Iterator[Link]:
    """A way to it."""
    with Wire() as wire:
        yield wire.link(server.server_address[1])


@pytest.fixture
def caller(link: Link) -> Iterator[socket.socket]:
    """A connection over the link that has been used."""
    with connected(link) as caller:
        caller.sendall(WORD)
        assert is_answered(caller)
        yield caller


def connected(link: Link) -> socket.socket:
    """A new connection over the link."""
    return socket.create_connection(link.address, timeout=PATIENCE_SECONDS)


def gets_through(link: Link) -> bool:
    """Whether a new connection is answered, rather than broken off."""
    try:
        with connected(link) as newcomer:
            newcomer.sendall(WORD)
            return is_answered(newcomer)
    except ConnectionError:
        return False


def is_answered(caller: socket.socket) -> bool:
    """Whether an answer comes, rather than an end."""
    try:
        return caller.recv(len(WORD)) == WORD
    except ConnectionError:
        return False


def test_a_link_passes_everything_on(caller: socket.socket, link: Link, server: Echo) -> None:
    """To and fro, on one connection beside another."""
    assert gets_through(link)
    caller.sendall(WORD)
    assert is_answered(caller)
    assert server.heard == [WORD] * 3


def test_what_a_frozen_link_holds_back_passes_once_it_is_restored(caller: socket.socket, link: Link) -> None:
    """Nothing is lost by it, on old connections and on new ones."""
    link.freeze()
    with connected(link) as newcomer:
        for each in (caller, newcomer):
            each.sendall(WORD)
        link.restore()
        assert is_answered(caller)
        assert is_answered(newcomer)


def test_a_cut_link_breaks_every_connection(caller: socket.socket, link: Link, server: Echo) -> None:
    """Those that there are, and those that come, until it is restored."""
    link.cut()
    assert not is_answered(caller)
    assert not gets_through(link)
    link.restore()
    assert gets_through(link)
    assert server.heard == [WORD] * 2


def test_a_stranded_connection_stays_silent(caller: socket.socket, link: Link, server: Echo) -> None:
    """Restoring the link doesn't help it; new connections are well."""
    link.strand()
    caller.sendall(WORD)
    link.restore()
    assert gets_through(link)
    assert server.heard == [WORD] * 2


def test_a_server_that_hangs_up_closes_the_connection(caller: socket.socket, link: Link) -> None:
    """The end of a connection passes too, and leaves the others alone."""
    with connected(link) as leaver:
        leaver.shutdown(socket.SHUT_WR)
        assert leaver.recv(1) == b""
    caller.sendall(WORD)
    assert is_answered(caller)


def test_a_server_that_is_away_breaks_the_connection(link: Link, server: Echo) -> None:
    """A connection through the link is reset when no server listens behind it."""
    server.server_close()
    assert not gets_through(link)
