"""The client through an HTTP proxy, and behind one with a path prefix."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ttsq_client import Client, ConnectionFailedError, Retry

KEY = "ttsq_0123456789abcdef"
BODY = b'{"remaining": "1.5", "seen_at": null}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


@contextmanager
def server(answer: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server with one answer to one request; its address and the head that it was sent."""
    heads: list[str] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            heads.append(connection.recv(65_536).decode())
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", heads
        thread.join()


def lines(heads: list[str]) -> set[str]:
    """The head of the one request, names in lower case."""
    (head,) = heads
    first, *fields = head.strip().split("\r\n")
    return {first} | {f"{name.lower()}:{value}" for name, _, value in (field.partition(":") for field in fields)}


def test_a_base_with_a_path_is_asked_below_it() -> None:
    """With the key, and nothing of another origin."""
    with server(ANSWER) as (place, heads), Client(f"http://{place}/speech/", KEY, trust_environment=False) as client:
        assert str(client.credits()) == "1.5"
    assert {"GET /speech/v1/credits HTTP/1.1", f"authorization: Bearer {KEY}", "connection: close"} <= lines(heads)


def test_a_proxy_with_a_password_leads_to_the_gateway() -> None:
    """The gateway's name is resolved by the proxy; the password stands in its own header only."""
    with server(ANSWER) as (place, heads):
        proxy = f"http://me:secret-word@{place}"
        with Client("http://gateway.invalid/speech", KEY, proxy=proxy) as client:
            assert str(client.credits()) == "1.5"
    found = lines(heads)
    assert "GET http://gateway.invalid/speech/v1/credits HTTP/1.1" in found
    assert "proxy-authorization: Basic bWU6c2VjcmV0LXdvcmQ=" in found


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it must not be trusted."""
    with server(ANSWER) as (place, heads):
        monkeypatch.setenv("http_proxy", f"http://{place}")
        monkeypatch.setenv("no_proxy", "")
        with Client("http://gateway.invalid", KEY) as client:
            assert str(client.credits()) == "1.5"
    assert "GET http://gateway.invalid/v1/credits HTTP/1.1" in lines(heads)


def test_a_proxy_that_refuses_a_tunnel_learns_no_key() -> None:
    """Nor is the gateway asked without it; the error shows neither key nor password."""
    with server(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as (place, heads):
        proxy = f"http://me:secret-word@{place}"
        with (
            Client("https://gateway.invalid", KEY, proxy=proxy, retry=Retry(attempts=1)) as client,
            pytest.raises(ConnectionFailedError) as failed,
        ):
            client.credits()
    assert not failed.value.possibly_sent
    assert KEY not in "".join(heads)
    assert "secret-word" not in f"{failed.value!r} {failed.value.__cause__!r}"
