"""Request heads that could be understood in two ways, made-up keys, and what every answer says to a browser."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.gateway import Client, Running
from tests.integration.gateway.hostile_gateway import client, gateway, nothing_gets_in
from worker.gateway.middleware.guard import MAX_HEADERS

__all__ = ["client", "gateway", "nothing_gets_in"]


def raw(gateway: Running, request: bytes) -> bytes:
    """The answer to bytes that no client library would send."""
    place = urlsplit(gateway.address)
    with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=20) as connection:
        connection.sendall(request)
        found = b""
        with suppress(ConnectionResetError):  # it need not read what it refuses
            while block := connection.recv(65_536):
                found += block
    return found


def headed(client: Client, *lines: str, first: str = "POST /v1/jobs HTTP/1.1", body: bytes = b"") -> bytes:
    """A request of these lines."""
    known = ["Host: x", "Connection: close", f"Authorization: Bearer {client.key}", "Content-Type: application/json"]
    return "\r\n".join([first, *known, *lines]).encode("latin-1") + b"\r\n\r\n" + body


BODY: Final = b'{"text": "smuggled"}'
TRICKS: Final[dict[str, tuple[str, ...]]] = {
    "two lengths": ("Content-Length: 20", "Content-Length: 21"),
    "length and chunks": ("Content-Length: 20", "Transfer-Encoding: chunked"),
    "chunks and length": ("Transfer-Encoding: chunked", "Content-Length: 20"),
    "odd coding": ("Transfer-Encoding: xchunked",),
    "coding twice": ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "coding with a tab": ("Transfer-Encoding:\tchunked, identity",),
    "length below zero": ("Content-Length: -1",),
    "length with a plus": ("Content-Length: +20",),
    "length in hex": ("Content-Length: 0x14",),
    "length of words": ("Content-Length: twenty",),
    "length of digits": ("Content-Length: " + "9" * 60,),
    "space before the colon": ("Content-Length : 20",),
    "key twice": ("Authorization: Bearer other", "Content-Length: 20"),
    "type twice": ("Content-Type: text/csv", "Content-Length: 20"),
    "host twice": ("Host: y", "Content-Length: 20"),
    "once twice": ("Idempotency-Key: a", "Idempotency-Key: b", "Content-Length: 20"),
    "once of nothing": ("Idempotency-Key: ", "Content-Length: 20"),
    "once of blanks": ("Idempotency-Key: a b", "Content-Length: 20"),
    "once too long": ("Idempotency-Key: " + "a" * 201, "Content-Length: 20"),
    "nul": ("X-A: a\x00b", "Content-Length: 20"),
    "bare line": ("X-A: a\nX-B: b\x0b", "Content-Length: 20", "Content-Length: 1"),
    "no name": (": a", "Content-Length: 20"),
    "many": (*(f"X-{number}: a" for number in range(MAX_HEADERS)), "Content-Length: 20"),
    "long": ("X-A: " + "a" * 70_000, "Content-Length: 20"),
}
LINES: Final = [
    "POST /v1/jobs HTTP/9.9",
    "POST /v1/jobs",
    "POST  /v1/jobs  HTTP/1.1",
    "POST /v1/jobs HTTP/1.1 HTTP/1.1",
    "\x00\x00\x00",
    "PRI * HTTP/2.0",
    "TRACE /v1/jobs HTTP/1.1",
    "CONNECT 127.0.0.1:22 HTTP/1.1",
    "POST http://127.0.0.1:9/v1/other HTTP/1.1",
    "PO ST /v1/jobs HTTP/1.1",
    "post /v1/jobs HTTP/1.1",
    "DELETE /v1/jobs HTTP/1.1",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_header_is_understood_in_two_ways(gateway: Running, client: Client, trick: str) -> None:
    """A request that a proxy might have read differently is refused, and its connection closed."""
    answer = raw(gateway, headed(client, *TRICKS[trick], body=BODY))
    assert answer.startswith(b"HTTP/1.1 4"), answer
    assert answer.count(b"HTTP/1.1") == 1, "what was left of it was not read as another request"
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("line", LINES)
def test_no_first_line_gets_through(gateway: Running, client: Client, line: str) -> None:
    """Other protocols, other servers, other methods."""
    answer = raw(gateway, headed(client, "Content-Length: 20", first=line, body=BODY))
    assert answer.startswith(b"HTTP/1.1 4") or answer == b"", answer
    assert b"smuggled" not in answer


@pytest.mark.parametrize(
    "key", ["", "x", "ttsq_", "ttsq_" + "A" * 43, "ä", "\x00", "a" * 5_000, "' OR '1'='1", "null", "undefined", "%"]
)
def test_no_made_up_key_opens_anything(gateway: Running, key: str) -> None:
    """Nor does one in another scheme, or none at all."""
    for given in (f"Bearer {key}", f"Basic {key}", key, f"Bearer Bearer {key}"):
        lines = (b"GET /v1/jobs HTTP/1.1", b"Host: x", b"Connection: close", b"Authorization: " + given.encode())
        reply = raw(gateway, b"\r\n".join(lines) + b"\r\n\r\n")
        assert reply.startswith((b"HTTP/1.1 401", b"HTTP/1.1 400")), reply


@pytest.mark.parametrize("path", ["/v1/jobs", "/healthz", "/nothing", "/v1/jobs/x"])
def test_every_answer_says_what_a_browser_may_not_do_with_it(client: Client, path: str) -> None:
    """It is no page, belongs in no frame, is not kept, and is what it says it is."""
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_a_problem_quotes_nothing_that_could_be_a_secret(client: Client) -> None:
    """Neither the key nor the text of the request."""
    reply = client.post("/v1/jobs", {"text": "a private word " * 400, "voice_1": "Kore", "voice_2": "Puck"})
    assert reply.status == 422
    assert "private" not in reply.body.decode()
    assert str(client.key) not in reply.body.decode()
