"""TLS in front of a server that has none: each connection is decrypted and passed on. Loopback only."""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.servers.certificate import self_signed
from tests.servers.ports import LOOPBACK


class TlsProxy:
    """Listens with a certificate of its own, `certificate`, which clients may trust."""

    def __init__(self, port: int, folder: Path, *, certificate: Path | None = None) -> None:
        """`port` is the plain server's; `folder` takes the certificate, where none is given."""
        self.certificate = certificate or self_signed(folder)
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self._thread.start()
        opened = asyncio.start_server(self._serve, LOOPBACK, 0, ssl=context)
        self._server = asyncio.run_coroutine_threadsafe(opened, self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._server.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plain_reader, plain_writer = await asyncio.open_connection(LOOPBACK, self._target)
        await asyncio.gather(_pass(reader, plain_writer), _pass(plain_reader, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
