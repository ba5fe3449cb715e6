"""A proxy on loopback that cuts connections: a client sees what a failing network does to its requests.

It passes one request of each connection on, and cuts it after the seconds that a plan names for that request.
"""

from __future__ import annotations

import hashlib
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

BLOCK_BYTES: Final = 65_536

Plan = Callable[[str, int], float | None]
"""The seconds after which a request is cut, by the hash of its body and how often it came before; None: never."""


@dataclass(slots=True)
class CuttingProxy:
    """Serves for the time of its block."""

    target: str
    plan: Plan
    requests: Counter[str] = field(default_factory=Counter)
    """How often each body arrived."""
    cuts: int = 0
    _listener: socket.socket = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._listener.close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        place = urlsplit(self.target)
        with client, socket.create_connection((str(place.hostname), place.port or 80)) as server, suppress(OSError):
            head, body = _request(client)
            if not head:
                return
            seconds = self._planned(body)
            if seconds is not None:
                threading.Timer(seconds, _cut, (client, server)).start()
            server.sendall(head.replace(b"\r\n", b"\r\nconnection: close\r\n", 1) + body)
            while block := server.recv(BLOCK_BYTES):
                client.sendall(block)

    def _planned(self, body: bytes) -> float | None:
        name = hashlib.sha256(body).hexdigest()
        with self._lock:
            before = self.requests[name]
            self.requests[name] += 1
            seconds = self.plan(name, before)
            self.cuts += seconds is not None
        return seconds


def _request(client: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        block = client.recv(BLOCK_BYTES)
        if not block:
            return b"", b""
        received += block
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += client.recv(BLOCK_BYTES)
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join(kept) + b"\r\n\r\n", body


def _cut(*connections: socket.socket) -> None:
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
