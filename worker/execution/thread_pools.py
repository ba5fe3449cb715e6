"""Who does what for a worker's attempts: one thread drives them all, and others do what would hold it up."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Self

from worker.audio.codec.pool import CodecPool
from worker.concurrency.reactor import Reactor
from worker.concurrency.thread_pool import ElasticThreadPool

CLERKS: Final = 3
"""One for claims, one for the question whose a job is, one for records; v2's handles go in between."""
STALL_SECONDS: Final = 0.5
"""For which the thread of all attempts may be held up, as by a disk, before another one helps."""
MAX_HELPERS: Final = 32
"""However few the slots."""


@dataclass(frozen=True, slots=True)
class Pools:
    """One for a worker. No thread before there is work."""

    attempts: ElasticThreadPool
    """Go on with attempts. A second thread would contend with the first for the interpreter."""
    database: ElasticThreadPool
    """Make the transactions of groups."""
    io: ElasticThreadPool
    """Connect, and carry to and from stores."""
    analysis: ElasticThreadPool
    """Measure takes and judge them."""
    encoding: ElasticThreadPool
    """Put takes into another form."""
    codecs: CodecPool
    """In which foreign audio is decoded and every take encoded."""

    @classmethod
    def start(cls, reactor: Reactor, *, slots: int) -> Self:
        """For so many attempts at a time."""
        cores, most = os.cpu_count() or 1, max(slots, MAX_HELPERS)
        porters = ElasticThreadPool("porter", reactor, most=most)
        reactor.offload = porters.submit
        return cls(
            attempts=ElasticThreadPool("attempts", reactor, usual=1, most=most, look_seconds=STALL_SECONDS),
            database=ElasticThreadPool("clerk", reactor, usual=CLERKS, most=0),
            io=porters,
            analysis=ElasticThreadPool("judge", reactor, usual=cores, most=0),
            encoding=ElasticThreadPool("encoder", reactor, usual=cores, most=0),
            codecs=CodecPool(cores),
        )

    def close(self) -> None:
        """Let the threads go; nothing may be under way any more."""
        for crew in (self.attempts, self.database, self.io, self.analysis, self.encoding):
            crew.close()
        self.codecs.close()
