"""Cases of texts, slots and rates, and what an executor would take for each that has no cost of its own. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from worker.emulator.config import EmulatorConfig
from worker.emulator.limits import SECONDS_PER_MINUTE, WindowKind

JITTER: Final = 0.3
BURST_SECONDS: Final = 1.0
"""The rate limit's bucket holds the calls of this many seconds: the most that a contender can gain on an even rate."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question."""

    texts: int
    latency: float
    """Seconds a call takes on average."""
    slots: int
    target: float
    rpm: float | None = None

    @property
    def name(self) -> str:
        """As it stands in the table."""
        limit = "" if self.rpm is None else f", {self.rpm:g} a minute"
        return f"{self.texts:,} × {self.latency:g} s, {self.slots:,} slots{limit}"

    def scaled(self, scale: float) -> Case:
        """The same pressure for a shorter time: fewer slots with shorter calls start as many a second."""
        return Case(
            int(self.texts * scale), self.latency * scale, max(2, int(self.slots * scale)), self.target, self.rpm
        )

    def emulator(self, audio_bytes: int, seed: int) -> EmulatorConfig:
        """One that makes the case."""
        return EmulatorConfig(
            audio_bytes=audio_bytes,
            latency_seconds=self.latency,
            jitter=JITTER,
            latency_by_text=True,
            seed=seed,
            rpm=self.rpm,
            window=WindowKind.TOKEN_BUCKET,
            window_seconds=BURST_SECONDS,
        )


CASES: Final = (
    Case(2_000, 18.0, 1_000, target=1.03),
    Case(6_000, 18.0, 3_000, target=1.06),
    Case(1_000, 2.0, 100, target=1.02, rpm=600),
)


def ideal_seconds(latencies: Iterable[float], slots: int, starts_a_second: float | None = None) -> float:
    """What an executor without any cost of its own takes: the next text goes to the first free slot.

    With a rate, no text starts before its turn: the first at once, the n-th n - 1 turns later.
    """
    free, ended = [0.0] * slots, 0.0
    for number, latency in enumerate(latencies):
        turn = number / starts_a_second if starts_a_second else 0.0
        end = max(free[0], turn) + latency
        heapq.heapreplace(free, end)
        ended = max(ended, end)
    return ended


def bound_seconds(latencies: list[float], slots: int, rpm: float | None) -> float:
    """The greater of two bounds: the slots' and the rate's."""
    by_slots = ideal_seconds(latencies, slots)
    return by_slots if rpm is None else max(by_slots, len(latencies) / rpm * SECONDS_PER_MINUTE)
