"""What is going to happen, and when: the same seed and length give the same plan. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.chaos.services import Service


class Kind(StrEnum):
    """One way of hurting a cluster."""

    KILL = "kill a worker"
    """SIGKILL; it is started again after a while."""
    KILL_LEADER = "kill the dispatcher's host"
    """The same to the worker that dispatches at that moment."""
    TERMINATE = "restart a worker"
    """SIGTERM, and a new start once it has left."""
    FREEZE = "freeze a worker"
    """SIGSTOP, and SIGCONT a while later: it wakes up not knowing that it was given up."""
    FLUSH = "flush Redis"
    KILL_BROKER = "kill Redis"
    """SIGKILL and a new start."""
    FREEZE_BROKER = "half-open Redis"
    """SIGSTOP: connections stay, nothing is answered."""
    RESTART_DATABASE = "restart PostgreSQL"
    """A fast shutdown: transactions are rolled back, sessions ended."""
    CRASH_DATABASE = "crash PostgreSQL"
    """An immediate shutdown: sessions break off, commits may have gone through unheard."""
    FREEZE_DATABASE = "half-open PostgreSQL"
    """Nothing passes between the workers and it."""
    STORE_DOWN = "S3 down"
    """Every connection to it is reset."""
    STORE_SLOW = "S3 slow"
    CUT_OFF = "cut a worker off"
    """One worker loses one service, with its connections reset."""
    SILENCE = "silence a worker"
    """One worker loses one service without a closed connection."""
    API_ERRORS = "API says 500"
    API_LIMITS = "API says 429"
    API_RESETS = "API resets"
    API_HANGS = "API hangs"
    """Answers come long after the worker has given up; they are billed."""
    API_LOSES = "API's answers get lost"
    """The call is billed, and its answer never arrives."""


class Aim(StrEnum):
    """What a step is about. Two that are about the same thing don't overlap."""

    WORKER = "worker"
    WAY = "way"
    """From one worker to one service."""
    BROKER = "broker"
    DATABASE = "database"
    STORE = "store"
    API = "API"


AIMS: Final[dict[Kind, Aim]] = {
    **dict.fromkeys((Kind.KILL, Kind.KILL_LEADER, Kind.TERMINATE, Kind.FREEZE), Aim.WORKER),
    **dict.fromkeys((Kind.FLUSH, Kind.KILL_BROKER, Kind.FREEZE_BROKER), Aim.BROKER),
    **dict.fromkeys((Kind.RESTART_DATABASE, Kind.CRASH_DATABASE, Kind.FREEZE_DATABASE), Aim.DATABASE),
    **dict.fromkeys((Kind.STORE_DOWN, Kind.STORE_SLOW), Aim.STORE),
    **dict.fromkeys((Kind.CUT_OFF, Kind.SILENCE), Aim.WAY),
    **dict.fromkeys((Kind.API_ERRORS, Kind.API_LIMITS, Kind.API_RESETS, Kind.API_HANGS, Kind.API_LOSES), Aim.API),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One disturbance to come."""

    at: float
    """Seconds after the beginning."""
    kind: Kind
    seconds: float
    """How long it lasts, or, for what is ended, after how long it is started again."""
    host: int
    """Which worker it is about, by number; only for kinds that are about one."""
    service: Service
    """Which service; likewise."""

    @property
    def aim(self) -> Aim:
        """What it is about."""
        return AIMS[self.kind]


GAP_SECONDS: Final = (2.0, 6.0)
"""Between the beginnings of two steps: they overlap now and then."""
REST_SECONDS: Final = 4.0
"""The end of a plan, in which nothing begins."""
WEIGHTS: Final = {
    Kind.KILL: 3,
    Kind.KILL_LEADER: 2,
    Kind.FREEZE: 2,
    Kind.TERMINATE: 2,
    Kind.CUT_OFF: 2,
    Kind.SILENCE: 2,
}
"""How often a kind comes for every single time of the others."""
LENGTHS: Final = {
    Kind.KILL: (0.0, 6.0),
    Kind.KILL_LEADER: (0.0, 6.0),
    Kind.TERMINATE: (0.0, 2.0),
    Kind.FREEZE: (2.0, 14.0),
    Kind.FLUSH: (0.0, 0.0),
    Kind.KILL_BROKER: (0.0, 4.0),
    Kind.FREEZE_BROKER: (3.0, 12.0),
    Kind.RESTART_DATABASE: (0.0, 0.0),
    Kind.CRASH_DATABASE: (0.0, 0.0),
    Kind.FREEZE_DATABASE: (2.0, 10.0),
    Kind.CUT_OFF: (3.0, 14.0),
    Kind.SILENCE: (3.0, 14.0),
}
"""Seconds, from and to; the rest is as long as this."""
USUAL_LENGTH: Final = (3.0, 8.0)


def make_plan(seed: int, seconds: float, hosts: int) -> list[Step]:
    """Steps over `seconds`, on `hosts` workers. Every kind comes once before any exceeds its weight."""
    rng = random.Random(seed)
    steps: list[Step] = []
    bag: list[Kind] = []
    at = rng.uniform(0, GAP_SECONDS[0])
    while at < seconds - REST_SECONDS:
        bag = bag or _fresh_bag(rng)
        steps.append(_step(bag.pop(), at, seconds, hosts, rng))
        at += rng.uniform(*GAP_SECONDS)
    return steps


def _fresh_bag(rng: random.Random) -> list[Kind]:
    bag = [kind for kind in Kind for _ in range(WEIGHTS.get(kind, 1))]
    rng.shuffle(bag)
    return bag


def _step(kind: Kind, at: float, seconds: float, hosts: int, rng: random.Random) -> Step:
    length = min(rng.uniform(*LENGTHS.get(kind, USUAL_LENGTH)), seconds - at)
    return Step(at, kind, length, rng.randrange(hosts), rng.choice(list(Service)))
