"""Single flight: of jobs that want the same content, one is sent out, and the others follow it to its audio.

Who comes later is sent for a copy, and may not buy: where there is nothing to copy any more, the job comes back, and
one of those that want the content is elected again. Its weakness: a follower whose leader's message was lost waits for
its patience to end.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from api_models.verdict import VerdictKind
from worker.store.queries.attempts import Ended
from worker.store.transitions import followers as job_followers
from worker.store.transitions.dispatches import Waiting

BOUGHT: Final = frozenset({VerdictKind.SUCCESS, VerdictKind.CACHED})
MAX_REMEMBERED: Final = 50_000
"""Of more contents, the memory is read anew from what is really in flight; then again when it has doubled."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the database says of the leaders of one tick's jobs."""

    buying: set[UUID]
    having: set[UUID]
    """Their audio is there, for as many as want a copy."""
    resuming: set[UUID]
    """They are queued again, and what they bought before may be stored already."""


@dataclass(slots=True)
class SingleFlight:
    """Remembers, of each content that was sent out, which job buys it. It may name jobs that have long ended."""

    most: int = MAX_REMEMBERED
    _leaders: dict[str, UUID] | None = None
    """The job that buys a content, or has bought it. None: not read yet."""
    _contents: dict[UUID, str] = field(default_factory=dict)
    """Which content each leader buys; leaders whose content was there when they ended are not in it."""
    _enough: int = 0
    """Contents that are remembered before the memory is read anew; never fewer than `most`."""
    _followed: bool = field(default=False)
    """Some job may be following."""
    _waited: set[UUID] = field(default_factory=set)
    """Leaders that were waited for once though they were queued again: not twice."""

    def forget(self) -> None:
        """Another dispatcher leads: what is known here will be wrong."""
        self._leaders = None

    def look(self, connection: Connection) -> None:
        """Know what is in flight before anything is called back or rescued."""
        self._known(connection)

    def release(self, connection: Connection, news: Collection[Ended]) -> None:
        """Let the followers of ended attempts take their turns."""
        leaders = self._known(connection)
        for ended in news:
            if ended.verdict in BOUGHT and (content := self._contents.pop(ended.job_id, None)) is not None:
                leaders[content] = ended.job_id
        self._elect_again(connection, [ended.job_id for ended in news if ended.code == job_followers.COPY_GONE])
        if self._followed:
            job_followers.release(connection, {ended.job_id for ended in news})

    def separate(self, connection: Connection, chosen: Sequence[Waiting], now: datetime) -> list[Waiting]:
        """Those who may be sent out. The others follow, and are none of this tick's any more."""
        leaders = self._known(connection)
        seen = self._seen(connection, chosen, leaders, now)
        goes: list[Waiting] = []
        followers: dict[UUID, UUID] = {}
        for job in chosen:
            leader = None if job.content is None else leaders.get(job.content)
            if leader is not None and leader != job.job_id and leader in seen.buying | seen.resuming:
                followers[job.job_id] = leader
            elif leader is not None and leader in seen.having:
                goes.append(replace(job, copies=leader))
            else:
                goes.append(job)
                self._lead(job, leaders)
                seen.buying.add(job.job_id)
        if followers:
            job_followers.follow(connection, followers, now=now)
            self._followed = True
            self._waited |= seen.resuming
        return goes

    def _lead(self, job: Waiting, leaders: dict[str, UUID]) -> None:
        self._waited.discard(job.job_id)
        if job.content is not None:
            leaders[job.content] = job.job_id
            self._contents[job.job_id] = job.content

    def _seen(
        self, connection: Connection, chosen: Sequence[Waiting], leaders: dict[str, UUID], now: datetime
    ) -> _Seen:
        named = {leaders[job.content] for job in chosen if job.content is not None and job.content in leaders}
        suspects = {leader for leader in named if leader in self._contents}
        buying = job_followers.still_buying(connection, suspects) if suspects else set()
        there = named - suspects
        having = job_followers.with_audio(connection, there, now=now) if there else set()
        lost = suspects - buying - self._waited
        resuming = job_followers.resuming(connection, lost) if lost else set()
        return _Seen(buying, having, resuming)

    def _elect_again(self, connection: Connection, copiers: Sequence[UUID]) -> None:
        """These found nothing to copy: the content is bought anew, unless a job buys it by now."""
        if not copiers:
            return
        leaders = self._known(connection)
        for content in job_followers.contents(connection, copiers):
            if leaders.get(content) not in self._contents:
                leaders.pop(content, None)

    def _known(self, connection: Connection) -> dict[str, UUID]:
        if self._leaders is None or len(self._leaders) > max(self.most, self._enough):
            self._leaders = job_followers.in_flight(connection)
            # More may really be in flight than that, and reading them in every tick would take most of it.
            self._enough = 2 * len(self._leaders)
            self._contents = {job: content for content, job in self._leaders.items()}
            self._waited = set()
            self._followed = job_followers.has_followers(connection)
        return self._leaders
