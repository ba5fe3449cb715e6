"""What is sent: the head of a request, and its body."""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

_NOT_IN_A_VALUE: Final = re.compile(r"[\r\n\0]")
_NOT_IN_A_TARGET: Final = re.compile(r"[\0-\x20\x7f]")


PIECE_BYTES: Final = 128 * 1024
"""Read buffer of a file; a head must fit in it too."""
_buffers: Final = threading.local()


class Body(Protocol):
    """A request body."""

    def __len__(self) -> int: ...

    def send(self, sock: Sink, head: bytes) -> None:
        """Send the request's head and the body. Raises OSError."""
        ...


class Sink(Protocol):
    """A sink for bytes."""

    def sendall(self, data: bytes | memoryview, /) -> None:
        """Raises OSError."""
        ...


class Outlet:
    """Sends one request within one deadline."""

    __slots__ = ("_due", "_sock")

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._due = time.monotonic() + seconds

    def sendall(self, data: bytes | memoryview, /) -> None:
        left = self._due - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "the request was not taken in time")
        self._sock.settimeout(left)
        self._sock.sendall(data)


class Outgoing:
    """The body of a paid request. Tracks what was sent: the difference between "not billed" and "possibly billed"."""

    __slots__ = ("_content", "begun", "sent")

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.begun = False
        """The head was sent."""
        self.sent = False
        """The operating system has taken all of it."""

    def __len__(self) -> int:
        return len(self._content)

    def send(self, sock: Sink, head: bytes) -> None:
        sock.sendall(head)
        self.begun = True
        sock.sendall(self._content)
        self.sent = True


class OutgoingFile:
    """A file, read while it is sent. Its buffer belongs to the thread, because allocating one is slow."""

    __slots__ = ("_path", "_size")

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._path = path
        self._size = path.stat().st_size

    def __len__(self) -> int:
        return self._size

    def send(self, sock: Sink, head: bytes) -> None:
        """Also raises OSError if the file has shrunk."""
        buffer, left, begun = _buffer(), self._size, len(head)
        buffer[:begun] = head  # sent with the first piece: each packet is slow
        file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while left:
                read = os.readv(file, [buffer[begun : begun + left]])
                if not read:
                    raise OSError(errno.EIO, "the file has become shorter", str(self._path))
                sock.sendall(buffer[: begun + read])
                left, begun = left - read, 0
            if begun:
                sock.sendall(head)
        finally:
            os.close(file)


def _buffer() -> memoryview:
    buffer: memoryview | None = getattr(_buffers, "piece", None)
    if buffer is None:
        buffer = _buffers.piece = memoryview(bytearray(PIECE_BYTES))
    return buffer


def head(method: str, target: str, headers: Mapping[str, str], *, host: str, body_bytes: int | None) -> bytes:
    """The request line and headers. `host` applies unless it is among the headers. Raises ValueError: the target or a
    header contains a line break, or isn't Latin-1.
    """
    if _NOT_IN_A_TARGET.search(target) or _NOT_IN_A_VALUE.search("".join(headers.values())):
        raise ValueError("a control character in a request's target or headers")
    named = headers if "host" in headers else {"Host": host, **headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    lines.append("Accept-Encoding: identity")
    if body_bytes is not None:
        lines.append(f"Content-Length: {body_bytes}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def host_header(host: str, port: int | None, default_port: int | None) -> str:
    bare = host.strip("[]")
    shown = f"[{bare}]" if ":" in bare else bare
    return shown if port in {None, default_port} else f"{shown}:{port}"
