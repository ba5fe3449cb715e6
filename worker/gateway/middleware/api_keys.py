"""Authenticates API keys (cached for a few seconds), limits their request rates, and enforces their budgets.

Weakness: a revoked key works for up to `CACHE_SECONDS` more, and so does a gateway without authentication after the
first key was created. Each gateway process counts its own requests only.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from api_models.access import Scope
from api_models.http_problems import Trouble
from api_models.registry import MODELS
from worker.gateway.middleware import rate_limits
from worker.gateway.middleware.rate_limits import Bucket
from worker.gateway.problems import ProblemError
from worker.producer import DEFAULT_TENANT
from worker.store.access import api_keys
from worker.store.access.api_keys import KeyRecord
from worker.store.database import Database

CACHE_SECONDS: Final = 5.0
MAX_CACHED: Final = 10_000
MAX_CONCURRENT: Final = 64
"""Requests of one key in progress in this process, including waits and event streams."""
MAX_HELD: Final = 600
"""Speech requests of one key that wait for their audio in this process; they cost little."""
USE_NOTED_SECONDS: Final = 60.0
MAX_KEY_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Caller:
    tenant: str
    scopes: frozenset[Scope]
    key: KeyRecord | None
    """None without authentication."""
    credential: str | None = None
    """The hash of the key that was sent."""

    @property
    def name(self) -> str:
        return str(self.key.id) if self.key else "open"

    @property
    def key_id(self) -> UUID | None:
        return self.key.id if self.key else None


OPEN: Final = Caller(DEFAULT_TENANT, frozenset(Scope), None)
"""The caller without authentication: the user of this machine, who may do everything."""


@dataclass(slots=True)
class Keyring:
    """One per process."""

    database: Database
    without_auth: bool
    """Authentication is off: the gateway listens on loopback only, and no key was ever created."""
    clock: Callable[[], float] = time.monotonic
    _keyless_until: float = -math.inf
    """Until then it need not be asked again whether there is a key."""
    _cached: dict[str, tuple[float, KeyRecord | None]] = field(default_factory=dict)
    _buckets: dict[UUID, Bucket] = field(default_factory=dict)
    _use_noted: dict[UUID, float] = field(default_factory=dict)
    _spent: dict[UUID, tuple[float, Decimal]] = field(default_factory=dict)
    _in_progress: Counter[tuple[str, bool]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cached(self, given: str | None) -> Caller | None:
        if given is None:
            return OPEN if self.without_auth and self._keyless_until >= self.clock() else None
        return self._known(api_keys.hashed(given))

    def _known(self, credential: str) -> Caller | None:
        entry = self._cached.get(credential)
        if entry is None or entry[0] < self.clock() or entry[1] is None:
            return None
        return Caller(entry[1].tenant, entry[1].scopes, entry[1], credential)

    def authenticate(self, given: str | None) -> Caller:
        """Look up the caller. Raises ProblemError if the key is missing or invalid."""
        if given is None:
            return self._without_key()
        if not given.isascii() or len(given) > MAX_KEY_CHARACTERS:
            raise unauthenticated()
        return self._look_up(api_keys.hashed(given))

    def is_current(self, caller: Caller) -> bool:
        """Whether the caller would still be admitted: its key may have been revoked during a long request."""
        try:
            if caller.credential is None:
                self._without_key()
            else:
                self._look_up(caller.credential)
        except ProblemError:
            return False
        return True

    async def refuse_outdated(self, caller: Caller) -> None:
        """Raise ProblemError if the caller's key was revoked since it was authenticated."""
        current = self.cached(None) if caller.credential is None else self._known(caller.credential)
        if current is None and not await run_in_threadpool(self.is_current, caller):
            raise unauthenticated()

    def _without_key(self) -> Caller:
        """Serve without authentication until the first key exists: revoking it must not open the gateway again."""
        if self.without_auth and self._keyless_until < self.clock():
            with self.database.read() as connection:
                self.without_auth = not api_keys.is_any(connection)
            self._keyless_until = self.clock() + CACHE_SECONDS
        if not self.without_auth:
            raise unauthenticated()
        return OPEN

    def _look_up(self, credential: str) -> Caller:
        if (known := self._known(credential)) is not None:
            return known
        now = self.clock()
        entry = self._cached.get(credential)
        if entry is not None and entry[0] >= now:
            raise unauthenticated()
        with self.database.read() as connection:
            record = api_keys.by_hash(connection, credential)
        self._cache(credential, record, now)
        if record is None:
            raise unauthenticated()
        if self._use_noted.get(record.id, -USE_NOTED_SECONDS) + USE_NOTED_SECONDS <= now:
            self._use_noted[record.id] = now
            with self.database.begin() as connection:
                api_keys.note_use(connection, record.id, now=self.database.now(connection))
        return Caller(record.tenant, record.scopes, record, credential)

    def _cache(self, name: str, record: KeyRecord | None, now: float) -> None:
        with self._lock:
            if len(self._cached) >= MAX_CACHED:  # invalid keys must not fill the cache
                self._cached.clear()
            self._cached[name] = (now + CACHE_SECONDS, record)

    def begin(self, caller: Caller, *, held: bool = False) -> None:
        """Count a request in progress. Raises ProblemError over the rate or concurrency limit."""
        if caller.key is not None and caller.key.rate is not None:
            now = self.clock()
            with self._lock:
                bucket = self._buckets.get(caller.key.id) or rate_limits.fresh(caller.key.rate, now)
                self._buckets[caller.key.id], wait = rate_limits.take(bucket, caller.key.rate, now)
            if wait:
                raise ProblemError(
                    Trouble.TOO_MANY, f"This key is limited to {caller.key.rate} requests per minute.", retry_after=wait
                )
        most = MAX_HELD if held else MAX_CONCURRENT
        with self._lock:
            if self._in_progress[caller.name, held] >= most:
                raise ProblemError(
                    Trouble.TOO_MANY, f"This key already has {most} requests in progress.", retry_after=1
                )
            self._in_progress[caller.name, held] += 1

    def end(self, caller: Caller, *, held: bool = False) -> None:
        with self._lock:
            self._in_progress[caller.name, held] -= 1
            if self._in_progress[caller.name, held] <= 0:
                del self._in_progress[caller.name, held]

    def refuse_overspending(self, caller: Caller) -> None:
        """Raise ProblemError if what the key's jobs have cost and may still cost has reached its budget."""
        if caller.key is None or caller.key.budget is None:
            return
        if self._committed(caller.key) >= caller.key.budget:
            raise ProblemError(
                Trouble.BUDGET_EXHAUSTED,
                f"The budget of this key, ${caller.key.budget:f}, is used up.",
            )

    def count_submitted(self, caller: Caller, model: str) -> None:
        if caller.key is not None and caller.key.budget is not None:
            until, spent = self._spent.get(caller.key.id, (0.0, Decimal(0)))
            self._spent[caller.key.id] = (until, spent + MODELS.price_of(model))

    def _committed(self, key: KeyRecord) -> Decimal:
        until, spent = self._spent.get(key.id, (0.0, Decimal(0)))
        if until >= self.clock():
            return spent
        with self.database.read() as connection:
            paid, pending = api_keys.used(connection, key.id)
        spent = paid + sum((MODELS.price_of(model) * count for model, count in pending.items()), Decimal(0))
        self._spent[key.id] = (self.clock() + CACHE_SECONDS, spent)
        return spent


def unauthenticated() -> ProblemError:
    return ProblemError(
        Trouble.NO_KEY,
        "Send a valid key as `Authorization: Bearer …`; create one with `ttsq keys add`.",
        headers={"www-authenticate": 'Bearer realm="ttsq"'},
    )
