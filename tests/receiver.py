"""A webhook receiver on loopback that behaves as scripted: accepts, refuses, hangs, resets, redirects."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

Answer = Callable[["_Handler"], None]


@dataclass(frozen=True, slots=True)
class Message:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    """By names in lower case."""
    body: bytes

    @property
    def id(self) -> str:
        """By which a message is known again."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        """The body, understood."""
        return json.loads(self.body)


def status(code: int, **headers: str) -> Answer:
    """Answer with this status."""

    def answer(handler: _Handler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", "0")
        handler.end_headers()

    return answer


def reset(handler: _Handler) -> None:
    """Break the connection off instead of answering."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def hang(handler: _Handler) -> None:
    """Send nothing until the test ends."""
    handler.server.over.wait()  # type: ignore[attr-defined]
    handler.close_connection = True


def drip(handler: _Handler) -> None:
    """Begin an answer and never come to its end."""
    over = handler.server.over  # type: ignore[attr-defined]
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not over.wait(0.05):
        try:
            handler.wfile.write(b"x: y\r\n")
        except OSError:
            break
    handler.close_connection = True


@dataclass(slots=True)
class Receiver:
    """One server. `answers` are given in turn, and then `otherwise`."""

    otherwise: Answer = field(default_factory=lambda: status(204))
    answers: list[Answer] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    _server: ThreadingHTTPServer = field(init=False)
    _came: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.receiver = self  # type: ignore[attr-defined]
        self._server.over = threading.Event()  # type: ignore[attr-defined]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.over.set()  # type: ignore[attr-defined]
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def await_messages(self, count: int, seconds: float = 60.0) -> None:
        """Return once `count` messages have arrived."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.messages) >= count, seconds)

    def take(self, handler: _Handler) -> None:
        """One request."""
        size: Final = int(handler.headers.get("content-length", 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        message = Message(handler.path, headers, handler.rfile.read(size))
        with self._came:
            self.messages.append(message)
            self._came.notify_all()
            answer = self.answers.pop(0) if self.answers else self.otherwise
        answer(handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """As the server's name for it is."""
        self.server.receiver.take(self)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        """Say nothing."""
