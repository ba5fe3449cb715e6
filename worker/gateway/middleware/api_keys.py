"""Who is asking: keys looked up and remembered for a few seconds, their rates counted, their budgets watched.

Weakness: a revoked key opens the door for up to `REMEMBERED_SECONDS` more, and each gateway process counts the
requests it sees itself.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from uuid import UUID

from api_models.access import EVERYTHING, Scope
from api_models.http_problems import Trouble
from api_models.registry import MODELS
from worker.gateway.middleware import rate_limits
from worker.gateway.middleware.rate_limits import Bucket
from worker.gateway.problems import ProblemError
from worker.producer import DEFAULT_TENANT
from worker.store.access import api_keys
from worker.store.access.api_keys import KeyRecord
from worker.store.database import Database

REMEMBERED_SECONDS: Final = 5.0
MAX_REMEMBERED: Final = 10_000
MAX_CONCURRENT: Final = 64
"""Requests of one key under way in this process, waits and event streams included."""
NOTED_SECONDS: Final = 60.0
LONGEST_KEY: Final = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is."""

    tenant: str
    scopes: frozenset[Scope]
    key: KeyRecord | None
    """None where no key is asked for."""

    @property
    def name(self) -> str:
        """Under which its requests are counted."""
        return str(self.key.id) if self.key else "open"

    @property
    def key_id(self) -> UUID | None:
        """The key's id."""
        return self.key.id if self.key else None


OPEN: Final = Caller(DEFAULT_TENANT, EVERYTHING, None)
"""Everybody, where the door stands open."""


@dataclass(slots=True)
class Keyring:
    """One a process."""

    database: Database
    open_door: bool
    """No key is asked for: this machine alone can reach the gateway."""
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, KeyRecord | None]] = field(default_factory=dict)
    _buckets: dict[UUID, Bucket] = field(default_factory=dict)
    _noted: dict[UUID, float] = field(default_factory=dict)
    _spent: dict[UUID, tuple[float, Decimal]] = field(default_factory=dict)
    _at_once: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def remembered(self, given: str | None) -> Caller | None:
        """Who this is, if that is known without asking the database."""
        if given is None:
            return OPEN if self.open_door else None
        entry = self._known.get(api_keys.hashed(given))
        if entry is None or entry[0] < self.clock() or entry[1] is None:
            return None
        return Caller(entry[1].tenant, entry[1].scopes, entry[1])

    def ask(self, given: str | None) -> Caller:
        """Who this is. Raises ProblemError where that is nobody."""
        if (known := self.remembered(given)) is not None:
            return known
        if given is None or not given.isascii() or len(given) > LONGEST_KEY:
            raise _nobody()
        record = self._look_up(given)
        if record is None:
            raise _nobody()
        return Caller(record.tenant, record.scopes, record)

    def _look_up(self, given: str) -> KeyRecord | None:
        name, now = api_keys.hashed(given), self.clock()
        entry = self._known.get(name)
        if entry is not None and entry[0] >= now:
            return entry[1]
        with self.database.read() as connection:
            record = api_keys.by_key(connection, given)
        self._remember(name, record, now)
        if record is not None and self._noted.get(record.id, -NOTED_SECONDS) + NOTED_SECONDS <= now:
            self._noted[record.id] = now
            with self.database.begin() as connection:
                api_keys.note_use(connection, record.id, now=self.database.now(connection))
        return record

    def _remember(self, name: str, record: KeyRecord | None, now: float) -> None:
        with self._lock:
            if len(self._known) >= MAX_REMEMBERED:  # made-up keys must not fill the memory
                self._known.clear()
            self._known[name] = (now + REMEMBERED_SECONDS, record)

    def begin(self, caller: Caller) -> None:
        """One more request of this caller is under way. Raises ProblemError where it has too many."""
        if caller.key is not None and caller.key.rate is not None:
            now = self.clock()
            with self._lock:
                bucket = self._buckets.get(caller.key.id) or rate_limits.fresh(caller.key.rate, now)
                self._buckets[caller.key.id], wait = rate_limits.take(bucket, caller.key.rate, now)
            if wait:
                raise ProblemError(
                    Trouble.TOO_MANY, f"This key may make {caller.key.rate} requests a minute.", retry_after=wait
                )
        with self._lock:
            if self._at_once[caller.name] >= MAX_CONCURRENT:
                raise ProblemError(
                    Trouble.TOO_MANY, f"This key has {MAX_CONCURRENT} requests under way already.", retry_after=1
                )
            self._at_once[caller.name] += 1

    def end(self, caller: Caller) -> None:
        """It is over."""
        with self._lock:
            self._at_once[caller.name] -= 1
            if self._at_once[caller.name] <= 0:
                del self._at_once[caller.name]

    def refuse_overspending(self, caller: Caller) -> None:
        """Raises ProblemError where what the key's jobs have cost, and may still cost, has reached its budget."""
        if caller.key is None or caller.key.budget is None:
            return
        if self._reckoned(caller.key) >= caller.key.budget:
            raise ProblemError(
                Trouble.BUDGET_EXHAUSTED,
                f"The jobs of this key may cost ${caller.key.budget:f} altogether, and that is used up.",
            )

    def count_submitted(self, caller: Caller, model: str) -> None:
        """One more job of this caller's is to be paid for."""
        if caller.key is not None and caller.key.budget is not None:
            until, spent = self._spent.get(caller.key.id, (0.0, Decimal(0)))
            self._spent[caller.key.id] = (until, spent + MODELS[model].price)

    def _reckoned(self, key: KeyRecord) -> Decimal:
        until, spent = self._spent.get(key.id, (0.0, Decimal(0)))
        if until >= self.clock():
            return spent
        with self.database.read() as connection:
            paid, to_come = api_keys.used(connection, key.id)
        spent = paid + sum((MODELS[model].price * count for model, count in to_come.items()), Decimal(0))
        self._spent[key.id] = (self.clock() + REMEMBERED_SECONDS, spent)
        return spent


def _nobody() -> ProblemError:
    return ProblemError(
        Trouble.NO_KEY,
        "Send a good key as `Authorization: Bearer …`; `ttsq keys add` makes one.",
        headers={"www-authenticate": 'Bearer realm="ttsq"'},
    )
