"""Receives webhooks on loopback for `ttsq webhooks listen`, and verifies them as a receiver should.

For trying out: one small server without TLS, which answers every POST alike.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Final

from worker.webhooks import signatures

MAX_BODY_BYTES: Final = 1024 * 1024
READ_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Message:
    at: datetime
    id: str
    text: str
    signed_by: str | None
    """What the secret belongs to that verified it; None if no known secret did."""


class Listener:
    def __init__(self, port: int, secrets: Callable[[], Mapping[str, str]], status: int) -> None:
        """`secrets` returns the secrets by what they belong to; it is asked for each message. Raises OSError: the port
        is in use.
        """
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._secrets, self._status = secrets, status
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def messages(self) -> Iterator[Message]:
        while True:
            yield self._messages.get()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receive, status = self._receive, self._status

        class Handler(BaseHTTPRequestHandler):
            timeout = READ_SECONDS

            def do_POST(self) -> None:
                given = self.headers.get("content-length", "")
                size = int(given) if given.isdigit() and len(given) < 10 else -1
                accepted = 0 <= size <= MAX_BODY_BYTES
                body = self.rfile.read(size) if accepted else b""
                self.send_response(status if accepted else 413)
                self.send_header("content-length", "0")
                self.end_headers()
                if accepted:
                    receive({name.lower(): value for name, value in self.headers.items()}, body)

            def log_message(self, *_: object) -> None:
                """Print nothing: each message is shown."""

        return Handler

    def _receive(self, headers: Mapping[str, str], body: bytes) -> None:
        now = datetime.now(UTC)
        secrets = self._secrets()
        signed_by = next((name for name, secret in secrets.items() if _is_valid(secret, headers, body, now)), None)
        text = body.decode("utf-8", "replace")
        self._messages.put(Message(now, signatures.header(headers, "id"), text, signed_by))


def _is_valid(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    try:
        return signatures.is_valid(secret, headers, body, now)
    except ValueError:  # a secret that is not base64
        return False
