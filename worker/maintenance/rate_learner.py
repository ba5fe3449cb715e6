"""Learns how long each voice takes, from accepted takes whose rates don't count them yet.

One process learns: of two, the slower would put an older rate in the newer one's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

from worker.store import takes
from worker.store.database import Database
from worker.store.takes import RateRecord, Voice

POLL_SECONDS: Final = 20.0
VOICES_PER_POLL: Final = 20
"""Learning from 400 takes needs a twentieth of a second."""

log = structlog.get_logger("ttsq.maintenance")


@dataclass(frozen=True, slots=True)
class RateLearner:
    database: Database

    def run_once(self) -> bool:
        """Learn the rates of some voices. Returns whether there may be more. Raises SQLAlchemyError."""
        with self.database.read() as connection:
            voices = sorted(takes.unlearned(connection))
        for of in voices[:VOICES_PER_POLL]:
            self._learn(of)
        return len(voices) > VOICES_PER_POLL

    def _learn(self, of: Voice) -> None:
        from worker.acceptance.rate import learn  # noqa: PLC0415 - numpy, which only installations that listen need

        with self.database.begin() as connection:
            known = takes.rate(connection, of)
            since = None if known is None else known.since
            line = learn(takes.pairs(connection, of, since=since))
            takes.learned(connection, of)
            now = self.database.now(connection)
            if line is not None:
                takes.keep_rate(connection, RateRecord(of, line.a, line.b, line.mad, line.count, since, now))
        if line is not None:
            log.info("rate_learned", tenant=of.tenant, model=of.model, voice=of.voice, takes=line.count)
