"""The producers' client against hostile servers: no exchange reads a byte of another, and none lasts forever."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from tests.hostile.script import Ending, Honest, Script
from tests.hostile.scripts import BUILDS, STALLS
from tests.hostile.server import HostileServer
from ttsq_client import (
    Client,
    ConnectionFailedError,
    IncompleteAudioError,
    Job,
    Retry,
    TtsqError,
    UnexpectedResponseError,
)

KEY: Final = "ttsq_0123456789abcdef"
SOUND: Final = bytes(range(256)) * 40
UNDERSTOOD: Final = (
    "plain",
    "no reason",
    "chunks",
    "extensions",
    "trailers",
    "identity",
    "interim",
    "doubled",
    "chunks and another",
    "surplus",
    "close without closing",
    "until the end",
    "older",
    "closing",
)
SHORT_SECONDS: Final = 0.3


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    """One for all, with another script each time."""
    with HostileServer() as running:
        yield running


def job_of(mark: int, size: int = len(SOUND)) -> dict[str, object]:
    """A job that only the exchange of this mark may see."""
    sha256 = hashlib.sha256(SOUND).hexdigest()
    return {
        "id": str(UUID(int=mark)),
        "batch_id": None,
        "custom_id": f"mark-{mark}",
        "tags": [],
        "status": "succeeded",
        "model": "m",
        "text": "a",
        "code": None,
        "message": None,
        "cost": f"0.{mark:09}",
        "cached": False,
        "audio": {"content_type": "audio/wav", "bytes": size, "sha256": sha256, "duration_ms": 1, "url": "/a"},
        "warnings": [],
        "created_at": "2026-12-01T08:00:00Z",
        "finished_at": "2026-12-01T08:00:01Z",
    }


def honest(mark: int) -> Honest:
    """Its response."""
    return Honest(200, (("Content-Type", "application/json"),), json.dumps(job_of(mark)).encode())


def client_of(server: HostileServer, seconds: float = 20.0, attempts: int = 1) -> Client:
    """A client that waits for nothing between its attempts."""
    retry = Retry(attempts=attempts, base_seconds=0.0)
    return Client(server.url, KEY, read_seconds=seconds, connect_seconds=seconds, retry=retry, trust_environment=False)


def outcome(call: Callable[[], Job]) -> Job | TtsqError:
    """What an exchange brought, or its error."""
    try:
        return call()
    except TtsqError as error:
        return error


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("name", [name for name in BUILDS if name not in STALLS])
def test_no_exchange_reads_a_byte_of_another(server: HostileServer, name: str, early: bool) -> None:
    """What is not understood is an error of the client's own; a POST is sent once; the next exchange is honest."""
    server.faults.clear()
    posts: list[str] = []
    with client_of(server) as client:
        for mark, varied in enumerate((0, 3, 7, 40, 301), start=1):

            def compose(request: str, _: bytes, mark: int = mark, varied: int = varied) -> tuple[Script, bool]:
                posts.append(request)
                return BUILDS[name](honest(mark), honest(900_000 + mark), varied), early

            server.compose = compose
            for call in (lambda mark=mark: client.job(str(UUID(int=mark))), lambda: client.submit("a")):
                posts.clear()
                found = outcome(call)
                assert len(posts) <= 1
                assert KEY not in repr(found)
                assert isinstance(found, Job) or name not in UNDERSTOOD, found
                assert isinstance(found, TtsqError) or found.custom_id == f"mark-{mark}", "a job of another exchange"
            server.compose = lambda *_: (Script(honest(17).whole()), False)
            assert client.job(str(UUID(int=17))).custom_id == "mark-17"
    assert not server.faults


@pytest.mark.parametrize("name", STALLS)
def test_no_exchange_lasts_forever(server: HostileServer, name: str) -> None:
    """Heads, chunks and trailers that drip are given up like silence."""
    server.compose = lambda *_: (BUILDS[name](honest(1), honest(2), 301), False)
    with client_of(server, SHORT_SECONDS) as client, pytest.raises(TtsqError):
        client.job(str(UUID(int=1)))


@contextmanager
def endless(head: bytes, drop: bytes) -> Iterator[Client]:
    """A client of a server that sends the same again until the client goes."""

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(head)
                while True:
                    connection.sendall(drop)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Client(address, retry=Retry(attempts=1), trust_environment=False) as client:
            yield client
        thread.join()


def test_an_endless_body_is_given_up() -> None:
    """It arrives fast, and never ends: the limit of its size ends it."""
    with (
        endless(Honest(200, (), b"").head(length=None), b"x" * 1_000_000) as client,
        pytest.raises(UnexpectedResponseError, match="longer than"),
    ):
        client.credits()


@pytest.mark.parametrize("drop", [b"x" * 1_000_000, b"data: x\n" * 100_000])
def test_an_endless_event_is_given_up(drop: bytes) -> None:
    """As is a line that never ends."""
    head = Honest(200, (("Content-Type", "text/event-stream"),), b"").head(length=None)
    with endless(head, drop) as client, pytest.raises(UnexpectedResponseError, match="event is longer"):
        next(client.events())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_api_is_followed_nowhere(server: HostileServer, status: int) -> None:
    """Neither the key nor a text goes where it was not meant to go."""
    with HostileServer() as other, client_of(server) as client:
        for place in (f"{other.url}/a", "http://[broken", "//x", ""):
            moved = Honest(status, (("Location", place),), b"")
            server.compose = lambda *_, moved=moved: (Script(moved.whole()), False)
            for call in (client.credits, lambda: client.submit("a"), lambda: next(client.events())):
                with pytest.raises(UnexpectedResponseError):
                    call()
        assert other.connections == 0


class Bucket:
    """A gateway whose audio lies elsewhere, and the heads of all requests to both."""

    def __init__(self, server: HostileServer, answers: Callable[[int], Script]) -> None:
        self.heads: list[bytes] = []
        self._answers = answers
        self._lock = threading.Lock()
        server.compose = self._compose

    def _compose(self, request: str, _: bytes) -> tuple[Script, bool]:
        with self._lock:
            self.heads.append(request.encode())
            number = len([head for head in self.heads if b"/audio" in head])
        if "/audio" not in request:
            return Script(honest(1).whole()), False
        return self._answers(number), False


def whole(body: bytes = SOUND, *headers: tuple[str, str], status: int = 200) -> Script:
    """The audio as a response."""
    return Script(Honest(status, (("Content-Type", "audio/wav"), *headers), body).whole())


@contextmanager
def target(folder: Path) -> Iterator[Path]:
    """A file of an earlier run, which a failure must leave as it was, with nothing beside it."""
    path = folder / "a.wav"
    path.write_bytes(b"earlier")
    yield path
    assert [one.name for one in folder.iterdir()] == ["a.wav"]
    assert path.read_bytes() in {b"earlier", SOUND}


@pytest.mark.parametrize(
    "answer",
    [
        whole(SOUND[:-1]),
        whole(SOUND + b"x"),
        whole(SOUND[:-1] + b"x"),
        whole(b""),
        Script(Honest(200, (), b"").head(length=None) + SOUND * 9, Ending.STALL),
        Script(whole().words[:-1], Ending.CLOSE),
        Script(whole().words[:-1], Ending.RESET),
        whole(SOUND, ("Content-Encoding", "gzip")),
        whole(SOUND[5:], ("Content-Range", "bytes 5-9/10"), status=206),
        whole(b"", status=204),
    ],
)
def test_audio_that_is_not_whole_leaves_the_file_as_it_was(
    server: HostileServer, tmp_path: Path, answer: Script
) -> None:
    """Cut, too long, changed, endless, compressed, another part: an error, and never half a file."""
    Bucket(server, lambda _: answer)
    with target(tmp_path) as path, client_of(server, attempts=2) as client:
        with pytest.raises((IncompleteAudioError, ConnectionFailedError, UnexpectedResponseError)):
            client.download(str(UUID(int=1)), path)
        assert path.read_bytes() == b"earlier"


def test_a_broken_download_resumes(server: HostileServer, tmp_path: Path) -> None:
    """By a range, and where that is not understood, from the start."""
    cut = Script(Honest(200, (), SOUND).head() + SOUND[:1_000], Ending.CLOSE)
    rest = whole(SOUND[1_000:], ("Content-Range", f"bytes 1000-{len(SOUND) - 1}/{len(SOUND)}"), status=206)
    for following in (rest, whole()):
        Bucket(server, lambda number, following=following: cut if number == 1 else following)  # type: ignore[misc]
        with target(tmp_path) as path, client_of(server, attempts=3) as client:
            client.download(str(UUID(int=1)), path)
            assert path.read_bytes() == SOUND


def test_the_key_stays_with_the_gateway(tmp_path: Path) -> None:
    """A bucket on another host receives neither key nor cookie; its signed address stands in no error."""
    heads: list[str] = []
    with _Recorder(heads) as bucket, _Recorder(heads) as gateway:
        place = f"{bucket.url}/sound?signature=secret-word"
        gateway.answers = [honest(1).whole(), Honest(302, (("Location", place),), b"").whole()]
        bucket.answers = [Honest(200, (), SOUND).whole()]
        with Client(gateway.url, KEY, retry=Retry(attempts=1), trust_environment=False) as client:
            assert client.download(str(UUID(int=1)), tmp_path / "a.wav").read_bytes() == SOUND
            assert [KEY in head for head in heads] == [True, True, False]
            gateway.answers = [honest(1).whole(), Honest(302, (("Location", place),), b"").whole()]
            bucket.answers = [Honest(403, (), b"<Error><Code>AccessDenied</Code></Error>").whole()]
            with pytest.raises(TtsqError) as failed:
                client.download(str(UUID(int=1)), tmp_path / "b.wav")
    chain = [failed.value, failed.value.__cause__]
    assert "secret-word" not in "".join(f"{one} {one!r}" for one in chain)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


class _Recorder:
    """A server that keeps the heads it is sent."""

    def __init__(self, heads: list[str]) -> None:
        self._heads, self.answers = heads, list[bytes]()

    def __enter__(self) -> _Recorder:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=10)
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._heads.append(connection.recv(65_536).decode())
                connection.sendall(self.answers.pop(0))
