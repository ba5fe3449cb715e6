"""Checks every request before a route sees it: limits on headers, body and time, authentication, access log.

Weakness: the limits are per process. A proxy facing the public internet must terminate TLS and limit connections per
address.
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
from worker.gateway import dialects
from worker.gateway.metrics import GatewayMetrics
from worker.gateway.middleware.api_keys import Caller, Keyring
from worker.gateway.problems import ProblemError
from worker.store.access.api_keys import is_ours
from worker.telemetry import tracing

MAX_HEADERS: Final = 100
MAX_HEADER_BYTES: Final = 32 * 1024
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods whose requests are logged only if they fail."""
VERSIONS: Final = frozenset({"1.0", "1.1"})
MAX_BODY_BYTES: Final = 256 * 1024
MAX_IN_PROGRESS: Final = 800
"""Requests in progress in one process, including waits and event streams."""
BODY_SECONDS: Final = 30.0
BYTES_PER_SECOND: Final = 16 * 1024
"""Minimum upload speed: a longer body gets the time this needs, in addition to `BODY_SECONDS`."""
HOOK_BODY_SECONDS: Final = 10.0
HOOK_BYTES_PER_SECOND: Final = 64 * 1024
"""The same for webhooks, whose senders are unknown until the body is complete."""
SEND_SECONDS: Final = 30.0
"""A client that reads nothing of its response for this long is disconnected."""
BUFFERED_BYTES: Final = 16 * 1024
SINGLE: Final = frozenset(
    {b"authorization", b"content-type", b"content-length", b"content-encoding", b"host", b"idempotency-key", b"range"}
)
"""Headers that readers interpret differently when repeated."""
OPENAI: Final = "/openai/v1/"
SPEECH: Final = "/openai/v1/audio/speech"
OPEN: Final = frozenset({"/openai/v1/audio/models", "/openai/v1/audio/voices"})
"""Names only, the same for everybody: Open WebUI reads them without its key."""
HOOKS: Final = "/v1/hooks/"
LIVENESS: Final = "/healthz"
"""Answered here, in a quarter of the time that the application takes: it must be, whatever else waits."""
ALIVE: Final = b'{"status":"ok"}'
METRICS: Final = "/metrics"
"""The only path outside `/v1` that shows tenant activity."""
MAX_PARAMETERS: Final = 200
"""Query parameters of one request; each is parsed on the event loop."""
LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD: Final = "other"
"""Counts every other method in the metrics: clients invent them, and each label value is kept for good."""
PROXY_HEADERS: Final = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"client-ip", b"true-client-ip", b"cf-connecting-ip", b"fastly-client-ip"}
    | {b"x-client-ip", b"x-cluster-client-ip", b"x-original-host", b"x-original-forwarded-for", b"x-proxyuser-ip"}
)
PROXY_PREFIXES: Final = (b"x-forwarded", b"x-envoy-", b"cf-", b"x-amzn-", b"x-azure-", b"x-appengine-", b"cdn-")
"""Headers that reverse proxies add."""
HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)

log = structlog.get_logger("ttsq.gateway")


class ClientGoneError(Exception):
    """The client has disconnected."""


@dataclass(slots=True)
class Guard:
    app: ASGIApp
    keyring: Keyring
    metrics: GatewayMetrics
    body_limits: Callable[[str], int]
    """Maximum bytes of a body, by path."""
    clock: Callable[[], float] = time.monotonic
    in_progress: int = field(default=0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(scope, receive, send, self)
        structlog.contextvars.bind_contextvars(request=request.id)
        self.metrics.in_progress.inc()
        self.in_progress += 1
        try:
            await self._answer(request)
        finally:
            self.in_progress -= 1
            self.metrics.in_progress.dec()
            self._note(request)
            structlog.contextvars.unbind_contextvars("request")

    async def _answer(self, request: _Request) -> None:
        caller: Caller | None = None
        try:
            if self.in_progress > MAX_IN_PROGRESS:
                raise ProblemError(Trouble.OVERLOADED, "Too many requests are in progress.", retry_after=1)
            headers = request.checked_headers()
            if request.is_health_check(headers):
                await request.answer_alive()
                return
            caller = await self._caller(request, headers)
            if caller is not None:
                self.keyring.begin(caller, held=request.is_held)
                request.scope["state"]["caller"] = caller
                request.caller = caller.name
            method, parent = request.scope["method"][:16], headers.get(tracing.HEADER.encode(), b"").decode("latin-1")
            try:
                with tracing.span("request", parent=parent, attributes={"http.request.method": method}):
                    await self.app(request.scope, request.receive, request.send)
                    tracing.annotate({"http.route": request.route, "http.response.status_code": request.status})
            finally:
                if caller is not None:
                    self.keyring.end(caller, held=request.is_held)
        except ProblemError as problem:
            await request.refuse(problem)
        except ClientGoneError:
            request.status = request.status or 499
        except Exception as error:  # noqa: BLE001 - the client gets a response for every error
            if not request.status:  # otherwise the application has responded, and only re-raised
                await request.refuse(problem_for(error))

    async def _caller(self, request: _Request, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Authenticate the caller; None if the route needs no key."""
        path = request.scope["path"]
        if path.startswith(HOOKS) or path in OPEN:
            return None
        if not (path.startswith(("/v1/", OPENAI)) or path == METRICS):
            return None
        given = _key(headers)
        if given is not None and self.keyring.without_auth and path.startswith(OPENAI) and not is_ours(given):
            given = None  # OpenAI's clients cannot send no key
        if given is None and self.keyring.without_auth:
            _refuse_foreign_origins(headers)
            _refuse_proxies(headers, request.scope["http_version"])
        known = self.keyring.cached(given)
        return known or await run_in_threadpool(self.keyring.authenticate, given)

    def _note(self, request: _Request) -> None:
        route, seconds = request.route, self.clock() - request.began
        method = request.scope["method"] if request.scope["method"] in METHODS else OTHER_METHOD
        self.metrics.requests.labels(method, route, request.status).inc()
        self.metrics.seconds_of(request.scope).labels(route).observe(seconds)
        changes = request.scope["method"] not in READING  # a client quotes the id of a request that it was promised
        emit = log.info if changes or request.status >= 400 else log.debug
        emit(
            "request",
            method=method,
            route=route,
            status=request.status,
            seconds=round(seconds, 4),
            caller=request.caller,
        )


@dataclass(frozen=True, slots=True)
class _Route:
    """Names a route that isn't the application's in metrics and log."""

    path: str


_LIVENESS_ROUTE: Final = _Route(LIVENESS)


class _Request:
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
        is_hook = scope["path"].startswith(HOOKS)
        self._body_seconds = HOOK_BODY_SECONDS if is_hook else BODY_SECONDS
        self._speed = HOOK_BYTES_PER_SECOND if is_hook else BYTES_PER_SECOND
        self._received = 0
        self._complete = False
        scope.setdefault("state", {})
        scope["state"]["request_id"] = self.id

    @property
    def route(self) -> str:
        """The route template of the request, known after routing."""
        return getattr(self.scope.get("route"), "path", "none")

    @property
    def is_held(self) -> bool:
        """Whether the request waits for its audio, and may then be one of many of its key."""
        return bool(self.scope["path"] == SPEECH)

    def is_health_check(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether it asks for no more than liveness. The application refuses what has a query or body."""
        scope = self.scope
        plain = scope["path"] == LIVENESS and scope["method"] == "GET" and not scope["query_string"]
        return plain and b"content-length" not in headers and b"transfer-encoding" not in headers

    async def answer_alive(self) -> None:
        self.scope["route"] = _LIVENESS_ROUTE
        length = str(len(ALIVE)).encode()
        given = [(b"content-type", b"application/json"), (b"content-length", length)]
        await self.send({"type": "http.response.start", "status": 200, "headers": given})
        await self.send({"type": "http.response.body", "body": ALIVE})

    def checked_headers(self) -> dict[bytes, bytes]:
        """Return the headers by name. Raises ProblemError if two readers could interpret them differently."""
        raw = self.scope["headers"]
        if len(raw) > MAX_HEADERS or sum(len(name) + len(value) for name, value in raw) > MAX_HEADER_BYTES:
            detail = f"At most {MAX_HEADERS} header fields of {MAX_HEADER_BYTES:,} bytes in total are accepted."
            raise ProblemError(Trouble.HEADERS_TOO_LARGE, detail)
        if self.scope["query_string"].count(b"&") >= MAX_PARAMETERS:
            raise ProblemError(Trouble.MALFORMED, f"A query may have at most {MAX_PARAMETERS} parameters.")
        if self.scope["http_version"] not in VERSIONS:
            raise ProblemError(Trouble.MALFORMED, "Use HTTP/1.1.")
        headers = dict(raw)
        if len(headers) != len(raw):
            names = [name for name, _ in raw]
            if repeated := next((name for name in SINGLE if names.count(name) > 1), None):
                raise ProblemError(Trouble.MALFORMED, f"The header {repeated.decode()} is repeated.")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise ProblemError(Trouble.WRONG_TYPE, "Compressed bodies are not supported; send the body uncompressed.")
        length = headers.get(b"content-length")
        if length is not None and b"transfer-encoding" in headers:
            # A proxy may have used the other one to find the end of the body (request smuggling).
            raise ProblemError(Trouble.MALFORMED, "Send either Content-Length or Transfer-Encoding, not both.")
        if length is not None and length.isdigit() and int(length[:18]) > self._limit:
            raise _too_large(self._limit)
        return headers

    async def receive(self) -> Message:
        """Receive a part of the body within its limits of time and size."""
        if self._complete:
            return await self._receive()
        deadline = self.began + self._body_seconds + self._received / self._speed
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock())):
                message = await self._receive()
        except TimeoutError:
            raise ProblemError(
                Trouble.TOO_SLOW, "The body arrived too slowly.", headers={"connection": "close"}
            ) from None
        if message["type"] == "http.disconnect":
            self._complete = True
            return message
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._received > self._limit:
            raise _too_large(self._limit)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.setdefault("headers", [])
            names = {name for name, _ in given}
            given += [(name, value) for name, value in HEADERS if name not in names]
            given.append((b"x-request-id", self.id.encode()))
        if not message.get("more_body", False) and len(message.get("body", b"")) <= BUFFERED_BYTES:
            await self._send(message)  # fits the buffer, so it does not wait for the client
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send(message)
        except TimeoutError:
            raise ClientGoneError from None

    async def refuse(self, problem: ProblemError) -> None:
        """Respond with a problem; if a response has already begun, close the connection."""
        if self.status:
            return
        answer = dialects.response(problem, self.scope["path"], self.id)
        await answer(self.scope, self._receive, self.send)


def _key(headers: Mapping[bytes, bytes]) -> str | None:
    given = headers.get(b"authorization")
    if given is None:
        return None
    scheme, _, key = given.partition(b" ")
    return key.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""


def _refuse_foreign_origins(headers: Mapping[bytes, bytes]) -> None:
    """Without authentication, reject browser pages of other origins and requests under other host names."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    name = host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]
    if name not in LOCAL_HOSTS:
        raise ProblemError(
            Trouble.NOT_PERMITTED, "Without authentication the gateway accepts only a loopback Host header."
        )
    if b"origin" in headers or headers.get(b"sec-fetch-site", b"none") not in {b"none", b"same-origin"}:
        raise ProblemError(
            Trouble.NOT_PERMITTED, "Without authentication the gateway rejects requests from other origins."
        )


def _refuse_proxies(headers: Mapping[bytes, bytes], http_version: str) -> None:
    """Without authentication, reject what a proxy passed on: its clients are not on this machine.

    nginx adds no header by default, and speaks HTTP/1.0 to the server behind it.
    """
    names = (name.replace(b"_", b"-") for name in headers)
    found = next((name for name in names if name in PROXY_HEADERS or name.startswith(PROXY_PREFIXES)), None)
    if found is not None or http_version == "1.0":
        sign = f"has the header {found.decode('latin-1')}" if found else "is HTTP/1.0"
        raise ProblemError(
            Trouble.NOT_PERMITTED,
            f"The request {sign}, so it came through a proxy. Without authentication only this machine is served;"
            " create a key with `ttsq keys add NAME` and send it as `Authorization: Bearer …`.",
        )


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        Trouble.TOO_LARGE, f"The body may have at most {limit:,} bytes.", headers={"connection": "close"}
    )


def problem_for(error: Exception) -> ProblemError:
    """Return the problem for an unexpected error, and log it."""
    if isinstance(error, SQLAlchemyError):
        log.warning("database_unavailable", error=str(error).splitlines()[0])
        return ProblemError(Trouble.OVERLOADED, "The database is unavailable.", retry_after=5)
    if isinstance(error, ArtifactsError):
        log.warning("store_unavailable", code=error.code, error=error.message)
        return ProblemError(Trouble.STORE_TROUBLE, "The audio store is unavailable.", retry_after=5)
    log.error("request_crashed", exc_info=error)
    return ProblemError(Trouble.BROKEN, "See the log for this request id.")


def caller_of(scope: Mapping[str, Any]) -> Caller:
    found: Caller = scope["state"]["caller"]
    return found
