"""Single flight: of jobs that want the same content, one is sent out, and the others follow it to its audio.

Its weakness: a follower whose leader was called off waits for its patience to end. And what was bought a moment ago is
taken to be there still: should its object be removed at once, those who come for copies buy it side by side.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from api_models.verdict import VerdictKind
from worker.store.attempts import Ended
from worker.store.transitions import following
from worker.store.transitions.dispatching import Waiting

NOBODY: Final = UUID(int=0)
BOUGHT: Final = frozenset({VerdictKind.SUCCESS, VerdictKind.CACHED})
MOST_REMEMBERED: Final = 50_000
"""Of more contents, the memory is read anew from what is really in flight; then again when it has doubled."""


@dataclass(slots=True)
class Twins:
    """Remembers, of each content that was sent out, which job buys it. It may name jobs that have long ended."""

    most: int = MOST_REMEMBERED
    _leaders: dict[str, UUID] | None = None
    """None: not read yet. `NOBODY` leads where the content is there, and whoever wants a copy may have one."""
    _contents: dict[UUID, str] = field(default_factory=dict)
    """Which content each leader buys."""
    _enough: int = 0
    """Contents that are remembered before the memory is read anew; never fewer than `most`."""
    _followed: bool = field(default=False)
    """Somebody may be following."""

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
                leaders[content] = NOBODY
        if self._followed:
            following.release(connection, {ended.job_id for ended in news})

    def apart(self, connection: Connection, chosen: Sequence[Waiting], now: datetime) -> list[Waiting]:
        """Those who may be sent out. The others follow, and are none of this tick's any more."""
        leaders = self._known(connection)
        suspects = {leaders[job.content] for job in chosen if job.content is not None and job.content in leaders}
        suspects.discard(NOBODY)
        buying = following.still_buying(connection, suspects) if suspects else set()
        goes: list[Waiting] = []
        followers: dict[UUID, UUID] = {}
        for job in chosen:
            leader = None if job.content is None else leaders.get(job.content)
            if leader is not None and leader in buying and leader != job.job_id:
                followers[job.job_id] = leader
                continue
            goes.append(job)
            if job.content is not None and leader != NOBODY:
                leaders[job.content] = job.job_id
                self._contents[job.job_id] = job.content
                buying.add(job.job_id)
        if followers:
            following.follow(connection, followers, now=now)
            self._followed = True
        return goes

    def _known(self, connection: Connection) -> dict[str, UUID]:
        if self._leaders is None or len(self._leaders) > max(self.most, self._enough):
            self._leaders = following.in_flight(connection)
            # More may really be in flight than that, and reading them in every tick would take most of it.
            self._enough = 2 * len(self._leaders)
            self._contents = {job: content for content, job in self._leaders.items()}
            self._followed = following.anybody_follows(connection)
        return self._leaders
