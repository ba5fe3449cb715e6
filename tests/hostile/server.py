"""A server on loopback that plays scripts, one a request, and notes what no client may do. No sleeps."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

from tests.hostile.script import Ending, Script

DRIP_SECONDS: Final = 0.005
"""Between one drop and the next."""
Compose = Callable[[str, bytes], tuple[Script, bool]]
"""The answer to a request, given its first line and its body; and whether it is sent before the body is read."""


@dataclass
class HostileServer:
    """Each connection has a thread."""

    compose: Compose | None = None
    faults: list[str] = field(default_factory=list)
    requests: int = 0
    connections: int = 0
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0), backlog=100))

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        serves_on = True
        with connection, contextlib.suppress(OSError):
            while request := _head(connection):
                head, rest = request
                if not serves_on:
                    self.faults.append(f"a second request on a connection that was not clean: {head[:40]!r}")
                self.requests += 1
                script = self._answer(connection, head, rest)
                serves_on = script.serves_on
                if script.ending is not Ending.WAIT:
                    _end(connection, script)
                    return

    def _answer(self, connection: socket.socket, head: bytes, rest: bytes) -> Script:
        compose = self.compose
        assert compose is not None
        length = _length(head) - len(rest)
        script, early = compose(head.split(b"\r\n", 1)[0].decode("latin-1"), rest)
        if early:
            connection.sendall(script.words)
        while length > 0 and (piece := connection.recv(length)):
            length -= len(piece)
        if not early:
            connection.sendall(script.words)
        return script


def _head(connection: socket.socket) -> tuple[bytes, bytes] | None:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (piece := connection.recv(65_536)):
            return None
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def _length(head: bytes) -> int:
    named = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return next((int(line[15:]) for line in named), 0)


def _end(connection: socket.socket, script: Script) -> None:
    match script.ending:
        case Ending.DRIP:
            connection.settimeout(DRIP_SECONDS)
            gone = False
            while not gone:
                connection.sendall(script.drop)
                with contextlib.suppress(TimeoutError):
                    gone = not connection.recv(65_536)
        case Ending.STALL:
            while connection.recv(65_536):
                pass
        case Ending.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case Ending.CLOSE:
            # What was said must arrive: closing over unread bytes would take it back.
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
