"""The thread pools of a worker: one thread drives all attempts, and blocking work runs elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Self

from worker.audio.codec.pool import CodecPool
from worker.concurrency.reactor import Reactor
from worker.concurrency.thread_pool import ElasticThreadPool

DATABASE_THREADS: Final = 3
"""One each for claims, ownership checks and records; v2 handles share them."""
STALL_SECONDS: Final = 0.5
"""How long the attempts thread may block, for example on a disk, before another one helps."""
MAX_HELPERS: Final = 32
"""Lower bound of the helpers' limit, for few slots."""


@dataclass(frozen=True, slots=True)
class Pools:
    """One set per worker. Threads start with the first work."""

    attempts: ElasticThreadPool
    """Drives attempts. A second thread would contend for the interpreter."""
    database: ElasticThreadPool
    """Runs batched transactions."""
    io: ElasticThreadPool
    """Connects, uploads and downloads."""
    analysis: ElasticThreadPool
    """Measures takes."""
    encoding: ElasticThreadPool
    """Encodes takes."""
    listening: ElasticThreadPool
    """Waits for the processes that listen to takes: they need seconds, and measurements must not wait."""
    joining: ElasticThreadPool
    """Joins documents, one at a time: each takes minutes of a core, and calls must not notice."""
    codecs: CodecPool
    """Processes that decode foreign audio and encode every take."""

    @classmethod
    def start(cls, reactor: Reactor, *, slots: int) -> Self:
        cores, max_threads = os.cpu_count() or 1, max(slots, MAX_HELPERS)
        io = ElasticThreadPool("io", reactor, most=max_threads)
        reactor.offload = io.submit
        return cls(
            attempts=ElasticThreadPool("attempts", reactor, usual=1, most=max_threads, look_seconds=STALL_SECONDS),
            database=ElasticThreadPool("database", reactor, usual=DATABASE_THREADS, most=0),
            io=io,
            analysis=ElasticThreadPool("analysis", reactor, usual=cores, most=0),
            encoding=ElasticThreadPool("encoding", reactor, usual=cores, most=0),
            listening=ElasticThreadPool("listening", reactor, usual=cores, most=0),
            joining=ElasticThreadPool("joining", reactor, usual=1, most=0),
            codecs=CodecPool(cores),
        )

    def close(self) -> None:
        """Stop the threads; nothing may be running."""
        for pool in (self.attempts, self.database, self.io, self.analysis, self.encoding, self.listening, self.joining):
            pool.close()
        self.codecs.close()
