"""Answers over HTTP: the short way reads what the long way would, and leaves to it what isn't plain."""

from __future__ import annotations

import gzip
import io
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import BadStatusLine, IncompleteRead

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

from worker.wire import answers
from worker.wire.answers import LateError, Response, read_answer

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-ABCXYZ0189", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
PIECE = 65_536


@contextmanager
def reading(*words: bytes, ends: bool = True) -> Iterator[io.BufferedReader]:
    """A connection on which these words come, and then its end."""
    near, far = socket.socketpair()
    with near, far, closing(far.makefile("rb")) as reader:
        far.settimeout(0.05)
        for said in words:
            near.sendall(said)
        if ends:
            near.shutdown(socket.SHUT_WR)
        yield reader


def whole(answer: Response) -> bytes:
    """Its body, as a call reads it."""
    return b"".join(iter(lambda: answer.read1(PIECE, decode_content="content-encoding" in answer.headers), b""))


def told(status: int, headers: list[tuple[str, str]], body: bytes) -> bytes:
    """An answer that tells its length."""
    lines = [f"HTTP/1.1 {status} Some words", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "\r\n"]).encode("latin-1") + body


@given(
    status=st.sampled_from([200, 201, 400, 401, 406, 429, 500, 503]),
    headers=st.lists(st.tuples(TOKENS.map(lambda name: f"x-{name}"), VALUES), max_size=8),
    body=st.binary(max_size=20_000),
)
def test_the_short_way_reads_what_the_long_way_reads(status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """Status, every header whatever its case and number, and the body to its last byte."""
    words = told(status, headers, body)
    with reading(words) as one, reading(words) as other:
        short, long = read_answer(one, "POST"), answers._Other(other, "POST")
        assert isinstance(short, answers._Plain)
        assert short.status == long.status == status
        assert dict(short.headers) == {name.lower(): long.headers[name] for name in long.headers}
        assert whole(short) == whole(long) == body
        assert short.is_spent
        assert long.is_spent


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\naud\r\n2\r\nio\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        % (len(gzip.compress(b"audio", mtime=0)), gzip.compress(b"audio", mtime=0)),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\naudio",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\naudio",
        b"HTTP/1.1 200 OK\r\n\r\naudio",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\nX-Line-Ends: differ\r\n\r\naudio",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Long: %s\r\n\r\naudio" % (b"x" * 20_000),
    ],
    ids=["chunked", "encoded", "continue first", "old", "until the end", "line ends", "a long head"],
)
def test_what_is_not_plain_is_read_all_the_same(words: bytes) -> None:
    """By urllib3, from its first byte on."""
    with reading(words) as reader:
        answer = read_answer(reader, "POST")
        assert (answer.status, whole(answer)) == (200, b"audio")


def test_a_head_in_pieces_is_waited_for() -> None:
    """The first packet may end anywhere."""
    words = told(200, [("x-cost", "0.01")], b"audio")
    near, far = socket.socketpair()
    with near, far, closing(far.makefile("rb")) as reader:
        near.sendall(words[:30])
        reader.peek(1)
        near.sendall(words[30:])
        answer = read_answer(reader, "POST")
        assert (answer.headers["x-cost"], whole(answer), answer.is_spent) == ("0.01", b"audio", True)


@pytest.mark.parametrize("connection", ["close", "Close", "close, TE"])
def test_an_answer_that_ends_its_connection_leaves_none(connection: str) -> None:
    """It was read to its end, and nothing more may be asked there."""
    with reading(told(200, [("Connection", connection)], b"audio")) as reader:
        answer = read_answer(reader, "POST")
        assert (whole(answer), answer.is_spent) == (b"audio", False)


def test_an_answer_that_was_not_read_leaves_no_connection() -> None:
    """What is left of it would be taken for the next answer."""
    with reading(told(200, [], b"audio")) as reader:
        answer = read_answer(reader, "POST")
        assert (answer.read1(2, decode_content=False), answer.is_spent) == (b"au", False)


def test_a_body_that_breaks_off_is_told_from_one_that_ends() -> None:
    """With how much of it is missing."""
    with reading(told(200, [], b"audio")[:-2]) as reader:
        answer = read_answer(reader, "POST")
        with pytest.raises(ProtocolError) as broken:
            whole(answer)
        cut = broken.value.args[1]
        assert isinstance(cut, IncompleteRead)
        assert (cut.expected, answer.is_spent) == (2, False)


def test_a_body_that_stops_is_late() -> None:
    """The connection is still there; nothing comes."""
    with reading(told(200, [], b"audio")[:-2], ends=False) as reader, pytest.raises(LateError):
        whole(read_answer(reader, "POST"))


def test_what_is_no_answer_is_named() -> None:
    """Whatever else listens at that port."""
    with reading(b"SSH-2.0-OpenSSH_9.9\r\n") as reader, pytest.raises(BadStatusLine):
        read_answer(reader, "POST")


def test_the_answer_to_a_question_for_the_head_has_no_body() -> None:
    """It tells the length of what it doesn't bring."""
    with reading(told(200, [], b"audio")[:-5]) as reader:
        assert whole(read_answer(reader, "HEAD")) == b""
