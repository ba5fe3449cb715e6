"""Exchanges with one gateway: the key, time limits, size limits, retries, and what an error response becomes."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from urllib3 import Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as HttpTimeoutError
from urllib3.response import BaseHTTPResponse

from ttsq_client import refusals
from ttsq_client.address import Address, Proxies
from ttsq_client.connections import framing_fault, pool_manager, within
from ttsq_client.deadline import Deadline
from ttsq_client.errors import ApiError, ConnectionFailedError, TtsqError, UnexpectedResponseError
from ttsq_client.retry import Retry, may_repeat, retry_after

VERSION: Final = "0.1.0"
MAX_JSON_BYTES: Final = 32 * 1024 * 1024
MAX_ERROR_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 64 * 1024
MIN_BYTES_PER_SECOND: Final = 4 * 1024
"""A body that arrives more slowly is given up."""
COMMON: Final = {
    "User-Agent": f"ttsq-client/{VERSION}",
    "Accept-Encoding": "identity",
    "Accept": "application/json",
    "Connection": "close",
}
"""Of every request."""
_UNSENT: Final = (NewConnectionError, ConnectTimeoutError, NameResolutionError, ProxyError, LocationValueError)


class Key:
    """An API key that no traceback, log or repr shows."""

    def __init__(self, value: str | None) -> None:
        """Raises ValueError, which does not show the key, if it cannot be sent."""
        if value is not None and not (value and all("!" <= character <= "~" for character in value)):
            raise ValueError("the key has a character that no key of ttsq has; check for spaces and line breaks")
        self._value = value

    def __repr__(self) -> str:
        return "Key(…)" if self._value else "Key(none)"

    __str__ = __repr__

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds."""

    connect: float = 5.0
    read: float = 30.0
    """Between two parts of a response, and until its head is complete."""

    def __post_init__(self) -> None:
        if min(self.connect, self.read) <= 0:
            raise ValueError("time limits must be over 0 seconds")


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise UnexpectedResponseError("the response is not JSON; is this a gateway?", status=self.status) from None


@dataclass(slots=True)
class Stream:
    """A response whose body is read in parts."""

    status: int
    headers: Mapping[str, str]
    _response: BaseHTTPResponse = field(repr=False)
    _deadline: Deadline = field(repr=False)
    _limits: Limits

    def parts(self, *, paced: bool = True) -> Iterator[bytes]:
        """Yield the body as it arrives. `paced` bodies must arrive at a minimum speed; others must not pause too long.

        The time that the caller takes between two parts does not count.

        Raises:
            ConnectionFailedError: it broke off, or arrived too slowly.
        """
        waited, received = 0.0, 0
        while True:
            began = time.monotonic()
            used = waited - received / MIN_BYTES_PER_SECOND if paced else 0.0
            self._deadline.extend_to(began + self._limits.read - used)
            part = _read(self._response, self._deadline)
            self._deadline.extend_to(math.inf)
            if not part:
                return
            waited += time.monotonic() - began
            received += len(part)
            yield part


@dataclass(slots=True)
class Transport:
    address: Address
    key: Key
    limits: Limits
    retry: Retry
    proxies: Proxies = field(repr=False)
    ca_certs: str | None = None
    connections: int = 4
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    rng: random.Random = field(default_factory=random.Random, repr=False)
    _managers: dict[str | None, Any] = field(default_factory=dict, repr=False)

    def close(self) -> None:
        for manager in self._managers.values():
            manager.clear()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        seconds: float = 0.0,
    ) -> Reply:
        """Return a successful response. `repeatable` requests may be executed twice; `seconds` is a requested wait.

        Raises:
            ApiError: the gateway refused.
            ConnectionFailedError: there was no response, after all attempts.
            UnexpectedResponseError: not the response of a gateway.
        """
        url = self.address.url(path, query)
        content = None if body is None else _written(body)
        given = {**(headers or {}), **({} if content is None else {"Content-Type": "application/json"})}
        return self.attempts(lambda: self._once(method, url, content, given, seconds), repeatable=repeatable)

    def attempts(self, work: Callable[[], Reply], *, repeatable: bool) -> Reply:
        """Return what `work` returns, which is repeated as `retry` says after errors that may pass."""
        attempt = 1
        while True:
            try:
                return work()
            except ConnectionFailedError as error:
                delay = self.retry.delay(attempt, None, self.rng)
                if delay is None or (error.possibly_sent and not repeatable):
                    raise
            except ApiError as error:
                delay = self.retry.delay(attempt, error.retry_after, self.rng)
                if delay is None or not may_repeat(error.status, repeatable=repeatable):
                    raise
            self.sleep(delay)
            attempt += 1

    def _once(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str], seconds: float) -> Reply:
        with self.open(method, url, content=content, headers=headers, seconds=seconds) as stream:
            if stream.status >= 300:
                raise _redirected(stream)
            body = read_all(stream, MAX_JSON_BYTES)
        return Reply(stream.status, stream.headers, body)

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 0.0,
        with_key: bool = True,
    ) -> Iterator[Stream]:
        """One exchange with any address; the block reads the body. A redirect is returned, never followed.

        Raises:
            ApiError: refused. UnexpectedResponseError: not by a gateway. ConnectionFailedError: no response.
        """
        limits = Limits(self.limits.connect, self.limits.read + seconds)
        with within(limits.connect + limits.read) as deadline:
            given = {**COMMON, **(headers or {}), **(self.key.headers() if with_key else {})}
            response = self._sent(method, url, content, given, limits=limits, deadline=deadline)
            stream = Stream(response.status, response.headers, response, deadline, limits)
            try:
                check_status(response, stream)
                yield stream
            finally:
                response.close()
                response.release_conn()

    def _sent(
        self,
        method: str,
        url: str,
        content: bytes | None,
        headers: Mapping[str, str],
        *,
        limits: Limits,
        deadline: Deadline,
    ) -> BaseHTTPResponse:
        try:
            found: BaseHTTPResponse = self._manager(url).request(
                method,
                url,
                body=content,
                headers=headers,
                timeout=Timeout(connect=limits.connect, read=limits.read),
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError, ValueError) as error:
            # Without the cause: urllib3's errors hold the address, which may be a signed one.
            raise _failure(error, deadline) from None
        return found

    def _manager(self, url: str) -> Any:  # noqa: ANN401 - urllib3's, of two kinds
        proxy = self.proxies.of(url)
        if proxy not in self._managers:
            self._managers[proxy] = pool_manager(proxy, self.ca_certs, self.connections)
        return self._managers[proxy]


def read_all(stream: Stream, max_bytes: int) -> bytes:
    """Return the whole body. Raises UnexpectedResponseError if it is longer than that."""
    found = bytearray()
    for part in stream.parts():
        found += part
        if len(found) > max_bytes:
            raise UnexpectedResponseError(f"the response is longer than {max_bytes:,} bytes", status=stream.status)
    return bytes(found)


def _redirected(stream: Stream) -> UnexpectedResponseError:
    try:
        place = urlsplit(stream.headers.get("location", "")).hostname
    except ValueError:
        place = None
    message = f"the gateway's address redirects to {place or 'another one'}; use the address that it leads to"
    return UnexpectedResponseError(message, status=stream.status)


def check_status(response: BaseHTTPResponse, stream: Stream) -> None:
    """Raise the error of a response that is neither a success nor a redirect."""
    if (fault := framing_fault(response)) is not None:
        raise ConnectionFailedError(fault, possibly_sent=True)
    if response.status < 400:
        return
    after = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
    raise refusals.error_of(response.status, read_all(stream, MAX_ERROR_BYTES), after)


def _read(response: BaseHTTPResponse, deadline: Deadline) -> bytes:
    try:
        part: bytes | None = response.read1(READ_BYTES)
    except (HTTPError, OSError, ValueError) as error:
        raise _failure(error, deadline) from None
    if not part and deadline.expired:
        raise _failure(TimeoutError(), deadline)
    return part or b""


def _failure(error: Exception, deadline: Deadline) -> TtsqError:
    if isinstance(error, TtsqError):
        return error
    if deadline.expired or isinstance(error, HttpTimeoutError | TimeoutError):
        unsent = isinstance(error, ConnectTimeoutError)
        return ConnectionFailedError("the gateway did not respond in time", possibly_sent=not unsent)
    if isinstance(error, SSLError):
        return ConnectionFailedError(f"no trusted TLS connection: {_reason(error)}", possibly_sent=False)
    if isinstance(error, _UNSENT):
        return ConnectionFailedError("the gateway cannot be reached; check the address", possibly_sent=False)
    return ConnectionFailedError(f"the connection broke ({type(error).__name__})", possibly_sent=True)


def _reason(error: Exception) -> str:
    inner = error.args[0] if error.args else ""
    return str(getattr(inner, "verify_message", "")) or str(getattr(inner, "reason", "")) or "handshake failed"


def _written(body: object) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text contains half of a surrogate pair; write the whole character") from None
