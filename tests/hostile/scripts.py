"""The scripts, each from the honest answer, one that belongs to no request, and a number that varies it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st

from tests.hostile.script import Ending, Honest, Script

Build = Callable[[Honest, Honest, int], Script]
STRANGE: Final = ("099 Low", "999 High", "000", "600 More", "20 Short", "2000 Long", "-1", "")
INTERIM: Final = (100, 102, 103, 110, 199)
NUMBERS: Final = st.integers(0, 2_000)


def interim(number: int, *more: str) -> bytes:
    """An answer before the answer."""
    lines = [f"HTTP/1.1 {INTERIM[number % len(INTERIM)]} Hold on", "Link: </style.css>", *more, "\r\n"]
    return "\r\n".join(lines).encode()


def chunked(
    honest: Honest, size: int, *, extension: bytes = b"", trailers: bytes = b"", last: bytes = b"0\r\n"
) -> bytes:
    """The answer in chunks."""
    pieces = [honest.body[at : at + size] for at in range(0, len(honest.body), size)]
    body = b"".join(b"%X%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return honest.head("Transfer-Encoding: chunked", length=None) + body + last + trailers + b"\r\n"


def coded(honest: Honest, coding: str, body: bytes) -> bytes:
    """The answer in a content coding."""
    return Honest(honest.status, (*honest.headers, ("Content-Encoding", coding)), body).whole()


def gzipped(honest: Honest) -> bytes:
    """Its body."""
    return gzip.compress(honest.body, 1, mtime=0)


CLEAR: Final[dict[str, Build]] = {
    "plain": lambda own, _, __: Script(own.whole()),
    "no reason": lambda own, _, __: Script(own.whole(first=f"HTTP/1.1 {own.status}")),
    "chunks": lambda own, _, n: Script(chunked(own, n % 50 + 1)),
    "extensions": lambda own, _, n: Script(chunked(own, 100, extension=b";a=" + b"x" * (n % 99))),
    "trailers": lambda own, _, n: Script(chunked(own, 100, trailers=b"X-Cost: 5\r\nX-Request-Id: 9\r\n" * (n % 9))),
    "large head": lambda own, _, n: Script(own.whole(f"X-Large: {'x' * 30 * n}")),
    "gzip": lambda own, _, __: Script(coded(own, "gzip", gzipped(own))),
    "gzip twice": lambda own, _, __: Script(coded(own, "gzip, x-gzip", gzip.compress(gzipped(own), mtime=0))),
    "deflate": lambda own, _, __: Script(coded(own, "deflate", zlib.compress(own.body))),
    "raw deflate": lambda own, _, __: Script(coded(own, "deflate", zlib.compress(own.body)[2:-4])),
    "gzip that is none": lambda own, _, __: Script(coded(own, "gzip", own.body)),
    "identity": lambda own, _, __: Script(coded(own, "identity", own.body)),
}
"""Responses that every client understands, and after which the connection stays usable."""

DIRTY: Final[dict[str, Build]] = {
    "interim": lambda own, _, n: Script(interim(n) + own.whole()).dirty(),
    "many interim": lambda own, _, n: Script(interim(n) * (n % 500) + interim(n) + own.whole()).dirty(),
    "doubled": lambda own, other, _: Script(own.whole() + other.whole()).dirty(),
    "chunks and another": lambda own, other, _: Script(chunked(own, 100) + other.whole()).dirty(),
    "surplus": lambda own, _, n: Script(own.whole() + b"\r\n\0x"[n % 4 :]).dirty(),
    "close without closing": lambda own, _, __: Script(own.whole("Connection: close")).dirty(),
    "until the end": lambda own, _, __: Script(own.head(length=None) + own.body).closing(),
    "older": lambda own, _, __: Script(own.whole("Connection: keep-alive", first=f"HTTP/1.0 {own.status} OK")).dirty(),
    "folded": lambda own, _, __: Script(own.whole("X-Folded: a\r\n b")).dirty(),
    "a null": lambda own, _, __: Script(own.whole("X-Null: a\0b")).dirty(),
    "no colon": lambda own, _, __: Script(own.whole("nothing said")).dirty(),
    "bare line feeds": lambda own, _, __: Script(own.head().replace(b"\r\n", b"\n") + own.body).dirty(),
    "the length twice": lambda own, _, __: Script(own.whole(f"Content-Length: {len(own.body)}")).dirty(),
    "chunks and a length": lambda own, _, __: Script(
        chunked(own, 100).replace(b"Transfer-", b"Content-Length: 3\r\nTransfer-", 1)
    ).dirty(),
    "closing": lambda own, _, __: Script(own.whole()).closing(),
}
"""What is understood, on a connection that is good for nothing more."""

UNCLEAR: Final[dict[str, Build]] = {
    "204 with a body": lambda own, other, _: Script(own.head(first="HTTP/1.1 204 None") + other.whole()).unclear(),
    "304 with a body": lambda own, other, _: Script(own.head(first="HTTP/1.1 304 Same") + other.whole()).unclear(),
    "204, perhaps with a body to come": lambda own, _, __: Script(
        own.head(first="HTTP/1.1 204 None", length=None)
    ).unclear(),
    "interim with a body": lambda own, other, n: Script(
        interim(n, f"Content-Length: {len(other.whole())}") + other.whole() + own.whole()
    ).unclear(),
    "interim alone": lambda _, __, n: Script(interim(n), Ending.CLOSE).unclear(),
    "interim, switching": lambda own, other, n: Script(
        interim(n) + own.whole(first="HTTP/1.1 101 Switching", *["Upgrade: h2c"]) + other.whole()  # noqa: B026
    ).unclear(),
    "endless interim": lambda _, __, n: Script(interim(n) * 10_000, Ending.CLOSE).unclear(),
    "short length": lambda own, _, n: Script(own.head(length=n % max(1, len(own.body))) + own.body).unclear(),
    "long length": lambda own, _, n: Script(own.head(length=len(own.body) + n + 1) + own.body, Ending.CLOSE).unclear(),
    "two lengths": lambda own, _, n: Script(own.whole(f"Content-Length: {len(own.body) + n + 1}")).unclear(),
    "bad length": lambda own, _, n: Script(
        own.head(("Content-Length: +5", "Content-Length: 0x5", f"Content-Length: {'9' * (16 + n)}")[n % 3], length=None)
        + own.body
    ).unclear(),
    "not in chunks": lambda own, _, __: Script(own.whole("Transfer-Encoding: chunked"), Ending.CLOSE).unclear(),
    "bad chunk": lambda own, other, n: Script(
        own.head("Transfer-Encoding: chunked", length=None)
        + (b"-1\r\n", b"0x1\r\n", b"\r\n", b"1_0\r\n", b"g\r\n", b"f" * 17 + b"\r\n")[n % 6]
        + other.whole()
    ).unclear(),
    "longer chunk": lambda own, other, _: Script(
        own.head("Transfer-Encoding: chunked", length=None) + b"1\r\nab\r\n0\r\n\r\n" + other.whole()
    ).unclear(),
    "endless extension": lambda own, _, __: Script(
        chunked(own, 100, extension=b";" + b"x" * 100_000), Ending.CLOSE
    ).unclear(),
    "endless trailers": lambda own, _, __: Script(
        chunked(own, 100, trailers=b"x: y\r\n" * 20_000), Ending.CLOSE
    ).unclear(),
    "endless headers": lambda own, _, __: Script(own.whole("x: y\r\n" * 20_000), Ending.CLOSE).unclear(),
    "strange status": lambda own, _, n: Script(
        own.whole(first=f"HTTP/1.1 {STRANGE[n % len(STRANGE)]}"),
    ).unclear(),
    "another protocol": lambda own, _, n: Script(
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\x12\4\0\0\0\0\0", b"SSH-2.0-x\r\n", b"", b"\r\n\r\n")[n % 5]
        + own.whole(first="HTTP/2 200"),
        Ending.CLOSE,
    ).unclear(),
    "damaged gzip": lambda own, _, n: Script(
        coded(own, "gzip", gzipped(own)[: 10 + n % 10] + b"damaged" + gzipped(own)[-8:]), is_clear=False
    ),
    "cut gzip": lambda own, _, __: Script(coded(own, "gzip", gzipped(own)[:-9]), is_clear=False),
    "brotli": lambda own, _, __: Script(coded(own, "br", b"\x8b\x01\x80" + bytes(99) + b"\x03"), is_clear=False),
}
"""What must not be taken for the honest answer, wherever it stands."""


def broken(own: Honest, number: int, ending: Ending) -> Script:
    """The honest answer up to any byte."""
    whole = own.whole() if number % 2 else chunked(own, 40)
    return Script(whole[: number % len(whole)], ending).unclear()


BREAKS: Final[dict[str, Build]] = {
    "closed": lambda own, _, n: broken(own, n, Ending.CLOSE),
    "reset": lambda own, _, n: broken(own, n, Ending.RESET),
}


def dripping(words: bytes, drop: bytes) -> Script:
    """An answer that never comes to its end, and never stops either."""
    return Script(words, Ending.DRIP, is_clear=False, serves_on=False, drop=drop)


STALLS: Final[dict[str, Build]] = {
    "stalled": lambda own, _, n: broken(own, n, Ending.STALL),
    "dripping interim": lambda _, __, n: dripping(interim(n), interim(n)),
    "dripping head": lambda own, _, __: dripping(own.head()[:-2] + b"X: ", b"y"),
    "dripping body": lambda own, _, __: dripping(own.head(length=9_999_999) + own.body, b"y"),
    "dripping chunks": lambda own, _, __: dripping(own.head("Transfer-Encoding: chunked", length=None), b"1\r\nx\r\n"),
    "dripping extension": lambda own, _, __: dripping(chunked(own, 40, last=b"5;")[:-2], b"x"),
    "dripping trailers": lambda own, _, __: dripping(chunked(own, 40)[:-2], b"x: y\r\n"),
    "dripping without end": lambda own, _, __: dripping(own.head(length=None), b"x"),
}
BUILDS: Final = CLEAR | DIRTY | UNCLEAR | BREAKS | STALLS
Step = tuple[str, int, bool]
"""Which script, its number, and whether it is sent before the request is complete."""

QUICK: Final = st.tuples(st.sampled_from([*CLEAR, *DIRTY, *UNCLEAR, *BREAKS]), NUMBERS, st.booleans())
SLOW: Final = st.tuples(st.sampled_from([*STALLS]), NUMBERS, st.booleans())
"""It takes a deadline to be through with one."""
