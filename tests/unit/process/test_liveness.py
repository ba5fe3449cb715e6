"""A thread that hangs is named; one that waits for something with a limit of its own is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.process.liveness import STALL_SECONDS, Liveness


@dataclass
class Clock:
    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Worker:
    """Two threads: one stamps by itself, the other when it is asked."""

    clock: Clock = field(default_factory=Clock)
    is_away: bool = False
    asked: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.liveness = Liveness(self.clock)
        self.liveness.watch("Celery", is_excused=lambda: self.is_away)
        self.liveness.watch("attempts", run=self.asked.append)

    def pass_time(self, seconds: float, *, celery: bool = True, attempts: bool = True) -> str | None:
        """Seconds pass, with a heartbeat each; the threads named run meanwhile."""
        problem = None
        for _ in range(int(seconds)):
            self.clock.seconds += 1
            self.liveness.ask()
            if celery:
                self.liveness.stamp("Celery")
            while attempts and self.asked:
                self.asked.pop()()
            problem = self.liveness.problem()
        return problem


def test_threads_that_run_are_no_problem() -> None:
    assert Worker().pass_time(10 * STALL_SECONDS) is None


def test_a_thread_that_hangs_is_named_and_may_recover() -> None:
    """The one that stamps by itself, and the one that is asked: without a pile of questions."""
    worker = Worker()
    assert worker.pass_time(STALL_SECONDS - 5, celery=False) is None
    assert "Celery thread" in (worker.pass_time(10, celery=False) or "")
    assert worker.pass_time(2) is None
    assert "attempts thread" in (worker.pass_time(STALL_SECONDS + 5, attempts=False) or "")
    assert len(worker.asked) == 1
    assert worker.pass_time(2) is None


def test_a_broker_that_is_away_excuses_its_thread() -> None:
    """A restart would cut paid calls, and help nothing. Afterwards it has its full time again."""
    worker = Worker(is_away=True)
    assert worker.pass_time(10 * STALL_SECONDS, celery=False) is None
    worker.is_away = False
    assert worker.pass_time(STALL_SECONDS - 5, celery=False) is None
    assert worker.pass_time(10, celery=False) is not None


def test_a_process_that_was_suspended_does_not_blame_its_threads() -> None:
    worker = Worker()
    worker.pass_time(5)
    worker.clock.seconds += 600
    assert worker.liveness.problem() is None
    assert worker.pass_time(5) is None
