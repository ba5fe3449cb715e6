"""Dramatiq: an actor over its Redis broker, with its own middleware, which tries again with a growing backoff.

Worker: `dramatiq benchmarks.peers.actor --processes P --threads T`.
Producer: `python -c "from benchmarks.peers.actor import submit; submit(JOBS)"`.
"""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers import work

dramatiq.set_broker(RedisBroker(url=work.BROKER_URL))  # type: ignore[no-untyped-call]  # it has no annotations


@dramatiq.actor(max_retries=work.RETRIES)
def speak(speech_id: int, words: str) -> None:
    """The actor."""
    work.perform(speech_id, words)


def submit(jobs: int) -> None:
    """All rows in one statement, then a message for each."""
    for speech_id, words in work.enter(jobs):
        speak.send(speech_id, words)
