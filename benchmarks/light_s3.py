"""An S3 that costs next to nothing: it counts what is put, keeps key, size and metadata, and forgets the bytes.

For races in which the store would else take the cores from those who race. It checks neither signatures nor checksums.
A program (`light_s3.py PORT`) of the standard library alone; `stage.LightS3` starts it.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import Final, cast

LOOPBACK: Final = "127.0.0.1"
READY: Final = "Light S3 listens"
BACKLOG: Final = 4_096
HEAD_END: Final = b"\r\n\r\n"
ROOM: Final = memoryview(bytearray(1 << 20))
"""What every connection reads into: the bytes are counted before any other connection reads."""
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
META: Final = "x-amz-meta-"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object, without its bytes."""

    size: int
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """One request but for its body."""

    verb: str
    path: str
    """As it was sent, quoted."""
    query: str
    headers: dict[str, str]
    """Names in lower case."""

    @property
    def key(self) -> str:
        """Bucket and name; without a slash in it, it is the bucket."""
        return self.path.strip("/")

    @property
    def length(self) -> int:
        """Of the body on the wire, in bytes."""
        return int(self.headers.get("content-length", "0"))

    @property
    def object_bytes(self) -> int:
        """Of the object, which a body may wrap."""
        return int(self.headers.get("x-amz-decoded-content-length", self.length))


@dataclass(slots=True)
class Books:
    """What was put and is still there."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def answer(self, request: Request) -> bytes:
        """The whole reply, once the body has arrived."""
        match request.verb:
            case "PUT":
                return self._put(request)
            case "HEAD":
                return self._head(request)
            case "GET":
                return _reply("200 OK", self._listing(request.key).encode(), "Content-Type: application/xml\r\n")
            case "DELETE":
                self.entries.pop(request.key, None)
                return _reply("204 No Content")
            case _:
                return _reply("405 Method Not Allowed")

    def _put(self, request: Request) -> bytes:
        if "/" not in request.key:
            return _reply("200 OK")
        source = request.headers.get("x-amz-copy-source")
        if source is not None:
            copied = self.entries.get(source.strip("/"))
            if copied is None:
                return _reply("404 Not Found")
            self.entries[request.key] = copied
            return _reply("200 OK", b'<CopyObjectResult><ETag>"light"</ETag></CopyObjectResult>')
        metadata = {name: value for name, value in request.headers.items() if name.startswith(META)}
        self.entries[request.key] = Entry(request.object_bytes, metadata)
        return _reply("200 OK", more='ETag: "light"\r\n')

    def _head(self, request: Request) -> bytes:
        if "/" not in request.key:
            return _reply("200 OK")
        entry = self.entries.get(request.key)
        if entry is None:
            return _reply("404 Not Found")
        metadata = "".join(f"{name}: {value}\r\n" for name, value in entry.metadata.items())
        return f'HTTP/1.1 200 OK\r\nETag: "light"\r\n{metadata}Content-Length: {entry.size}\r\n\r\n'.encode("latin-1")

    def _listing(self, bucket: str) -> str:
        """All on one page, names quoted as they came; of the root, that there are no buckets to be told of."""
        if not bucket:
            return "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"
        found = "".join(
            f"<Contents><Key>{name.partition('/')[2]}</Key><Size>{entry.size}</Size></Contents>"
            for name, entry in self.entries.items()
            if name.startswith(f"{bucket}/")
        )
        return (
            f"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{found}"
            "</ListBucketResult>"
        )


class Connection(asyncio.BufferedProtocol):
    """One client: head, body, reply, and again."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._head = b""
        self._left = 0
        self._request: Request | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where the next bytes go."""
        return ROOM

    def buffer_updated(self, nbytes: int) -> None:
        """Process `nbytes` received bytes."""
        at = 0
        while at < nbytes:
            if self._request is None:
                at = self._read_head(at, nbytes)
            else:
                taken = min(self._left, nbytes - at)
                self._left -= taken
                at += taken
            if self._request is not None and not self._left:
                self._send(self._books.answer(self._request))
                self._request = None

    def _read_head(self, at: int, end: int) -> int:
        """How far the head goes in what has come."""
        known = len(self._head)
        self._head += bytes(ROOM[at:end])
        split = self._head.find(HEAD_END)
        if split < 0:
            return end
        self._request = _parsed(self._head[:split])
        self._left = self._request.length
        self._head = b""
        if self._left and "expect" in self._request.headers:
            self._send(CONTINUE)
        return at + split + len(HEAD_END) - known

    def _send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)


def _parsed(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    verb, target, _ = first.split(" ", 2)
    path, _, query = target.partition("?")
    pairs = (line.split(":", 1) for line in lines)
    return Request(verb, path, query, {name.lower(): value.strip() for name, value in pairs})


def _reply(status: str, body: bytes = b"", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body


async def serve(port: int) -> None:
    """Until ended."""
    books = Books()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(books), LOOPBACK, port, backlog=BACKLOG)
    print(READY, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
