"""What leaves: the head of a request as bytes, and a body that knows how much of it has left."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Final

from urllib3.connection import HTTPConnection

_NOT_IN_A_VALUE: Final = re.compile(r"[\r\n\0]")
_NOT_IN_A_TARGET: Final = re.compile(r"[\0-\x20\x7f]")


class Outgoing:
    """A request's body. What has left is the difference between "not billed" and "perhaps billed"."""

    __slots__ = ("begun", "content", "sent")

    def __init__(self, content: bytes) -> None:
        """Nothing of it has left."""
        self.content = content
        self.begun = False
        """The head is out, the body is on its way."""
        self.sent = False
        """The operating system has taken all of it."""

    def leave(self, way: socket.socket) -> None:
        """Send it. Raises OSError."""
        self.begun = True
        way.sendall(self.content)
        self.sent = True


def head(
    line: HTTPConnection, method: str, target: str, headers: Mapping[str, str], *, body_bytes: int | None
) -> bytes:
    """A request's first lines. Where `host` isn't among the headers, it is the one that the connection leads to.

    Bodies are wanted as they are stored.

    Raises:
        ValueError: a target or a header that would end its line and begin another, or isn't Latin-1.
    """
    if _NOT_IN_A_TARGET.search(target) or _NOT_IN_A_VALUE.search("".join(headers.values())):
        raise ValueError("a control character in a request's target or headers")
    named = headers if "host" in headers else {"Host": _host(line), **headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    lines.append("Accept-Encoding: identity")
    if body_bytes is not None:
        lines.append(f"Content-Length: {body_bytes}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def _host(line: HTTPConnection) -> str:
    bare = line.host.strip("[]")
    host = f"[{bare}]" if ":" in bare else bare
    return host if line.port == line.default_port else f"{host}:{line.port}"
