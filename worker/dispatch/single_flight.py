"""Single flight: of jobs that want the same content, one is dispatched, and the others wait to copy its audio.

A later job is dispatched as a copy and may not buy. If there is nothing left to copy, the job comes back, and one of
the jobs that want the content becomes the leader. Weakness: a follower whose leader's message was lost waits until its
own wait expires.
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
"""Contents remembered before the memory is rebuilt from the jobs in flight; then again when it has doubled."""


@dataclass(frozen=True, slots=True)
class _LeaderStates:
    buying: set[UUID]
    stored: set[UUID]
    """Leaders whose audio is stored and can be copied."""
    resuming: set[UUID]
    """Leaders queued again, whose earlier purchase may be stored already."""


@dataclass(slots=True)
class SingleFlight:
    """Remembers which job buys each content. It may name jobs that finished long ago."""

    max_remembered: int = MAX_REMEMBERED
    _leaders: dict[str, UUID] | None = None
    """The job that buys or has bought each content; None before the first read."""
    _contents: dict[UUID, str] = field(default_factory=dict)
    """The content of each leader, except those whose content was stored when they finished."""
    _rebuild_at: int = 0
    """Contents at which the memory is rebuilt; at least `max_remembered`."""
    _has_followers: bool = field(default=False)
    """Whether any job may be a follower."""
    _awaited: set[UUID] = field(default_factory=set)
    """Queued leaders that were waited for once; not a second time."""

    def forget(self) -> None:
        self._leaders = None

    def load(self, connection: Connection) -> None:
        """Load the jobs in flight before any is released or rescued."""
        self._load(connection)

    def release(self, connection: Connection, finished: Collection[Ended]) -> None:
        leaders = self._load(connection)
        for ended in finished:
            if ended.verdict in BOUGHT and (content := self._contents.pop(ended.job_id, None)) is not None:
                leaders[content] = ended.job_id
        self._elect_again(connection, [ended.job_id for ended in finished if ended.code == job_followers.COPY_GONE])
        if self._has_followers:
            job_followers.release(connection, {ended.job_id for ended in finished})

    def separate(self, connection: Connection, chosen: Sequence[Waiting], now: datetime) -> list[Waiting]:
        """Return the jobs that may be dispatched; the others become followers."""
        leaders = self._load(connection)
        states = self._leader_states(connection, chosen, leaders, now)
        dispatchable: list[Waiting] = []
        followers: dict[UUID, UUID] = {}
        for job in chosen:
            leader = None if job.content is None else leaders.get(job.content)
            if leader is not None and leader != job.job_id and leader in states.buying | states.resuming:
                followers[job.job_id] = leader
            elif leader is not None and leader in states.stored:
                dispatchable.append(replace(job, copies=leader))
            else:
                dispatchable.append(job)
                self._lead(job, leaders)
                states.buying.add(job.job_id)
        if followers:
            job_followers.follow(connection, followers, now=now)
            self._has_followers = True
            self._awaited |= states.resuming
        return dispatchable

    def _lead(self, job: Waiting, leaders: dict[str, UUID]) -> None:
        self._awaited.discard(job.job_id)
        if job.content is not None:
            leaders[job.content] = job.job_id
            self._contents[job.job_id] = job.content

    def _leader_states(
        self, connection: Connection, chosen: Sequence[Waiting], leaders: dict[str, UUID], now: datetime
    ) -> _LeaderStates:
        known = {leaders[job.content] for job in chosen if job.content is not None and job.content in leaders}
        suspects = {leader for leader in known if leader in self._contents}
        buying = job_followers.still_buying(connection, suspects) if suspects else set()
        finished_leaders = known - suspects
        stored = job_followers.with_audio(connection, finished_leaders, now=now) if finished_leaders else set()
        lost = suspects - buying - self._awaited
        resuming = job_followers.resuming(connection, lost) if lost else set()
        return _LeaderStates(buying, stored, resuming)

    def _elect_again(self, connection: Connection, copiers: Sequence[UUID]) -> None:
        """Forget the leader of a content that these copies did not find, unless another job is already buying it."""
        if not copiers:
            return
        leaders = self._load(connection)
        for content in job_followers.contents(connection, copiers):
            if leaders.get(content) not in self._contents:
                leaders.pop(content, None)

    def _load(self, connection: Connection) -> dict[str, UUID]:
        if self._leaders is None or len(self._leaders) > max(self.max_remembered, self._rebuild_at):
            self._leaders = job_followers.in_flight(connection)
            # If more are really in flight, rebuilding in every tick would take most of its time.
            self._rebuild_at = 2 * len(self._leaders)
            self._contents = {job: content for content, job in self._leaders.items()}
            self._awaited = set()
            self._has_followers = job_followers.has_followers(connection)
        return self._leaders
