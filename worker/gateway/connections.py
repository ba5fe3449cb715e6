"""The protocol of one connection: every request head has a deadline, and a full server drops idle connections first.

uvicorn limits neither. Its keep-alive timer stops at the first byte of the next head, so half a head, or the endless
rest of a body that was already answered, would keep a connection open forever.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from api_models.http_problems import Trouble
from worker.gateway.middleware.guard import HEADERS, SEND_SECONDS
from worker.gateway.problems import ProblemError

MAX_CONNECTIONS: Final = 1_000
"""A further connection replaces the one that has waited longest for a request; if none waits, it gets a 503."""
HEAD_SECONDS: Final = 10.0
"""A connection is closed if a request head is incomplete this long after its first byte, or after connecting."""
MAX_HEAD_LINES: Final = 500
"""A longer head is refused unparsed: the parser needs 20 microseconds for each line."""
_HEAD_END: Final = re.compile(rb"\n\r?\n")
READ_BYTES: Final = 8 * 1024
"""Read at a time, and so parsed without pause: chunks of one byte cost 20 microseconds each."""


class BoundedProtocol(H11Protocol):
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _waiting_since: float = 0.0

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        super().connection_made(transport)
        transport.max_size = READ_BYTES
        self._waiting_since = self.loop.time()
        if len(self.connections) > MAX_CONNECTIONS and not self._make_room():
            self._refuse(ProblemError(Trouble.OVERLOADED, "Too many connections.", retry_after=1))
            return
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._start_head_timer()
        super().data_received(data)
        self._stop_head_timer_in_request()

    def on_response_complete(self) -> None:
        self._waiting_since = self.loop.time()
        super().on_response_complete()  # starts the next request if its head has arrived already
        if self.is_waiting and not self.transport.is_closing() and self._has_more():
            self._start_head_timer()

    @property
    def is_waiting(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _has_more(self) -> bool:
        """Whether part of another head, or the rest of the last body, has been received or is due."""
        return bool(self.conn.trailing_data[0]) or self.conn.their_state is not self.conn.our_state

    def _make_room(self) -> bool:
        others = (one for one in self.connections if isinstance(one, BoundedProtocol) and one is not self)
        waiting = [one for one in others if one.is_waiting]
        if not waiting:
            return False
        min(waiting, key=lambda one: one._waiting_since)._cut()  # noqa: SLF001 - of the same class
        return True

    def _start_head_timer(self) -> None:
        if self._head_timer is None and self.is_waiting:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._cut)

    def _stop_head_timer_in_request(self) -> None:
        if self._head_timer is not None and not self.is_waiting:
            self._head_timer.cancel()
            self._head_timer = None

    def handle_events(self) -> None:
        awaits_head = self.is_waiting and self.conn.their_state is self.conn.our_state
        if awaits_head and _head_lines(self.conn.trailing_data[0]) > MAX_HEAD_LINES:
            self._refuse(ProblemError(Trouble.HEADERS_TOO_LARGE, f"A head has more than {MAX_HEAD_LINES} lines."))
            return
        super().handle_events()
        self._stop_head_timer_in_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(SEND_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        self._cut()

    def _cut(self) -> None:
        """Close at once, also if the client does not read what was sent."""
        self.connections.discard(self)
        self.transport.abort()

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._write_timer = None

    def send_400_response(self, msg: str) -> None:
        self._refuse(ProblemError(Trouble.MALFORMED, msg))

    def _refuse(self, problem: ProblemError) -> None:
        answer = problem.response()
        self.transport.write(f"HTTP/1.1 {answer.status_code} {problem.title}\r\n".encode())
        given = [*answer.raw_headers, *HEADERS, (b"connection", b"close")]
        self.transport.write(b"".join(name + b": " + value + b"\r\n" for name, value in given) + b"\r\n")
        self.transport.write(bytes(answer.body))
        self.transport.close()


def _head_lines(received: bytes) -> int:
    end = _HEAD_END.search(received)
    return received.count(b"\n", 0, end.start() if end else len(received))
