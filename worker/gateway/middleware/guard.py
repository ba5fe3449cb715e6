"""What every request passes before a route sees it: bounds on headers, body and time, who is asking, what is logged.

Weakness: the bounds are a process's own. In front of the public internet stands a proxy that ends TLS and bounds
connections an address.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from api_models.http_problems import Trouble
from worker.artifacts.errors import ArtifactsError
from worker.gateway.metrics import Figures
from worker.gateway.middleware.api_keys import Caller, Keyring
from worker.gateway.problems import ProblemError
from worker.telemetry import tracing

MAX_HEADERS: Final = 100
MAX_HEADER_BYTES: Final = 32 * 1024
VERSIONS: Final = frozenset({"1.0", "1.1"})
MAX_BODY_BYTES: Final = 256 * 1024
MAX_UNDER_WAY: Final = 800
"""Requests that one process answers at the same time, waits and event streams included."""
BODY_SECONDS: Final = 30.0
BYTES_PER_SECOND: Final = 16 * 1024
"""A longer body gets the time that this speed needs, beside `BODY_SECONDS`."""
SEND_SECONDS: Final = 30.0
"""A client that reads nothing of its answer for so long is cut off."""
AT_ONCE_BYTES: Final = 16 * 1024
SINGLE: Final = frozenset(
    {b"authorization", b"content-type", b"content-length", b"content-encoding", b"host", b"idempotency-key", b"range"}
)
"""Headers that mean something else to every reader where they stand twice."""
METRICS: Final = "/metrics"
"""The one path outside `/v1` that tells something of the tenants' work."""
LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)

log = structlog.get_logger("ttsq.gateway")


class ClientGoneError(Exception):
    """Nobody reads the answer any more."""


@dataclass(slots=True)
class Guard:
    """The outermost layer of the application."""

    app: ASGIApp
    keyring: Keyring
    figures: Figures
    body_limits: Callable[[str], int]
    """How many bytes a body may have, by path."""
    clock: Callable[[], float] = time.monotonic
    under_way: int = field(default=0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(scope, receive, send, self)
        structlog.contextvars.bind_contextvars(request=request.id)
        self.figures.under_way.inc()
        self.under_way += 1
        try:
            await self._answer(request)
        finally:
            self.under_way -= 1
            self.figures.under_way.dec()
            self._note(request)
            structlog.contextvars.unbind_contextvars("request")

    async def _answer(self, request: _Request) -> None:
        caller: Caller | None = None
        try:
            if self.under_way > MAX_UNDER_WAY:
                raise ProblemError(Trouble.OVERLOADED, "Too many requests are under way.", retry_after=1)
            headers = request.checked_headers()
            caller = await self._caller(request, headers)
            if caller is not None:
                self.keyring.begin(caller)
                request.scope["state"]["caller"] = caller
                request.caller = caller.name
            method, parent = request.scope["method"][:16], headers.get(tracing.HEADER.encode(), b"").decode("latin-1")
            try:
                with tracing.span("request", parent=parent, attributes={"http.request.method": method}):
                    await self.app(request.scope, request.receive, request.send)
                    tracing.annotate({"http.route": request.route, "http.response.status_code": request.status})
            finally:
                if caller is not None:
                    self.keyring.end(caller)
        except ProblemError as problem:
            await request.refuse(problem)
        except ClientGoneError:
            request.status = request.status or 499
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer it can act on
            if not request.status:  # else the application has answered, and tells us only that it had to
                await request.refuse(explained(error))

    async def _caller(self, request: _Request, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Who is asking; None where the route asks for no key."""
        path = request.scope["path"]
        if path.startswith("/v1/hooks/") or not (path.startswith("/v1/") or path == METRICS):
            return None
        given = _key(headers)
        if given is None and self.keyring.open_door:
            _refuse_strangers(headers)
        known = self.keyring.remembered(given)
        return known or await run_in_threadpool(self.keyring.ask, given)

    def _note(self, request: _Request) -> None:
        route, seconds = request.route, self.clock() - request.began
        self.figures.requests.labels(request.scope["method"][:16], route, request.status).inc()
        self.figures.seconds.labels(route).observe(seconds)
        tell = log.info if request.status >= 400 else log.debug
        tell(
            "request",
            method=request.scope["method"][:16],
            route=route,
            status=request.status,
            seconds=round(seconds, 4),
            caller=request.caller,
        )


class _Request:
    """One request on its way through the guard."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, guard: Guard) -> None:
        self.scope = scope
        self.id = str(uuid7())
        self.status = 0
        self.caller: str | None = None
        self.began = guard.clock()
        self._receive = receive
        self._send = send
        self._clock = guard.clock
        self._limit = guard.body_limits(scope["path"])
        self._received = 0
        self._whole = False
        scope.setdefault("state", {})
        scope["state"]["request_id"] = self.id

    @property
    def route(self) -> str:
        """The path it came by, with names for its parts; known once it has been found."""
        return getattr(self.scope.get("route"), "path", "none")

    def checked_headers(self) -> dict[bytes, bytes]:
        """The headers by name. Raises ProblemError where two readers could understand them differently."""
        raw = self.scope["headers"]
        if len(raw) > MAX_HEADERS or sum(len(name) + len(value) for name, value in raw) > MAX_HEADER_BYTES:
            detail = f"At most {MAX_HEADERS} header fields of {MAX_HEADER_BYTES:,} bytes altogether are read."
            raise ProblemError(Trouble.HEADERS_TOO_LARGE, detail)
        if self.scope["http_version"] not in VERSIONS:
            raise ProblemError(Trouble.MALFORMED, "This speaks HTTP/1.1.")
        headers = dict(raw)
        if len(headers) != len(raw):
            names = [name for name, _ in raw]
            if twice := next((name for name in SINGLE if names.count(name) > 1), None):
                raise ProblemError(Trouble.MALFORMED, f"The header {twice.decode()} stands twice.")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise ProblemError(Trouble.WRONG_TYPE, "Compressed bodies aren't read; send it as it is.")
        length = headers.get(b"content-length")
        if length is not None and b"transfer-encoding" in headers:
            # One of them decides where the body ends, and somebody in front of us may have gone by the other.
            raise ProblemError(Trouble.MALFORMED, "Give a Content-Length or a Transfer-Encoding, not both.")
        if length is not None and length.isdigit() and int(length[:18]) > self._limit:
            raise _too_large(self._limit)
        return headers

    async def receive(self) -> Message:
        """A part of the body, if it comes in time and isn't too much."""
        if self._whole:
            return await self._receive()
        deadline = self.began + BODY_SECONDS + self._received / BYTES_PER_SECOND
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock())):
                message = await self._receive()
        except TimeoutError:
            raise ProblemError(Trouble.TOO_SLOW, "The body came too slowly.", headers={"connection": "close"}) from None
        if message["type"] == "http.disconnect":
            self._whole = True
            return message
        self._received += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._received > self._limit:
            raise _too_large(self._limit)
        return message

    async def send(self, message: Message) -> None:
        """A part of the answer, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.setdefault("headers", [])
            names = {name for name, _ in given}
            given += [(name, value) for name, value in HEADERS if name not in names]
            given.append((b"x-request-id", self.id.encode()))
        if not message.get("more_body", False) and len(message.get("body", b"")) <= AT_ONCE_BYTES:
            await self._send(message)  # it fits the buffer, and nobody waits for the client
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send(message)
        except TimeoutError:
            raise ClientGoneError from None

    async def refuse(self, problem: ProblemError) -> None:
        """End with a problem, unless an answer has begun already: then the connection is all that is left to end."""
        if self.status:
            return
        await problem.response(self.id)(self.scope, self._receive, self.send)


def _key(headers: Mapping[bytes, bytes]) -> str | None:
    given = headers.get(b"authorization")
    if given is None:
        return None
    word, _, key = given.partition(b" ")
    return key.strip().decode("latin-1") if word.lower() == b"bearer" else ""


def _refuse_strangers(headers: Mapping[bytes, bytes]) -> None:
    """Where no key is asked for, a page in this machine's browser must not get in by another name or from elsewhere."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    name = host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]
    if name not in LOCAL_HOSTS:
        raise ProblemError(Trouble.NOT_PERMITTED, "Without keys the gateway answers to this machine's own name alone.")
    if b"origin" in headers or headers.get(b"sec-fetch-site", b"none") not in {b"none", b"same-origin"}:
        raise ProblemError(Trouble.NOT_PERMITTED, "Without keys no page of another site may ask.")


def _too_large(limit: int) -> ProblemError:
    return ProblemError(Trouble.TOO_LARGE, f"The body may have {limit:,} bytes.", headers={"connection": "close"})


def explained(error: Exception) -> ProblemError:
    """What is said of trouble that no route expects, and what is logged of it."""
    if isinstance(error, SQLAlchemyError):
        log.warning("database_trouble", error=str(error).splitlines()[0])
        return ProblemError(Trouble.OVERLOADED, "The database doesn't answer just now.", retry_after=5)
    if isinstance(error, ArtifactsError):
        log.warning("store_trouble", code=error.code, error=error.message)
        return ProblemError(Trouble.STORE_TROUBLE, "The store of the audio doesn't answer.", retry_after=5)
    log.error("request_crashed", exc_info=error)
    return ProblemError(Trouble.BROKEN, "It is in the log, under this request's id.")


def caller_of(scope: Mapping[str, Any]) -> Caller:
    """Who asks, as the guard found out."""
    found: Caller = scope["state"]["caller"]
    return found
