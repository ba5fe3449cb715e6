"""Answers over HTTP: read to their end and not beyond, and never the one of another request."""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import BadStatusLine, IncompleteRead

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import DecodeError, ProtocolError

from worker.http_client.responses import Response, read_answer
from worker.http_client.source import LATE_READS, LateError, Source

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-ABCXYZ0189", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
PIECE = 65_536
AUDIO = b"audio" * 100


@contextmanager
def reading(*words: bytes, ends: bool = True) -> Iterator[socket.socket]:
    """A connection on which these words come, and then its end."""
    near, far = socket.socketpair()

    def speak() -> None:
        with suppress(OSError):
            for said in words:
                near.sendall(said)
            if ends:
                near.shutdown(socket.SHUT_WR)

    speaker = threading.Thread(target=speak)
    speaker.start()
    with near:
        with far:
            yield far
        speaker.join()


def answer(sock: socket.socket, method: str = "POST", seconds: float = 20) -> Response:
    """What is read from there."""
    return read_answer(sock, method, head_seconds=seconds)


def whole(response: Response) -> bytes:
    """Its body, as a call reads it."""
    return b"".join(iter(lambda: response.read1(PIECE), b""))


def told(status: int, headers: list[tuple[str, str]], body: bytes) -> bytes:
    """A response with a Content-Length."""
    lines = [f"HTTP/1.1 {status} Some words", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "\r\n"]).encode("latin-1") + body


def chunked(*chunks: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """An answer in chunks."""
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n%b\r\n" % (body, trailers)


def encoded(coding: str, body: bytes) -> bytes:
    """A response in a content coding that was not requested."""
    return told(200, [("Content-Encoding", coding)], body)


@given(
    status=st.sampled_from([200, 201, 400, 401, 406, 429, 500, 503]),
    headers=st.lists(st.tuples(TOKENS.map(lambda name: f"x-{name}"), VALUES), max_size=8),
    body=st.binary(max_size=20_000),
    line_end=st.sampled_from([b"\r\n", b"\n"]),
)
def test_a_lenient_head_reads_as_a_strict_one(
    status: int, headers: list[tuple[str, str]], body: bytes, line_end: bytes
) -> None:
    """Status, every header whatever its case and number, and the body to its last byte."""
    words = told(status, headers, body)
    head, _, rest = words.partition(b"\r\n\r\n")
    with reading(words) as one, reading(head.replace(b"\r\n", line_end) + 2 * line_end + rest) as other:
        strict, lenient = answer(one), answer(other)
        assert strict.status == lenient.status == status
        assert dict(strict.headers) == dict(lenient.headers)
        assert {name.lower() for name, _ in headers} | {"content-length"} == set(strict.headers)
        assert whole(strict) == whole(lenient) == body
        assert strict.is_spent
        assert lenient.is_spent is (line_end == b"\r\n")


@pytest.mark.parametrize(
    ("words", "serves_on"),
    [
        (told(200, [], AUDIO), True),
        (chunked(AUDIO[:7], AUDIO[7:], extension=b";a=b", trailers=b"X-Trailer: one\r\n"), True),
        (encoded("gzip", gzip.compress(AUDIO, mtime=0)), True),
        (encoded("gzip", gzip.compress(AUDIO[:9], mtime=0) + gzip.compress(AUDIO[9:], mtime=0)), True),
        (encoded("gzip, gzip", gzip.compress(gzip.compress(AUDIO, mtime=0), mtime=0)), True),
        (encoded("deflate", zlib.compress(AUDIO)), True),
        (encoded("deflate", zlib.compress(AUDIO)[2:-4]), True),
        (encoded("gzip", AUDIO), True),
        (encoded("identity", AUDIO), True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + told(200, [], AUDIO), False),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 300 + told(200, [], AUDIO), False),
        (told(200, [], AUDIO).replace(b"1.1", b"1.0"), False),
        (b"HTTP/1.1 200\r\n\r\n" + AUDIO, False),
        (told(200, [("X-Folded", "a\r\n b")], AUDIO), False),
        (told(200, [("X-Null", "a\0b")], AUDIO), False),
        (told(200, [("no colon", "")], AUDIO).replace(b"no colon:", b"no colon"), False),
        (told(200, [("Content-Length", "500")], AUDIO), False),
        (told(200, [("Connection", "close, TE")], AUDIO), False),
        (told(200, [], AUDIO) + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother", False),
        (told(200, [], AUDIO) + b"\r\n", False),
        (told(200, [("X-Long", "x" * 60_000)], AUDIO), True),
    ],
    ids=lambda value: value[:70].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_what_is_understood_is_read(words: bytes, serves_on: bool) -> None:
    """In one piece or byte by byte. Only what leaves nothing open leaves its connection for another request."""
    with reading(words, ends=not serves_on) as sock:
        response = answer(sock, seconds=5)
        assert (response.status, whole(response), response.is_spent) == (200, AUDIO, serves_on)
    drops = (words[index : index + 1] for index in range(min(len(words), 2_000)))
    with reading(*drops, words[2_000:], ends=not serves_on) as sock:
        assert whole(answer(sock, seconds=5)) == AUDIO


@pytest.mark.parametrize("body", [b"RIFF", b""])
@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_brings_none(status: int, body: bytes) -> None:
    """What comes behind it belongs to no other answer, and may come late."""
    with reading(told(status, [], body)) as sock:
        response = answer(sock)
        assert (response.status, whole(response), response.is_spent) == (status, b"", False)


def test_the_answer_to_a_question_for_the_head_has_no_body() -> None:
    """Its Content-Length announces a body that isn't sent."""
    with reading(told(200, [], b"audio")[:-5]) as sock:
        assert whole(answer(sock, "HEAD")) == b""


@pytest.mark.parametrize(
    "words",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 999 High\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhintsHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_named(words: bytes) -> None:
    """At once: the other end may never close."""
    with reading(words, ends=False) as sock, pytest.raises(ProtocolError) as garbled:
        answer(sock, seconds=5)
    assert isinstance(garbled.value.args[1], BadStatusLine)


@pytest.mark.parametrize(
    "words",
    [
        told(200, [("Content-Length", "7")], b"audio"),
        told(200, [], b"audio").replace(b" 5\r", b" +5\r"),
        told(200, [], b"audio").replace(b" 5\r", b" 0x5\r"),
        told(200, [], b"audio").replace(b" 5\r", b" " + b"9" * 5_000 + b"\r"),
        told(200, [("Transfer-Encoding", "chunked")], b"audio"),
        told(200, [("Transfer-Encoding", "chunked, chunked")], b"audio"),
        chunked(b"audio").replace(b"5\r\naudio", b"4\r\naudio"),
        chunked(b"audio").replace(b"5\r\naudio", b"-5\r\naudio"),
        chunked(b"audio").replace(b"5\r\naudio", b"0x5\r\naudio"),
        chunked(b"audio").replace(b"5\r\naudio", b"5_0\r\naudio"),
        chunked(b"audio", extension=b";" + b"x" * 5_000),
        chunked(*[b"a"] * 20_000, extension=b";1234567890123456"),
        chunked(b"audio", trailers=b"x: y\r\n" * 5_000),
        encoded(", ".join(["gzip"] * 4), b"audio"),
        encoded("gzip", gzip.compress(AUDIO, mtime=0)[:-9]),
        encoded("gzip", gzip.compress(AUDIO, mtime=0)[:-8] + b"damaged!"),
    ],
    ids=lambda words: words[:70].decode("latin-1"),
)
def test_what_can_be_understood_in_two_ways_is_an_error(words: bytes) -> None:
    """An error of this response; no other request is sent on its connection."""
    with reading(words) as sock, pytest.raises((ProtocolError, DecodeError)):
        whole(answer(sock))


def test_a_coding_that_cannot_be_undone_is_named() -> None:
    """Its bytes come as they are: they may not be in it at all."""
    with reading(encoded("br", AUDIO)) as sock:
        response = answer(sock)
        assert (response.undecoded, whole(response)) == ("br", AUDIO)


def test_little_that_becomes_much_is_never_in_memory_at_once() -> None:
    """A hundred megabytes of silence fit in a packet."""
    bomb = gzip.compress(bytes(100_000_000), mtime=0)
    with reading(encoded("gzip", bomb)) as sock:
        response, sizes = answer(sock, seconds=20), list[int]()
        while piece := response.read1(PIECE):
            sizes.append(len(piece))
        assert (max(sizes), sum(sizes)) == (PIECE, 100_000_000)


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
        b"\r\n" * 100_000,
    ],
    ids=["interim answers", "headers", "one header", "empty lines"],
)
def test_heads_are_bounded(words: bytes) -> None:
    """Whatever they consist of, and wherever their end would be."""
    with reading(words, ends=False) as sock, pytest.raises(ProtocolError, match="too large"):
        answer(sock, seconds=20)


def test_a_truncated_body_is_distinguished_from_a_complete_one() -> None:
    """With how much of it is missing."""
    with reading(told(200, [], b"audio")[:-2]) as sock:
        response = answer(sock)
        with pytest.raises(ProtocolError) as broken:
            whole(response)
        cut = broken.value.args[1]
        assert isinstance(cut, IncompleteRead)
        assert (cut.expected, response.is_spent) == (2, False)


@pytest.mark.parametrize("kept", range(len(told(200, [], b"audio"))))
def test_an_answer_that_stops_anywhere_is_late(kept: int) -> None:
    """The connection is still there; nothing comes."""
    with reading(told(200, [], b"audio")[:kept], ends=False) as sock, pytest.raises(LateError):
        whole(answer(sock, seconds=0.01))


def dripping(sock: socket.socket) -> Callable[[], float]:
    """A clock that moves on by a second whenever it is asked, and lets one byte more arrive."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        sock.send(b"x")
        return now

    return clock


def test_bytes_that_drip_gain_no_time() -> None:
    """The deadline is the phase's, not each byte's; what had arrived by then may be read a few times more."""
    near, far = socket.socketpair()
    with near, far:
        source = Source(far, 100.0, dripping(near))
        reads = itertools.count()
        with pytest.raises(LateError):
            list(iter(lambda: (next(reads), source.receive(1)), None))
        assert 90 <= next(reads) <= 100 + LATE_READS


def test_what_has_arrived_is_read_after_the_deadline() -> None:
    """A process that was suspended in the middle of a paid answer reads it when it resumes."""
    near, far = socket.socketpair()
    with near, far:
        near.sendall(told(200, [], b"audio"))
        assert whole(answer(far, seconds=0.0)) == b"audio"
