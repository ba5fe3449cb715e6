"""Ways between a worker and its servers that can be frozen, cut or slowed: small TCP relays, all on one thread.

Its weakness: a relay ends one TCP connection and begins another, so the worker's packets are acknowledged by a living
kernel even while nothing goes through. What only unacknowledged packets bring about is shown in `namespaces`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar

from tests.servers.ports import LOOPBACK

PIECE_BYTES: Final = 64 * 1024
BACKLOG: Final = 512
ANSWER_SECONDS: Final = 10.0
"""Limit for the relay thread to carry out a command."""
TURNS_TO_ACCEPT: Final = 5
"""Turns of the loop in which connections that were accepted get their streams; cancelled before, they would leak."""
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds."""

T = TypeVar("T")


class Wire:
    """The thread on which links run. A context manager; closing it drops every connection."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._links: list[Link] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def link(self, target_port: int, listener: socket.socket | None = None) -> Link:
        """A new path to a server on loopback, from `listener` or from a free port."""
        made = Link(target_port, listener or socket.create_server((LOOPBACK, 0), backlog=BACKLOG), self._call)
        self._do(made.listen)
        self._links.append(made)
        return made

    async def _close(self) -> None:
        for link in self._links:
            link.stop_listening()
        for _ in range(TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        for link in self._links:
            link.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(ANSWER_SECONDS)

    def _call(self, change: Callable[[], None]) -> None:
        """Make a change on the thread, and return once it is made."""

        async def changed() -> None:
            change()

        self._do(changed)


@dataclass(slots=True)
class Link:
    """One way. Its methods may be called from any thread."""

    target_port: int
    _listener: socket.socket
    _on_wire: Callable[[Callable[[], None]], None]
    _flows: asyncio.Event = field(default_factory=asyncio.Event)
    _is_cut: bool = False
    _delay_seconds: float = 0.0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where a worker reaches it."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def freeze(self) -> None:
        """Half-open: connections stay, new ones are accepted, and nothing passes in either direction."""
        self._on_wire(self._flows.clear)

    def cut(self) -> None:
        """Reset every connection, and every new one."""
        self._on_wire(self._cut)

    def strand(self) -> None:
        """Silence every open connection permanently without closing it. New connections work."""
        self._on_wire(self._strand)

    def slow(self, seconds: float) -> None:
        """Hold every piece back for so long."""
        self._on_wire(lambda: setattr(self, "_delay_seconds", seconds))

    def restore(self) -> None:
        """As at the start; what was held back goes through now."""
        self._on_wire(self._restore)

    async def listen(self) -> None:
        """Accept from now on. To be awaited on the wire's thread."""
        self._flows.set()
        self._server = await asyncio.start_server(self._serve, sock=self._listener)

    def stop_listening(self) -> None:
        """Accept no more. To be called on the wire's thread."""
        if self._server is not None:
            self._server.close()

    def close(self) -> None:
        """Drop every connection. To be called on the wire's thread."""
        self._cut()

    def _cut(self) -> None:
        self._is_cut = True
        for writer in self._open:
            _reset(writer)

    def _strand(self) -> None:
        self._flows.clear()
        self._flows = asyncio.Event()
        self._flows.set()

    def _restore(self) -> None:
        self._is_cut, self._delay_seconds = False, 0.0
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled only when the wire is closed; asyncio's streams would tell of that as of an error.
        with suppress(asyncio.CancelledError):
            await self._connect(reader, writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        flows = self._flows
        try:
            await flows.wait()
            if self._is_cut:
                _reset(writer)
                return
            onward_reader, onward = await asyncio.open_connection(LOOPBACK, self.target_port)
        except OSError:
            _reset(writer)
            return
        finally:
            self._open.discard(writer)
        await self._relay((reader, writer), (onward_reader, onward), flows)

    async def _relay(
        self,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        flows: asyncio.Event,
    ) -> None:
        """Carry both directions until either end is through; a reset at one end is a reset at the other."""
        writers = {near[1], far[1]}
        self._open |= writers
        ways = {
            asyncio.ensure_future(self._carry(near[0], far[1], flows)),
            asyncio.ensure_future(self._carry(far[0], near[1], flows)),
        }
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            orderly = all(way.result() for way in done)
        finally:
            for way in ways:
                way.cancel()
            self._open -= writers
        for writer in writers:
            writer.close() if orderly else _reset(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event) -> bool:
        """One direction, to its end, which can't pass either while nothing does. Whether that was in good order."""
        with suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                await flows.wait()
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                writer.write(piece)
                await writer.drain()
            await flows.wait()
            return True
        return False


def _reset(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        with suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
