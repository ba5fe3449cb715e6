"""What leaves: the head of a request, and its body."""

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
"""Of a file, in memory at a time; a head must find room in it as well."""
_desks: Final = threading.local()


class Body(Protocol):
    """What a request brings along."""

    def __len__(self) -> int:
        """Its bytes."""
        ...

    def send(self, way: Way, head: bytes) -> None:
        """Send the request's head, and then all of it. Raises OSError."""
        ...


class Way(Protocol):
    """What a request leaves by."""

    def sendall(self, data: bytes | memoryview, /) -> None:
        """Send all of it. Raises OSError."""
        ...


class Outlet:
    """A connection on which one request leaves, all of it within one deadline."""

    __slots__ = ("_due", "_sock")

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._due = time.monotonic() + seconds

    def sendall(self, data: bytes | memoryview, /) -> None:
        """See `Way`."""
        left = self._due - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "the request was not taken in time")
        self._sock.settimeout(left)
        self._sock.sendall(data)


class Outgoing:
    """One that is paid for. What has left is the difference between "not billed" and "perhaps billed"."""

    __slots__ = ("_content", "begun", "sent")

    def __init__(self, content: bytes) -> None:
        """Nothing of it has left."""
        self._content = content
        self.begun = False
        """The head is out, the body is on its way."""
        self.sent = False
        """The operating system has taken all of it."""

    def __len__(self) -> int:
        return len(self._content)

    def send(self, way: Way, head: bytes) -> None:
        """See `Body`."""
        way.sendall(head)
        self.begun = True
        way.sendall(self._content)
        self.sent = True


class OutgoingFile:
    """A file, read as it leaves. The memory for it is a thread's own, for the system takes long to hand out new one."""

    __slots__ = ("_path", "_size")

    def __init__(self, path: Path) -> None:
        """As large as it is now. Raises OSError."""
        self._path = path
        self._size = path.stat().st_size

    def __len__(self) -> int:
        return self._size

    def send(self, way: Way, head: bytes) -> None:
        """See `Body`; also raised for a file that has become shorter."""
        desk, left, begun = _desk(), self._size, len(head)
        desk[:begun] = head  # together with the first piece: the system takes its time over each packet
        file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while left:
                read = os.readv(file, [desk[begun : begun + left]])
                if not read:
                    raise OSError(errno.EIO, "the file has become shorter", str(self._path))
                way.sendall(desk[: begun + read])
                left, begun = left - read, 0
            if begun:
                way.sendall(head)
        finally:
            os.close(file)


def _desk() -> memoryview:
    desk: memoryview | None = getattr(_desks, "piece", None)
    if desk is None:
        desk = _desks.piece = memoryview(bytearray(PIECE_BYTES))
    return desk


def head(method: str, target: str, headers: Mapping[str, str], *, host: str, body_bytes: int | None) -> bytes:
    """A request's first lines. `host` counts where it isn't among the headers.

    Bodies are wanted as they are stored.

    Raises:
        ValueError: a target or a header that would end its line and begin another, or isn't Latin-1.
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
    """What names the origin in a request."""
    bare = host.strip("[]")
    shown = f"[{bare}]" if ":" in bare else bare
    return shown if port in {None, default_port} else f"{shown}:{port}"
