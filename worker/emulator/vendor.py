"""The state of the emulated vendor between calls, and its changes at runtime. Validates and answers nothing."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable

from api_models.registry import MODELS
from worker.emulator.account import Account, AccountChange
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.runs import Runs
from worker.emulator.config import EmulatorConfig, Voice
from worker.emulator.faults import Rule, Script
from worker.emulator.latency import Latency
from worker.emulator.ledger import Ledger, State
from worker.emulator.limits import Limit, limiter
from worker.emulator.voice.cache import Shelf

Clock = Callable[[], float]
"""Returns seconds: epoch time or monotonic time, depending on the use."""


class Vendor:
    """Account, catalogue, rate limit, latency, scripted faults, runs, ledger and takes."""

    def __init__(self, config: EmulatorConfig, clock: Clock, elapsed: Clock = time.monotonic) -> None:
        """`clock` returns epoch seconds; `elapsed` is monotonic and times the runs of v2."""
        self.config = config
        self.clock = clock
        self.elapsed = elapsed
        self.reset()

    def reset(self) -> None:
        config = self.config
        self.account = Account(config.key, config.credits, config.free_credits)
        self.models = dict.fromkeys(MODELS, ModelState.OK)
        self.script = Script(config.rules, config.seed)
        self.ledger = Ledger()
        self.shelf = Shelf(
            config.audio_bytes, takes_differ=config.takes_differ, says_words=config.voice is Voice.ESPEAK
        )
        self.runs = Runs(queued_share=config.queued_share, record_seconds=config.record_seconds)
        self._latency = config.latency()
        self._rng = random.Random(f"{config.seed}/latency")  # noqa: S311  # repeatable on purpose
        self.set_limit(config.limit())

    def state(self, *, detail: bool) -> State:
        self.settle_runs()
        return self.ledger.state((self.account.credits, self.account.free_credits), detail=detail)

    def settle_runs(self) -> None:
        """Bill the v2 runs that have ended. Call before reading balances or records."""
        self.runs.settle(self.elapsed())

    def change_account(self, change: AccountChange) -> None:
        self.settle_runs()
        self.account.change(change)

    def set_rules(self, rules: Iterable[Rule], *, append: bool) -> None:
        if append:
            self.script.append(rules)
        else:
            self.script = Script(rules, self.config.seed)

    def set_model(self, slug: str, state: ModelState) -> None:
        self.models[slug] = state

    def set_limit(self, limit: Limit) -> None:
        """Replace the rate limit and reset its counters."""
        self.limit = limit
        self.limiter = limiter(limit)

    def set_latency(self, latency: Latency) -> None:
        self._latency = latency

    def draw_latency(self, text: str) -> float:
        if self.config.latency_by_text:
            return self._latency.of_text(self.config.seed, text)
        return self._latency.draw(self._rng)

    def request_id(self, number: int) -> str:
        """Return the id of call `number`: 32 hex digits."""
        return hashlib.sha256(f"{self.config.seed}/{number}".encode()).hexdigest()[:32]
