"""Requests over HTTP: a call that waits for its answer holds no thread, over TLS as well."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import pytest
from urllib3.exceptions import SSLError

from tests.servers.certificate import self_signed
from worker.concurrency.coroutines import CoroutineRunner
from worker.concurrency.futures import inline, run_here
from worker.concurrency.reactor import Reactor
from worker.concurrency.thread_pool import ElasticThreadPool
from worker.http_client.client import HttpClient
from worker.http_client.pool import tls_trusting
from worker.http_client.source import LateError

T = TypeVar("T")
CALLS: Final = 20
WAVES: Final = 3
PATIENCE: Final = 20.0
LATE_SECONDS: Final = 1.5
"""In which the first of an answer comes on a busy machine, too."""
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\naudio"
SCHEMES: Final = ("http", "https")


@dataclass
class Server:
    """Accepts requests at once, and answers them when the test says so."""

    listener: socket.socket
    tls: ssl.SSLContext | None
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    answer: threading.Event = field(default_factory=threading.Event)
    words: bytes = ANSWER
    connections: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        """Each connection in a thread, until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            if self.tls is not None:
                # It sends session tickets of its own accord: something to read that is no answer.
                connection = stack.enter_context(self.tls.wrap_socket(connection, server_side=True))
            while connection.recv(65_536):
                self.asked.release()
                self.answer.wait(PATIENCE)
                connection.sendall(self.words)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a server on this machine that signs for itself, with its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """One that speaks plainly, or TLS."""
    tls = None
    if request.param == "https":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        made = Server(listener, tls)
        thread = threading.Thread(target=made.serve, daemon=True)
        thread.start()
        yield made
        made.answer.set()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)


@pytest.fixture
def reactor() -> Reactor:
    """One for each test."""
    return Reactor()


@contextlib.contextmanager
def open_lines(server: Server, reactor: Reactor) -> Iterator[HttpClient]:
    """To the server."""
    host, port = server.listener.getsockname()[:2]
    tls = None if server.tls is None else tls_trusting()
    with contextlib.closing(HttpClient(host, port, connections=WAVES * CALLS, reactor=reactor, tls=tls)) as made:
        yield made


async def call(lines: HttpClient, *, read_seconds: float = PATIENCE) -> bytes:
    """One request; its answer's body."""
    with await lines.exchange("GET", "/", {}, connect_seconds=PATIENCE, read_seconds=read_seconds) as response:
        return response.read(1_000_000)


def acquire(semaphore: threading.Semaphore, times: int) -> None:
    for _ in range(times):
        assert semaphore.acquire(timeout=PATIENCE)


def trust(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this certificate alone trusted, whatever authorities the developer's environment names."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.parametrize("server", SCHEMES, indirect=True)
def test_calls_that_wait_share_one_thread(
    server: Server, reactor: Reactor, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wave after wave is asked before anything is answered; and then their connections serve the next ones."""
    trust(certificate, monkeypatch)
    bodies: list[bytes] = []
    ends = threading.Semaphore(0)

    async def noted(lines: HttpClient) -> None:
        bodies.append(await call(lines))

    with (
        open_lines(server, reactor) as lines,
        contextlib.closing(ElasticThreadPool("test", reactor, usual=1, most=1)) as crew,
    ):
        for wave in range(WAVES + 1):
            if wave == WAVES:
                server.answer.set()
                acquire(ends, WAVES * CALLS)
            for _ in range(CALLS):
                CoroutineRunner(crew).start(noted(lines), ends.release)
            acquire(server.asked, CALLS)
        acquire(ends, CALLS)
    assert bodies == [b"audio"] * (WAVES + 1) * CALLS
    assert server.connections == WAVES * CALLS


@pytest.mark.parametrize("server", SCHEMES, indirect=True)
def test_connections_are_made_elsewhere(
    server: Server, reactor: Reactor, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow name server or handshake holds up only its own thread."""
    trust(certificate, monkeypatch)
    server.answer.set()
    made: list[object] = []

    def offload(work: Callable[[], T]) -> Future[T]:
        made.append(work)
        return inline(work)

    reactor.offload = offload
    with open_lines(server, reactor) as lines:
        assert [run_here(call(lines)) for _ in range(3)] == [b"audio"] * 3
    assert len(made) == server.connections == 1


@pytest.mark.parametrize("server", SCHEMES, indirect=True)
def test_an_answer_that_does_not_come_is_late(
    server: Server, reactor: Reactor, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait ends, and the connection is never reused."""
    trust(certificate, monkeypatch)
    with open_lines(server, reactor) as lines:
        with pytest.raises(LateError):
            run_here(call(lines, read_seconds=0.05))
        server.answer.set()
        assert run_here(call(lines)) == b"audio"
    assert server.connections == 2


@pytest.mark.parametrize("server", SCHEMES, indirect=True)
def test_a_connection_whose_answer_broke_off_is_not_used_again(
    server: Server, reactor: Reactor, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still to come of one answer must never be read as the next one."""
    trust(certificate, monkeypatch)
    server.answer.set()
    server.words = ANSWER[:-3]
    with open_lines(server, reactor) as lines:
        with pytest.raises(LateError):
            run_here(call(lines, read_seconds=LATE_SECONDS))
        server.words = ANSWER
        assert run_here(call(lines)) == b"audio"
    assert server.connections == 2


@pytest.mark.parametrize("server", SCHEMES, indirect=True)
@pytest.mark.parametrize(
    "words",
    [
        ANSWER + ANSWER.replace(b"audio", b"other"),
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + ANSWER,
        ANSWER + b"\r\n",
        ANSWER.replace(b"audio", b"audio" * 20_000).replace(b" 5\r", b" 100000\r") + ANSWER,
    ],
    ids=["doubled", "announced", "an empty line", "doubled after a long one"],
)
def test_nothing_that_comes_beside_an_answer_is_read_as_another(
    server: Server, reactor: Reactor, certificate: Path, monkeypatch: pytest.MonkeyPatch, words: bytes
) -> None:
    """Over TLS it may be decrypted already, where no poll of the socket shows it."""
    trust(certificate, monkeypatch)
    server.answer.set()
    server.words = words
    with open_lines(server, reactor) as lines:
        assert [set(run_here(call(lines)).split(b"audio")) for _ in range(3)] == [{b""}] * 3
    assert server.connections == 3


@pytest.mark.parametrize("server", ["https"], indirect=True)
def test_an_untrusted_server_receives_nothing(server: Server, reactor: Reactor) -> None:
    """Its certificate isn't known, so no request leaves."""
    with open_lines(server, reactor) as lines, pytest.raises(SSLError, match="certificate"):
        run_here(call(lines))
    assert not server.asked.acquire(blocking=False)
