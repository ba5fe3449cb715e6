"""Whether this worker's messages are sent and received, and the reason if not. Never connects to the broker itself.

Messages only wake workers, so a broker outage loses nothing. A worker that the broker can't reach gets no jobs, and
one
that can't send leaves leadership to another.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from worker.telemetry.outage_log import OutageLog
from worker.telemetry.redaction import redact

FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 5.0
"""Between two probes while sending fails."""
SHOWN_CHARACTERS: Final = 200
"""Of an unknown error; a pipeline's error contains the whole command."""

_BY_NAME: Final = {
    "OutOfMemoryError": "the broker is full (its maxmemory is reached, and its policy is noeviction)",
    "ReadOnlyError": "the broker is a read-only replica",
    "BusyLoadingError": "the broker is starting, and loads its data",
    "AuthenticationError": "the broker refuses the user or password in TTSQ_BROKER_URL",
    "NoPermissionError": "the broker's user in TTSQ_BROKER_URL may not send and receive messages",
    "TimeoutError": "the broker does not answer",
    "MasterNotFoundError": "the Sentinels name no primary: a failover is in progress, or master_name in TTSQ_BROKER_URL"
    " is wrong",
}
_BY_WORD: Final = {
    "OOM": _BY_NAME["OutOfMemoryError"],
    "READONLY": _BY_NAME["ReadOnlyError"],
    "LOADING": _BY_NAME["BusyLoadingError"],
    "NOAUTH": _BY_NAME["AuthenticationError"],
    "WRONGPASS": _BY_NAME["AuthenticationError"],
    "NOPERM": _BY_NAME["NoPermissionError"],
    "MISCONF": "the broker can't save its data to its disk, and takes nothing new until it can (MISCONF)",
}
_REMEDIES: Final = {
    _BY_WORD[
        "OOM"
    ]: "give Redis more memory (maxmemory), or a Redis of its own: this queue's messages are few and small",
    _BY_WORD["READONLY"]: "set TTSQ_BROKER_URL to the primary",
    _BY_WORD["LOADING"]: "wait until it has started",
    _BY_WORD["NOAUTH"]: "correct TTSQ_BROKER_URL: redis://user:password@host:port/0",
    _BY_WORD["NOPERM"]: "give that user the rights of a client (ACL SETUSER … +@all)",
    _BY_WORD["MISCONF"]: "free its disk, or start it with --save '' --appendonly no: nothing in it is worth keeping",
    _BY_NAME["TimeoutError"]: "see whether Redis is overloaded or stopped, and whether a firewall drops its packets",
}
_AWAY: Final = (
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EPIPE,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ETIMEDOUT,
)
"""Connection errors. The library words them differently when it connects and when it reads."""

log = structlog.get_logger("ttsq.broker")


def describe(error: BaseException) -> str:
    cause = _cause(error)
    for kind in type(cause).__mro__:
        if kind.__name__ in _BY_NAME:
            return _BY_NAME[kind.__name__]
    line = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    if known := next((_BY_WORD[word] for word in line.split() if word in _BY_WORD), None):
        return known
    if reason := next((os.strerror(code) for code in _AWAY if os.strerror(code) in line), None):
        return f"the broker can't be reached: {reason}"
    return f"the broker can't be used: {redact(line)[:SHOWN_CHARACTERS]}"


def remedy(message: str) -> str:
    """The remedy for a message returned by `describe`."""
    return _REMEDIES.get(message, "start Redis, or correct TTSQ_BROKER_URL")


def _cause(error: BaseException) -> BaseException:
    """Unwrap the messaging library's exceptions, whose own text is empty."""
    while (inner := error.__cause__) is not None and type(error).__module__.startswith("kombu"):
        error = inner
    return error


@dataclass(slots=True)
class BrokerStatus:
    """One per process. Always healthy without a broker, where nothing reports failures."""

    probe: Callable[[], None] = lambda: None
    """Sends a no-op message; raises what sending raises."""
    changed: Callable[[], None] = lambda: None
    """Called when an outage begins or ends."""
    wait: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)
    _sending: OutageLog = field(default_factory=lambda: OutageLog(log, "broker_sending_failed"))
    _receiving: OutageLog = field(default_factory=lambda: OutageLog(log, "broker_receiving_failed"))
    _probing: threading.Lock = field(default_factory=threading.Lock)

    def problem(self) -> str | None:
        """Why this worker can't be given jobs; None when healthy."""
        return self._receiving.message or self._sending.message

    def is_away(self) -> bool:
        """Whether no messages are received."""
        return self._receiving.message is not None

    def can_send(self) -> bool:
        return self._sending.message is None

    def unsent(self, error: BaseException, *, messages: int) -> None:
        """Record that messages could not be sent, and probe until a no-op message is sent."""
        self._sending.failing(describe(error), messages=messages)
        self.changed()
        if self._probing.acquire(blocking=False):
            threading.Thread(target=self._probe, name="ttsq-broker-probe", daemon=True).start()

    def lost(self, error: BaseException | str) -> None:
        """Record that no messages are received: the connection was lost or can't be made."""
        began = self._receiving.message is None
        self._receiving.failing(error if isinstance(error, str) else describe(error))
        if began:
            self.changed()

    def connected(self) -> None:
        ended = self._receiving.message is not None
        self._receiving.recovered()
        if ended:
            self.changed()

    def _probe(self) -> None:
        seconds = FIRST_WAIT_SECONDS
        try:
            while True:
                self.wait(seconds)
                try:
                    self.probe()
                except Exception as error:  # noqa: BLE001 - any error means that sending still fails
                    self._sending.failing(describe(error))
                    seconds = min(LONGEST_WAIT_SECONDS, seconds * 2)
                else:
                    return
        finally:
            self._probing.release()
            self._sending.recovered()
            self.changed()
