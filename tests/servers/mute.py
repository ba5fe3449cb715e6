"""A server that takes whatever it is sent and never answers, or a byte at a time. Loopback only."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Mute:
    """Accepts connections; says nothing, or drips a byte at a time, of what no protocol knows."""

    def __init__(self, *, drips: bool = False) -> None:
        self._drips = drips
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """End it, and every connection."""
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for one in self._open:
            one.close()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                if self._drips:
                    threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while not self._ended.wait(0.2):
                connection.sendall(b"H")
