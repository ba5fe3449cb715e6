"""What a worker makes of its broker's failures: words for people, and whether it can be given jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from kombu import exceptions as kombu_exceptions
from redis import exceptions

from worker.process.broker_status import BrokerStatus, describe, remedy

REFUSED = exceptions.ConnectionError("Error 111 connecting to 10.0.0.9:6379. Connection refused.")
SPOKEN = {
    "full": (
        exceptions.OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'."),
        "full",
        "maxmemory",
    ),
    "full, of a pipeline": (
        exceptions.ResponseError("Command # 1 (LPUSH ttsq {…}) of pipeline caused error: OOM command not allowed"),
        "full",
        "maxmemory",
    ),
    "a replica": (exceptions.ReadOnlyError("You can't write against a read only replica."), "replica", "primary"),
    "loading": (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "starting", "wait"),
    "its disk": (exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "MISCONF", "disk"),
    "a wrong password": (exceptions.AuthenticationError("invalid password"), "refuses", "TTSQ_BROKER_URL"),
    "no password": (exceptions.ResponseError("NOAUTH Authentication required."), "refuses", "TTSQ_BROKER_URL"),
    "silent": (exceptions.TimeoutError("Timeout reading from socket"), "does not answer", "firewall"),
    "refused": (REFUSED, "can't be reached: Connection refused", "start Redis"),
    "gone in the middle": (
        exceptions.ConnectionError("Error while reading from 10.0.0.9:6379 : (104, 'Connection reset by peer')"),
        "can't be reached: Connection reset by peer",
        "start Redis",
    ),
    "unknown": (exceptions.ResponseError("EXECABORT something else"), "EXECABORT something else", "TTSQ_BROKER_URL"),
}


@pytest.mark.parametrize("name", SPOKEN)
def test_each_failure_has_words_and_a_remedy(name: str) -> None:
    """Wrapped by the messaging library or not, in one line."""
    error, said, mends = SPOKEN[name]
    wrapped = kombu_exceptions.OperationalError("Redis publish batch failed; delivery is uncertain")
    wrapped.__cause__ = error
    for met in (error, wrapped):
        told = describe(met)
        assert said in told
        assert "\n" not in told
        assert mends in remedy(told)


def test_a_long_error_is_cut() -> None:
    """A pipeline's has every command in it, with the ids of the jobs."""
    assert len(describe(exceptions.ResponseError("x" * 10_000))) < 300


@dataclass(slots=True)
class Bench:
    """A broker whose waits are steps of the test, and whose probes fail as long as it says."""

    failing: int = 0
    probes: int = 0
    changes: int = 0
    look: Callable[[], str | None] = lambda: None
    seen: list[str | None] = field(default_factory=list)
    """What was seen at each change."""
    waited: list[float] = field(default_factory=list)
    sound: threading.Event = field(default_factory=threading.Event)

    def broker(self) -> BrokerStatus:
        """A fresh one."""
        return BrokerStatus(probe=self._probe, changed=self._change, wait=self.waited.append)

    def _probe(self) -> None:
        self.probes += 1
        if self.probes <= self.failing:
            raise REFUSED

    def _change(self) -> None:
        self.changes += 1
        self.seen.append(self.look())
        if self.changes == 2:
            self.sound.set()


def test_sending_is_tried_with_messages_that_mean_nothing_until_one_goes_out() -> None:
    """Waits grow to a bound; meanwhile the worker can't be given jobs, and says why."""
    bench = Bench(failing=5)
    broker = bench.broker()
    bench.look = broker.problem
    broker.unsent(REFUSED, messages=3)

    assert bench.sound.wait(10)
    assert bench.probes == 6
    assert bench.waited == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert bench.seen == ["the broker can't be reached: Connection refused", None]
    assert broker.can_send()
    assert broker.problem() is None


def test_a_lost_connection_is_an_outage_until_the_next_one() -> None:
    """Logged once at each end, however often it recurs; publishing is still attempted."""
    bench = Bench()
    broker = bench.broker()
    broker.connected()
    broker.lost(REFUSED)
    broker.lost("the broker does not answer")
    assert (broker.problem(), bench.changes) == ("the broker does not answer", 1)
    assert broker.can_send()
    broker.connected()
    assert (broker.problem(), bench.changes) == (None, 2)
