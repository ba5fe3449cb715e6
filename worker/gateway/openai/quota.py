"""Whether the account, the model or a budget keeps a job from starting: its client need not wait for that.

Weakness: what is known is up to a second old.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.concurrency import run_in_threadpool

from worker.gateway.middleware.api_keys import Caller
from worker.gateway.openai.errors import SERVER, OpenAIError, out_of_quota
from worker.store import account
from worker.store.account import Gate
from worker.store.database import Database
from worker.store.money import budgets
from worker.store.money.budgets import Budget

FRESH_SECONDS: Final = 1.0
_CREDIT: Final = frozenset({"insufficient_credits", "spend_limit"})
_UNAVAILABLE: Final[Mapping[str, str]] = {
    "bad_key": "the speech API does not accept this gateway's key",
    "forbidden": "the speech API does not permit this model",
    "redirected": "the speech API's address is wrong",
    "model_not_found": "the speech API does not know this model",
    "model_retired": "the speech API has retired this model",
}


@dataclass(slots=True)
class QuotaWatch:
    """One per process; runs on its event loop. All waiting requests share one look at the database a second."""

    database: Database
    clock: Callable[[], float] = time.monotonic
    _gates: list[Gate] = field(default_factory=list)
    _budgets: list[Budget] = field(default_factory=list)
    _until: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refusal(self, caller: Caller, model: str) -> OpenAIError | None:
        """Return the error for a job that cannot start until an operator or a customer acts."""
        async with self._lock:
            if self.clock() >= self._until:
                self._gates, self._budgets = await run_in_threadpool(self._read)
                self._until = self.clock() + FRESH_SECONDS
        return _of_gates(self._gates, model) or _of_budgets(self._budgets, caller)

    def _read(self) -> tuple[list[Gate], list[Budget]]:
        with self.database.read() as connection:
            now = self.database.now(connection)
            return account.closed_gates(connection), budgets.standings(connection, now=now)


def _of_gates(gates: list[Gate], model: str) -> OpenAIError | None:
    for gate in gates:
        if gate.name not in {"account", f"model:{model}"}:
            continue
        if gate.code in _CREDIT:
            return out_of_quota("The account at the speech API is out of credit. Nothing was charged.")
        if reason := _UNAVAILABLE.get(gate.code):
            message = f"Speech is unavailable: {reason}. Ask the operator of this gateway."
            return OpenAIError(503, SERVER, message, code=gate.code)
    return None


def _of_budgets(found: list[Budget], caller: Caller) -> OpenAIError | None:
    for budget in found:
        if budget.payer not in {caller.tenant, caller.key_id} or budget.wanted is None:
            continue
        # What calls in flight have reserved may come back; what is spent does not.
        if budget.used + budget.wanted > budget.limit:
            return out_of_quota(f"The budget of {budget.name}, ${budget.limit:f}, is used up. Nothing was charged.")
    return None
