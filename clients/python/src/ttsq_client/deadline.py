"""A limit on a whole exchange. Timeouts of a socket start anew with every byte that arrives."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

MAX_SECONDS: Final = 3_600.0
"""Of one timer; a later end is reached by several."""


class Deadline:
    """Shuts the exchange's socket down when its time is up, whatever the thread is waiting for."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self.expired = False

    def watch(self, sock: socket.socket) -> None:
        with self._lock:
            self._socket = sock
            if self.expired:
                _shut(sock)

    def extend_to(self, moment: float) -> None:
        """Set the end, by `time.monotonic`."""
        self._until = moment

    def __enter__(self) -> Self:
        self._arm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._socket = None
            self._until = float("inf")

    def _arm(self) -> None:
        seconds = min(MAX_SECONDS, max(0.0, self._until - time.monotonic()))
        self._timer = threading.Timer(seconds, self._ring)
        self._timer.daemon = True
        self._timer.start()

    def _ring(self) -> None:
        with self._lock:
            if self._timer is None:
                return
            if self._until > time.monotonic():
                self._arm()  # it was extended meanwhile
                return
            self.expired = True
            if self._socket is not None:
                _shut(self._socket)


def _shut(sock: socket.socket) -> None:
    # The base class's method: that of a TLS socket would drop its state under the reading thread.
    with suppress(OSError, ValueError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
