"""When a lane whose paid takes are refused one after another is held, and what it may start before that. Pure.

Twenty in a row (a setting) hold it. While 30 % of all takes are bad, such a row comes once in 10^10 takes; while 60 %
are, once in 100,000, and then somebody should listen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from api_models.verdict import VerdictKind
from worker.dispatch.gates import circuit_breaker
from worker.store.lane_takes import Key, TakeCount
from worker.store.queries.attempts import Ended
from worker.store.transitions.dispatches import Lane

RESUMED_TAKES: Final = 3
"""Takes that a resumed lane may try: if all are refused it is held again."""

ACCEPTED: Final = VerdictKind.SUCCESS
"""A copy of what was bought before proves nothing of what the API returns now."""
_WITHOUT_AUDIO: Final = frozenset({VerdictKind.RETRY, VerdictKind.REFUSED, VerdictKind.GATE, VerdictKind.PACE})
_ANSWERED: Final = frozenset({"run_failed", "unreadable_answer", "undecodable_answer", "content_refused"})
"""Codes of answers that were sent as a success: with no price named, they may be billed."""


def is_refused(ended: Ended) -> bool:
    """Whether an attempt's answer was paid for, or may have been, and is no good audio."""
    if ended.verdict is VerdictKind.BAD_TAKE:
        return True
    if ended.verdict not in _WITHOUT_AUDIO or ended.code in circuit_breaker.OURS:
        return False
    return bool(ended.cost) or (ended.possibly_billed and ended.code in _ANSWERED)


def after(count: TakeCount, ended: Ended, *, limit: int, now: datetime) -> TakeCount:
    """The count with one more attempt; held once it is long enough. What is held stays so until it is resumed."""
    if ended.verdict is ACCEPTED and count.held_at is None:
        return replace(count, accepted=True, refused=0, resumed=False, code=None, message=None)
    if not is_refused(ended):
        return count
    refused = count.refused + 1
    held_at = now if count.held_at is None and refused >= longest(count, limit) else count.held_at
    return replace(count, refused=refused, code=ended.code, message=ended.message, held_at=held_at)


def longest(count: TakeCount, limit: int) -> int:
    """Refused takes in a row that hold the lane."""
    return min(limit, RESUMED_TAKES) if count.resumed else limit


@dataclass(slots=True)
class Rations:
    """What lanes without an accepted take may start, one tick long: so that no more are paid than hold them."""

    _left: dict[Key, int]

    def allows(self, lane: Lane) -> bool:
        """Whether one more of its jobs may start."""
        return self._left.get(_key(lane), 1) > 0

    def serve(self, lane: Lane) -> None:
        """One of its jobs starts."""
        if (key := _key(lane)) in self._left:
            self._left[key] -= 1


def rations(counts: dict[Key, TakeCount], under_way: dict[Key, int], *, limit: int, slots: int) -> Rations:
    """Of each lane of `counts`: what was refused and what is under way together stay within its bound."""
    return Rations(
        {
            key: bound(count, limit, slots) - count.refused - under_way.get(key, 0)
            for key, count in counts.items()
            if not count.accepted
        }
    )


def bound(count: TakeCount, limit: int, slots: int) -> int:
    """Takes that may be paid before the first is accepted. Fewer than the slots would leave slots idle for nothing."""
    return longest(count, limit) if count.resumed else max(limit, slots)


def _key(lane: Lane) -> Key:
    return lane.lane, lane.tenant, lane.model
