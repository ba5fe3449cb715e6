"""Sends an answer, or mistreats its connection as the answer says. The one place that knows uvicorn's protocols."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any, Final, Protocol, cast

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.server import ServerState

from worker.emulator.api.responses import Answer, Ending

PIECE_BYTES: Final = 64 * 1024
SLOW_PIECES: Final = 20
"""A slow body arrives in so many parts."""
LINGER_NOT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends a reset instead of an orderly end."""


class ConnectionFactory(Protocol):
    """How uvicorn makes the protocol object of a new connection."""

    def __call__(
        self,
        *,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.Protocol:
        """`app_state` is copied into the scope of each request."""


def connection(
    *,
    config: Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> asyncio.Protocol:
    """uvicorn's own protocol for a new connection, made reachable from the requests that come over it."""
    make = cast("ConnectionFactory", AutoHTTPProtocol)
    state = dict(app_state)
    state["connection"] = make(config=config, server_state=server_state, app_state=state, _loop=_loop)
    return cast("asyncio.Protocol", state["connection"])


def abort(scope: Scope) -> None:
    """Resets the connection a request came over."""
    transport: asyncio.Transport = scope["state"]["connection"].transport
    if not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    transport.abort()


class Dated:
    """Adds the date to each response. uvicorn's own is renewed by a timer, which falls behind on a busy machine."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, answered by the application."""

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(usegmt=True).encode("ascii")
                message["headers"] = [(b"date", date), *message["headers"]]
            await send(message)

        await self._app(scope, receive, send_dated)


class Delivery(Response):
    """An answer on its way, for starlette."""

    def __init__(self, answer: Answer) -> None:  # its base would copy and measure the body; the answer has all that
        self._answer = answer
        self.status_code = answer.status
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """Sends, cuts, drips or resets."""
        answer = self._answer
        match answer.ending:
            case Ending.RESET | Ending.LOST:
                abort(scope)
            case Ending.WHOLE if not answer.stretched_to_bytes:
                await send(self._start())
                await send({"type": "http.response.body", "body": answer.body})
            case Ending.CUT:
                # uvicorn closes a connection whose response stays short of its announced length.
                await self._send_pieces(send, self._kept(), pause_seconds=0)
            case _:
                await self._send_pieces(send, self._pieces(), pause_seconds=answer.body_seconds / SLOW_PIECES)
                await send({"type": "http.response.body"})

    def _start(self) -> dict[str, Any]:
        answer = self._answer
        length = max(len(answer.body), answer.stretched_to_bytes)
        headers = [
            (b"content-type", answer.content_type.encode("latin-1")),
            (b"content-length", str(length).encode()),
            *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers),
        ]
        return {"type": "http.response.start", "status": answer.status, "headers": headers}

    async def _send_pieces(self, send: Send, pieces: Iterator[bytes], *, pause_seconds: float) -> None:
        await send(self._start())
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if pause_seconds:
                await asyncio.sleep(pause_seconds)

    def _kept(self) -> Iterator[bytes]:
        """The part of the body that is sent before the cut: always short of the whole."""
        body = self._answer.body
        yield body[: min(int(len(body) * self._answer.kept_share), max(len(body) - 1, 0))]

    def _pieces(self) -> Iterator[bytes]:
        """The body in pieces, then zeros up to the length it is stretched to."""
        answer = self._answer
        size = max(1, len(answer.body) // SLOW_PIECES + 1) if answer.body_seconds else PIECE_BYTES
        for offset in range(0, len(answer.body), size):
            yield answer.body[offset : offset + size]
        for left in range(answer.stretched_to_bytes - len(answer.body), 0, -PIECE_BYTES):
            yield bytes(min(left, PIECE_BYTES))
