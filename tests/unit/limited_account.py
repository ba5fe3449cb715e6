"""An account with a rate limit, and a dispatcher that searches for it, run for hours in a second. Time is a number."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from tests.factories import NOW
from worker.dispatch.rate import pace, state
from worker.dispatch.rate import search as rate_search
from worker.dispatch.rate.state import Phase, Search
from worker.emulator.limits import Limit, Limiter, limiter
from worker.store.account import PaceState

BEGIN: Final = NOW.timestamp()
TICK_SECONDS: Final = 0.1
WOKEN_SECONDS: Final = 0.04
RECORD_SECONDS: Final = 0.02
"""From an answer until the dispatcher can read it."""


@dataclass(order=True, slots=True)
class Answer:
    """What came of a call. Times are epoch seconds."""

    read_at: float
    started_at: float = field(compare=False)
    reset_at: float | None = field(compare=False)
    refused: bool = field(compare=False)


@dataclass
class Drive:
    """An endless queue and an account whose limit may change. Times are seconds since the beginning."""

    limit: Limit
    slots: int = 100
    latency: float = 2.0
    """Seconds a call takes, give or take 30 %."""
    refusal: tuple[float, float] = (0.02, 0.06)
    """Seconds a refusal takes."""
    stamped: bool = True
    changes: Sequence[tuple[float, Limit]] = ()
    idle: tuple[float, float] = (0.0, 0.0)
    """A stretch of time in which there is nothing to do."""
    seed: int = 7
    search: Search = field(default_factory=Search)
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    starts: list[tuple[float, int]] = field(default_factory=list)
    _pace: PaceState = field(default_factory=PaceState)
    _due: float = 0.0
    _under_way: list[Answer] = field(default_factory=list)

    def run(self, seconds: float) -> Drive:
        """The whole time in ticks, as the dispatcher would do it."""
        rng, account, changes, now = random.Random(self.seed), limiter(self.limit), list(self.changes), BEGIN
        while now < BEGIN + seconds:
            while changes and BEGIN + changes[0][0] <= now:
                account = limiter(changes.pop(0)[1])
            self._read(now, rng)
            self.search = rate_search.grown(self.search, now)
            places = self._places(now)
            if places > 0 and not self.idle[0] <= now - BEGIN < self.idle[1]:
                self._start(account, now, places, rng)
            now = self._next_tick(now)
        return self

    def used(self, begin: float, end: float, rpm: float | None = None) -> float:
        """The share of the limit that was used in a stretch of time."""
        return sum(begin <= at < end for at in self.accepted) / ((end - begin) / 60) / (rpm or self.limit.rpm or 1)

    def refused_share(self, begin: float = 0.0) -> float:
        """Refusals among all calls from a moment on."""
        refused = sum(at >= begin for at in self.refused)
        return refused / (refused + sum(at >= begin for at in self.accepted))

    def _read(self, now: float, rng: random.Random) -> None:
        while self._under_way and self._under_way[0].read_at <= now:
            answer = heapq.heappop(self._under_way)
            if not answer.refused:
                self._pace = pace.after_success(self._pace, started_at=_time(answer.started_at))
                continue
            self._pace = pace.after_refusal(
                replace(self._pace, search=state.kept(self.search)),
                refused_at=_time(answer.read_at - RECORD_SECONDS),
                started_at=_time(answer.started_at),
                reset_at=None if answer.reset_at is None else _time(answer.reset_at),
                message="Too many requests",
                now=_time(now),
                rng=rng,
            )
            self.search = state.read(self._pace.search or "")

    def _places(self, now: float) -> int:
        """As `pace.permitted`, without writing the search down and reading it again in each tick."""
        free = self.slots - len(self._under_way)
        if pace.is_paused(self._pace, _time(now)):
            return 0
        if self.search.phase is Phase.FREE:
            return min(free, rate_search.allowed(self.search, now))
        self._due = max(self._due, now - pace.CATCH_UP_SECONDS)
        return min(free, int((now - self._due) / self._spacing) + 1) if self._due <= now else 0

    def _start(self, account: Limiter, now: float, count: int, rng: random.Random) -> None:
        self._due += count * self._spacing
        self.search = rate_search.after_starts(self.search, now, count)
        self.starts.append((now - BEGIN, count))
        for _ in range(count):
            started_at = now + rng.uniform(0.005, 0.05)
            arrived_at = started_at + rng.uniform(0.003, 0.03)
            reset_at = account.admit(arrived_at)
            refused = reset_at is not None
            (self.refused if refused else self.accepted).append(arrived_at - BEGIN)
            seconds = rng.uniform(*self.refusal) if refused else self.latency * rng.uniform(0.7, 1.3)
            read_at = arrived_at + seconds + RECORD_SECONDS
            heapq.heappush(self._under_way, Answer(read_at, started_at, reset_at if self.stamped else None, refused))

    def _next_tick(self, now: float) -> float:
        """When something may happen: an answer, or the pace's next chance; a busy dispatcher looks no less often."""
        chance = rate_search.next_step(self.search, now) if self.search.phase is Phase.FREE else self._due
        if self._pace.paused_until is not None:
            chance = max(chance, self._pace.paused_until.timestamp())
        chance = chance if chance > now else now + TICK_SECONDS
        answer = self._under_way[0].read_at if self._under_way else chance
        return max(now + WOKEN_SECONDS, min(answer, chance))

    @property
    def _spacing(self) -> float:
        return 60 / (self.search.rate * pace.SEARCH_HEADROOM)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
