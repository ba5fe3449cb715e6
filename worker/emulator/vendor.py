"""All that the emulated vendor remembers between calls, and how an operator changes it. Checks and answers nothing."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable

from api_models.registry import MODELS
from worker.emulator.account import Account, AccountChange
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.runs import Runs
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Rule, Script
from worker.emulator.latency import Latency
from worker.emulator.ledger import Ledger, State
from worker.emulator.limits import Limit, limiter
from worker.emulator.voice.cache import Shelf

Clock = Callable[[], float]
"""Seconds: of the epoch in UTC, or of a steady clock, as its use says."""


class Vendor:
    """Account, catalogue, rate limit, latency, scripted faults, runs, ledger and made takes."""

    def __init__(self, config: EmulatorConfig, clock: Clock, elapsed: Clock = time.monotonic) -> None:
        """`clock` gives epoch seconds; `elapsed` never goes back, and is what the runs of v2 take their time by."""
        self.config = config
        self.clock = clock
        self.elapsed = elapsed
        self.reset()

    def reset(self) -> None:
        """Back to the start: the configuration's account, limit, latency and rules, and an empty ledger."""
        config = self.config
        self.account = Account(config.key, config.credits, config.free_credits)
        self.models = dict.fromkeys(MODELS, ModelState.OK)
        self.script = Script(config.rules, config.seed)
        self.ledger = Ledger()
        self.shelf = Shelf(config.audio_bytes, takes_differ=config.takes_differ)
        self.runs = Runs(queued_share=config.queued_share, record_seconds=config.record_seconds)
        self._latency = config.latency()
        self._rng = random.Random(f"{config.seed}/latency")  # noqa: S311  # repeatable on purpose
        self.set_limit(config.limit())

    def state(self, *, detail: bool) -> State:
        """A snapshot of the ledger and the account."""
        self.settle_runs()
        return self.ledger.state((self.account.credits, self.account.free_credits), detail=detail)

    def settle_runs(self) -> None:
        """Bill the runs of v2 that have ended. To be called before anyone looks at money or records."""
        self.runs.settle(self.elapsed())

    def change_account(self, change: AccountChange) -> None:
        """Takes effect with the next call."""
        self.settle_runs()
        self.account.change(change)

    def set_rules(self, rules: Iterable[Rule], *, append: bool) -> None:
        """Replaces the rules, or adds behind them."""
        if append:
            self.script.append(rules)
        else:
            self.script = Script(rules, self.config.seed)

    def set_model(self, slug: str, state: ModelState) -> None:
        """What the API says about a model of the registry from now on."""
        self.models[slug] = state

    def set_limit(self, limit: Limit) -> None:
        """Begins counting anew."""
        self.limit = limit
        self.limiter = limiter(limit)

    def set_latency(self, latency: Latency) -> None:
        """Takes effect with the next call."""
        self._latency = latency

    def draw_latency(self, text: str) -> float:
        """Seconds that the next call takes, which asks for `text`."""
        if self.config.latency_by_text:
            return self._latency.of_text(self.config.seed, text)
        return self._latency.draw(self._rng)

    def request_id(self, number: int) -> str:
        """The id of the call of that number: 32 hex digits."""
        return hashlib.sha256(f"{self.config.seed}/{number}".encode()).hexdigest()[:32]
