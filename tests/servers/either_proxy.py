"""A server with and without TLS on one port: a connection that begins with a handshake is decrypted, any other is not.

So a Sentinel, which knows one port of its primary, may reach it plainly while clients use TLS. Loopback only.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from tests.servers.certificate import self_signed
from tests.servers.ports import LOOPBACK

HANDSHAKE: Final = b"\x16"


class EitherProxy:
    """Listens with a certificate of its own, `certificate`, which clients may trust."""

    def __init__(self, port: int, folder: Path, *, certificate: Path | None = None) -> None:
        """`port` is the plain server's; `folder` takes the certificate, where none is given."""
        self.certificate = certificate or self_signed(folder)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate)
        self._target = port
        self._listener = socket.create_server((LOOPBACK, 0))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.encrypted = 0
        """Connections with TLS."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._listener.getsockname()[1])

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), socket.create_connection((LOOPBACK, self._target)) as server:
            if connection.recv(1, socket.MSG_PEEK) == HANDSHAKE:
                connection = self._context.wrap_socket(connection, server_side=True)
                self.encrypted += 1
            threading.Thread(target=_pass, args=(server, connection), daemon=True).start()
            _pass(connection, server)
        connection.close()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
