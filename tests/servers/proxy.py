"""An HTTP proxy on loopback: tunnels for https, forwarded requests for http, with or without a password."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

PIECE_BYTES: Final = 65_536
MAX_HEAD_BYTES: Final = 65_536
REFUSED: Final = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
OPEN: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class Proxy:
    """Counts what passes it by the first line of each request."""

    password: str | None = None
    """Of the user `robot`."""
    tls: ssl.SSLContext | None = None
    """Set for a proxy that is itself reached by https."""
    asked: list[str] = field(default_factory=list)
    refused: int = 0
    _listener: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)

    @property
    def address(self) -> str:
        """Without user and password."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError), accepted, self._secured(accepted) as client:
            head, rest = _head(client)
            first = head.split(b"\r\n", 1)[0].decode()
            method, target, _ = first.split(" ")
            if not self._is_allowed(head):
                self.refused += 1
                client.sendall(REFUSED)
                return
            self.asked.append(first)
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                with socket.create_connection((host, int(port))) as origin:
                    client.sendall(OPEN)
                    origin.sendall(rest)
                    _join(client, origin)
                return
            parts = urlsplit(target)
            with socket.create_connection((parts.hostname or "", parts.port or 80)) as origin:
                # Later requests of the connection pass as they are: its clients keep one for each origin.
                lines = [line for line in head.split(b"\r\n")[1:] if not line.lower().startswith(b"proxy-")]
                own = f"{method} {parts.path or '/'}{'?' + parts.query if parts.query else ''} HTTP/1.1".encode()
                origin.sendall(b"\r\n".join([own, *lines, b"\r\n"]) + rest)
                _join(client, origin)

    def _secured(self, client: socket.socket) -> contextlib.AbstractContextManager[socket.socket]:
        return contextlib.nullcontext(client) if self.tls is None else self.tls.wrap_socket(client, server_side=True)

    def _is_allowed(self, head: bytes) -> bool:
        if self.password is None:
            return True
        secret = base64.b64encode(f"robot:{self.password}".encode())
        return b"Proxy-Authorization: Basic " + secret in head.split(b"\r\n")


def _head(client: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data and len(data) < MAX_HEAD_BYTES:
        piece = client.recv(PIECE_BYTES)
        if not piece:
            raise OSError("closed")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _join(client: socket.socket, origin: socket.socket) -> None:
    """Copy in both directions until one of them ends."""
    upwards = threading.Thread(target=_copy, args=(client, origin), daemon=True)
    upwards.start()
    _copy(origin, client)


def _copy(source: socket.socket, into: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            into.sendall(piece)
    with contextlib.suppress(OSError):
        into.shutdown(socket.SHUT_WR)
