"""What listening says of a take that passed the measurements."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from worker.execution.acceptance import Accepted, Refused

if TYPE_CHECKING:
    from worker.execution.context import AttemptContext
    from worker.execution.listening.pool import ListeningPool
    from worker.store.transitions.claims import Claim


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an accepted take was suspicious all the same."""

    code: str
    message: str
    is_flag: bool = False
    """Whether the job says so too, or only the ledger: two takes that agree count as right."""


@dataclass(frozen=True, slots=True)
class Opinion:
    take: Accepted | Refused
    doubt: Doubt | None = None
    instead_of: Refused | None = None
    """The current take, if an earlier one is used instead: it is kept like a refused one."""
    used: int | None = None
    """The number of the earlier take."""


class Listens(Protocol):
    """Listens to takes. Never refuses one for an error of its own."""

    def opinion(self, context: AttemptContext, claim: Claim, found: Accepted) -> Awaitable[Opinion]: ...

    @property
    def processes(self) -> ListeningPool: ...
