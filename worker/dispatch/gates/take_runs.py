"""When refused takes hold a lane, and how many takes it may start before that. Pure.

Twenty consecutive refusals (a setting) hold it. At 30 % bad takes such a run occurs once in 10^10 takes; at 60 % once
in 100,000, and then an operator should listen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from api_models.verdict import SUSPECT, TAKES_AGREE, VerdictKind
from worker.dispatch.gates import circuit_breaker
from worker.store.lane_takes import Key, TakeCount
from worker.store.queries.attempts import Ended
from worker.store.transitions.dispatches import Lane

RESUMED_TAKES: Final = 3
"""Takes that a resumed lane may try before it is held again."""

SHARE_OF_A_LANE: Final = 3
"""Refused takes in a row of one lane that count against the others: one batch alone holds none but itself."""

ACCEPTED: Final = VerdictKind.SUCCESS
"""Not a copy: copied audio is no evidence about the API now."""
DOUBTFUL: Final = frozenset({SUSPECT, TAKES_AGREE})
"""Codes of accepted takes that may not say their text."""
_WITHOUT_AUDIO: Final = frozenset({VerdictKind.RETRY, VerdictKind.REFUSED, VerdictKind.GATE, VerdictKind.PACE})
_ANSWERED: Final = frozenset({"run_failed", "unreadable_answer", "undecodable_answer", "content_refused"})
"""Codes of answers with a success status and no price, which may have been billed."""


def is_refused(ended: Ended) -> bool:
    """Return whether an attempt's answer was or may have been paid for and is not usable audio."""
    if ended.verdict is VerdictKind.BAD_TAKE or _is_doubtful(ended):
        return True
    if ended.verdict not in _WITHOUT_AUDIO or ended.code in circuit_breaker.OURS:
        return False
    return bool(ended.cost) or (ended.possibly_billed and ended.code in _ANSWERED)


def is_accepted(ended: Ended) -> bool:
    """Return whether an attempt bought audio that nothing speaks against."""
    return ended.verdict is ACCEPTED and not _is_doubtful(ended)


def _is_doubtful(ended: Ended) -> bool:
    """Whether a take was used although it, or one like it, was suspicious: no evidence that others will be good."""
    return ended.verdict is ACCEPTED and ended.code in DOUBTFUL


def after(count: TakeCount, ended: Ended, *, limit: int, now: datetime) -> TakeCount:
    """Return the count after one more attempt. A held lane stays held until it is resumed."""
    if is_accepted(ended) and count.held_at is None:
        return replace(count, accepted=True, refused=0, resumed=False, code=None, message=None)
    if not is_refused(ended):
        return count
    refused = count.refused + 1
    held_at = now if count.held_at is None and refused >= hold_limit(count, limit) else count.held_at
    return replace(count, refused=refused, code=ended.code, message=ended.message, held_at=held_at)


def across(count: TakeCount, ended: Ended, *, limit: int, now: datetime) -> TakeCount:
    """Return the count of all lanes after one more attempt in one of them. One accepted take ends their hold."""
    if is_accepted(ended):
        return replace(count, accepted=True, refused=0, held_at=None, code=None, message=None)
    return after(count, ended, limit=limit, now=now)


def hold_limit(count: TakeCount, limit: int) -> int:
    return min(limit, RESUMED_TAKES) if count.resumed else limit


@dataclass(slots=True)
class Rations:
    """Starts left in this tick for lanes without an accepted take, so that no more are paid for than hold them."""

    _remaining: dict[Key, int]

    def allows(self, lane: Lane) -> bool:
        return self._remaining.get(_key(lane), 1) > 0

    def serve(self, lane: Lane) -> None:
        if (key := _key(lane)) in self._remaining:
            self._remaining[key] -= 1


def rations(counts: dict[Key, TakeCount], under_way: dict[Key, int], *, limit: int, slots: int) -> Rations:
    """Return the rations: per lane, refused takes plus takes in flight stay within the bound."""
    return Rations(
        {
            key: 0 if count.held_at else bound(count, limit, slots) - count.refused - under_way.get(key, 0)
            for key, count in counts.items()
            if not count.accepted
        }
    )


def bound(count: TakeCount, limit: int, slots: int) -> int:
    """Takes that may be paid for before the first is accepted. At least the number of slots, so that none idle."""
    return hold_limit(count, limit) if count.resumed else max(limit, slots)


def _key(lane: Lane) -> Key:
    return lane.lane, lane.tenant, lane.model
