"""What systemd is to a unit of `Type=notify`: a datagram socket that it reads."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SECONDS: Final = 60.0
"""Limit for a message that must come; a test that reaches it fails."""


class Notifications:
    """The messages of one unit, in their order."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener: Final = listener
        self.seen: Final[list[str]] = []

    def await_message(self, state: str) -> None:
        """Read on until this message; those before it are in `seen` too. Raises TimeoutError."""
        while True:
            message = self._listener.recv(4_096).decode()
            self.seen.append(message)
            if message == state:
                return


@contextmanager
def listening(path: Path) -> Iterator[Notifications]:
    """Listen there for the time of the block."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(SECONDS)
        yield Notifications(listener)
