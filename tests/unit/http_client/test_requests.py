"""What leaves for an HTTP server, byte by byte."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from urllib3.connection import HTTPConnection, HTTPSConnection

from worker.http_client.requests import PIECE_BYTES, OutgoingFile, head, host_header


def test_a_head_is_what_was_asked_for() -> None:
    """One line each, the host and the length among them, and an empty one."""
    headers = {"x-api-key": "SG_1"}
    assert head("POST", "/v1/model", headers, host="api.segmind.com:8080", body_bytes=7) == (
        b"POST /v1/model HTTP/1.1\r\n"
        b"Host: api.segmind.com:8080\r\n"
        b"x-api-key: SG_1\r\n"
        b"Accept-Encoding: identity\r\n"
        b"Content-Length: 7\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize(
    ("line", "host"),
    [
        (HTTPConnection("h", 80), "h"),
        (HTTPSConnection("h", 443), "h"),
        (HTTPSConnection("h", 80), "h:80"),
        (HTTPConnection("h"), "h"),
        (HTTPConnection("::1", 9000), "[::1]:9000"),
        (HTTPConnection("[::1]", 9000), "[::1]:9000"),
    ],
)
def test_the_host_is_named_as_servers_expect_it(line: HTTPConnection, host: str) -> None:
    """A default port is left out; signatures cover this line."""
    assert host_header(line.host, line.port, line.default_port) == host


def test_a_host_that_was_signed_is_the_only_one() -> None:
    """Servers refuse a request that names two."""
    sent = head("PUT", "/", {"host": "bucket.h", "x-amz-date": "now"}, host="h", body_bytes=0)
    assert sent.lower().count(b"\r\nhost:") == 1
    assert b"\r\nhost: bucket.h\r\n" in sent


def test_a_request_without_a_body_has_no_length() -> None:
    """A GET has none."""
    assert b"Content-Length" not in head("GET", "/", {}, host="h", body_bytes=None)


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb", "a\0b"])
def test_no_header_begins_another(value: str) -> None:
    """Metadata and keys are other people's words."""
    with pytest.raises(ValueError, match="control character"):
        head("GET", "/", {"x-amz-meta-name": value}, host="h", body_bytes=None)


@pytest.mark.parametrize("target", ["/a b", "/a\r\nHost: other", "/a\x7f", "/a\tb"])
def test_no_target_ends_its_line(target: str) -> None:
    """It is quoted before; what isn't is a fault of ours."""
    with pytest.raises(ValueError, match="control character"):
        head("GET", target, {}, host="h", body_bytes=None)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES + 5])
def test_a_file_leaves_whole(tmp_path: Path, size: int) -> None:
    """In as many pieces as it takes, one after another."""
    content = bytes(number % 251 for number in range(size))
    path = tmp_path / "take.wav"
    path.write_bytes(content)
    near, far = socket.socketpair()
    with near, far:
        body = OutgoingFile(path)
        arrived: list[bytes] = []
        reader = threading.Thread(target=lambda: arrived.append(far.makefile("rb").read()))
        reader.start()
        body.send(near, b"PUT / HTTP/1.1\r\n\r\n")
        near.shutdown(socket.SHUT_WR)
        reader.join()
    assert (len(body), arrived) == (size, [b"PUT / HTTP/1.1\r\n\r\n" + content])


def test_a_file_that_has_become_shorter_is_an_error(tmp_path: Path) -> None:
    """Content-Length was sent, so a shorter body would leave the server waiting."""
    path = tmp_path / "take.wav"
    path.write_bytes(b"sound")
    body = OutgoingFile(path)
    path.write_bytes(b"so")
    near, far = socket.socketpair()
    with near, far, pytest.raises(OSError, match="shorter"):
        body.send(near, b"PUT / HTTP/1.1\r\n\r\n")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """Before anything leaves."""
    with pytest.raises(FileNotFoundError):
        OutgoingFile(tmp_path / "take.wav")
