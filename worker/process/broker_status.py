"""What this worker knows of its broker: whether messages go out and come in, and if not, why. Speaks to no broker.

Messages only wake workers, so a broker in trouble loses nothing. But a worker that it can't reach is given no jobs, and
one that can send nothing leaves the lead to another.
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
"""Between two looks whether messages go out again."""
SHOWN_CHARACTERS: Final = 200
"""Of an error that nobody foresaw; a pipeline's has the whole command in it."""

_BY_NAME: Final = {
    "OutOfMemoryError": "the broker is full (its maxmemory is reached, and its policy is noeviction)",
    "ReadOnlyError": "the broker is a read-only replica",
    "BusyLoadingError": "the broker is starting, and loads its data",
    "AuthenticationError": "the broker refuses the user or password in TTSQ_BROKER_URL",
    "NoPermissionError": "the broker's user in TTSQ_BROKER_URL may not send and receive messages",
    "TimeoutError": "the broker does not answer",
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
    _BY_WORD["NOAUTH"]: "mend TTSQ_BROKER_URL: redis://user:password@host:port/0",
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
"""Failures of the way there. The library words them differently when it connects and when it reads."""

log = structlog.get_logger("ttsq.broker")


def describe(error: BaseException) -> str:
    """What a failure to use the broker means, in one line for people."""
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


def remedy(told: str) -> str:
    """What would mend a trouble that `describe` told."""
    return _REMEDIES.get(told, "start Redis, or mend TTSQ_BROKER_URL")


def _cause(error: BaseException) -> BaseException:
    """Behind the wrappers of the messaging library, which say nothing themselves."""
    while (inner := error.__cause__) is not None and type(error).__module__.startswith("kombu"):
        error = inner
    return error


@dataclass(slots=True)
class BrokerStatus:
    """One for a process. Where nothing ever reports trouble, as in memory, there is none."""

    probe: Callable[[], None] = lambda: None
    """Sends a message that means nothing; raises what sending raises."""
    changed: Callable[[], None] = lambda: None
    """Called when trouble begins or ends."""
    wait: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)
    _sending: OutageLog = field(default_factory=lambda: OutageLog(log, "broker_sending_trouble"))
    _receiving: OutageLog = field(default_factory=lambda: OutageLog(log, "broker_receiving_trouble"))
    _probing: threading.Lock = field(default_factory=threading.Lock)

    def trouble(self) -> str | None:
        """Why this worker can't be given jobs; None when it can."""
        return self._receiving.message or self._sending.message

    def can_send(self) -> bool:
        """Whether the last message went out."""
        return self._sending.message is None

    def unsent(self, error: BaseException, *, messages: int) -> None:
        """Messages could not be sent; from now on it is tried with ones that mean nothing, until one goes out."""
        self._sending.failing(describe(error), messages=messages)
        self.changed()
        if self._probing.acquire(blocking=False):
            threading.Thread(target=self._probe, name="ttsq-broker-probe", daemon=True).start()

    def lost(self, error: BaseException | str) -> None:
        """No messages come in: the connection was lost, or can't be made."""
        began = self._receiving.message is None
        self._receiving.failing(error if isinstance(error, str) else describe(error))
        if began:
            self.changed()

    def connected(self) -> None:
        """Messages come in."""
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
                except Exception as error:  # noqa: BLE001 - whatever it is, messages don't go out yet
                    self._sending.failing(describe(error))
                    seconds = min(LONGEST_WAIT_SECONDS, seconds * 2)
                else:
                    return
        finally:
            self._probing.release()
            self._sending.recovered()
            self.changed()
