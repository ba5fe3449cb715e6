"""Sends a response, or breaks its connection as instructed. The only module that knows uvicorn's protocols."""

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
"""Pieces of a slow body."""
LINGER_NOT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: close sends a reset."""


class ConnectionFactory(Protocol):
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
    """Create uvicorn's protocol for a connection, reachable from that connection's requests."""
    make = cast("ConnectionFactory", AutoHTTPProtocol)
    state = dict(app_state)
    state["connection"] = make(config=config, server_state=server_state, app_state=state, _loop=_loop)
    return cast("asyncio.Protocol", state["connection"])


def abort(scope: Scope) -> None:
    """Reset the request's connection."""
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
    def __init__(self, answer: Answer) -> None:  # the base class would copy the body
        self._answer = answer
        self.status_code = answer.status
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
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
        """The part of the body sent before the cut: always shorter than the whole."""
        body = self._answer.body
        yield body[: min(int(len(body) * self._answer.kept_share), max(len(body) - 1, 0))]

    def _pieces(self) -> Iterator[bytes]:
        """The body in pieces, then zeros up to `stretched_to_bytes`."""
        answer = self._answer
        size = max(1, len(answer.body) // SLOW_PIECES + 1) if answer.body_seconds else PIECE_BYTES
        for offset in range(0, len(answer.body), size):
            yield answer.body[offset : offset + size]
        for remaining in range(answer.stretched_to_bytes - len(answer.body), 0, -PIECE_BYTES):
            yield bytes(min(remaining, PIECE_BYTES))
