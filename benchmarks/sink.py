"""An S3 that keeps nothing but the books: it reads what is put, checks it, notes size and metadata, and forgets it.

For objects that no disk of a test machine would hold. A program (`python -m benchmarks.sink`), and what starts it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, Final

from benchmarks.harness import environment
from benchmarks.processes import Measured

LOOPBACK: Final = "127.0.0.1"
READY: Final = "Sink at "
BOOKS: Final = "/_books"
PIECE_BYTES: Final = 1 << 18
BUCKET: Final = "sink"


@dataclass(slots=True)
class Books:
    """What was put, and what was wrong with it."""

    sizes: dict[str, int] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    puts: int = 0
    faults: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def put(self, key: str, size: int, headers: dict[str, str], fault: str | None) -> None:
        """One object."""
        with self.lock:
            self.puts += 1
            self.sizes[key] = size
            self.headers[key] = headers
            if fault is not None:
                self.faults.append(f"{key}: {fault}")

    def shown(self) -> bytes:
        """For the benchmark."""
        with self.lock:
            return json.dumps({"sizes": self.sizes, "puts": self.puts, "faults": self.faults}).encode()


class Sink(BaseHTTPRequestHandler):
    """PUT, HEAD, DELETE and nothing else of S3."""

    protocol_version = "HTTP/1.1"
    books: Books

    def do_PUT(self) -> None:
        """Read it to its end in pieces, and check its length and checksum."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
        size = 0
        while left and (piece := self.rfile.read(min(left, PIECE_BYTES))):
            digest.update(piece)
            size, left = size + len(piece), left - len(piece)
        wanted = self.headers.get("x-amz-checksum-sha256")
        found = base64.b64encode(digest.digest()).decode()
        fault = f"{left} bytes missing" if left else None
        if wanted is not None and wanted != found:
            fault = "not the checksum that came with it"
        kept = {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}
        self.books.put(self.path, size, kept, fault)
        self._answer(200, {"ETag": f'"{digest.hexdigest()[:32]}"'})

    def do_HEAD(self) -> None:
        """What is noted of an object; the bucket itself is always there."""
        size = self.books.sizes.get(self.path)
        if size is None and self.path.strip("/") != BUCKET:
            self._answer(404, {})
        else:
            self._answer(200, {**self.books.headers.get(self.path, {}), "ETag": '"sink"'}, length=size or 0)

    def do_DELETE(self) -> None:
        """Forget it."""
        self.books.sizes.pop(self.path, None)
        self._answer(204, {})

    def do_GET(self) -> None:
        """The books; objects can't be had back."""
        body = self.books.shown() if self.path == BOOKS else b""
        self._answer(200 if body else 404, {"Content-Type": "application/json"}, body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Say nothing."""

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"", *, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


@dataclass(frozen=True, slots=True)
class RunningSink:
    """A sink in a process of its own."""

    url: str

    def settings(self) -> dict[str, str]:
        """The environment that leads a worker to it."""
        return {
            "TTSQ_ARTIFACTS_URL": f"s3://{BUCKET}/audio",
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": "sink",
            "AWS_SECRET_ACCESS_KEY": "sink",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def books(self) -> dict[str, Any]:
        """What it has seen."""
        with urllib.request.urlopen(f"{self.url}{BOOKS}", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def running(folder: Path) -> Iterator[RunningSink]:
    """Start one, for as long as the block lasts."""
    with Measured("sink", [sys.executable, "-m", "benchmarks.sink"], folder, environment()) as process:
        process.await_line(READY)
        line = next(line for line in process.log.splitlines() if line.startswith(READY))
        yield RunningSink(line.removeprefix(READY))


def main() -> None:
    """Serve until ended."""
    Sink.books = Books()
    with ThreadingHTTPServer((LOOPBACK, 0), Sink) as server:
        print(f"{READY}http://{LOOPBACK}:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
