"""Polls a submitted request until its run finishes or times out. Never submits."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final, TypeGuard

from urllib3.exceptions import HTTPError

from worker.concurrency.futures import wait_for
from worker.segmind.answers import Answer, Failure
from worker.segmind.api import Api
from worker.segmind.errors import BrokenBodyError
from worker.segmind.reader import Reader
from worker.segmind.transport import call_failure
from worker.segmind.v2_replies import Page, Stage
from worker.segmind.verdict_table import Poll, poll_refused

GROWTH: Final = 1.5
_MAX_GROWTHS: Final = 64
"""Keeps the power finite."""

FAILURE_CAP_SECONDS: Final = 30.0
"""Maximum that failing polls add to a wait."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """Frequent polls at first, when most runs finish, then steady; failing polls back off with jitter."""

    first_seconds: float
    last_seconds: float

    def wait(self, polls: int, failures: int, rng: random.Random) -> float:
        """Seconds before the next poll, after `polls` polls of which the last `failures` failed."""
        steady = min(self.last_seconds, self.first_seconds * GROWTH ** min(polls, _MAX_GROWTHS))
        if not failures:
            return steady
        return steady + rng.uniform(0, min(FAILURE_CAP_SECONDS, steady * 2.0 ** min(failures, _MAX_GROWTHS)))


POLL_READ_SECONDS: Final = 30.0
"""Read timeout of a status, which is a few hundred bytes."""

GONE_POLLS: Final = 3
"""Consecutive polls that must miss the record before it counts as expired, because the text is then bought anew.

A new record, or a gateway during deployment, may be missed once.
"""

Seen = Page | Answer
"""The result of a poll: a reply, or an error."""


@dataclass(frozen=True, slots=True)
class Run:
    request_id: str
    status_target: str
    result_target: str

    def answer(self, failure: Failure, message: str = "", *, spent: bool = False) -> Answer:
        """The answer for polling that ended without a result."""
        return Answer(failure=failure, sent=True, message=message, request_id=self.request_id, handle_spent=spent)


def run_at(api: Api, request_id: str, page: Page | None = None) -> Run:
    """The run of this id; URLs in `page` are used only if they point to the API itself."""
    given = page.field if page is not None else lambda _: None
    status = api.own_target(given("status_url")) or api.own_target(given("poll_url"))
    result = api.own_target(given("response_url"))
    return Run(
        request_id,
        status or api.target("v2", "requests", request_id, "status"),
        result or api.target("v2", "requests", request_id),
    )


@dataclass(frozen=True, slots=True)
class PollState:
    polls: int = 0
    failures: int = 0
    """Consecutive failed polls."""
    misses: int = 0
    """Consecutive polls that found no record."""

    def after(self, seen: Seen) -> PollState:
        refused = isinstance(seen, Answer) or seen.stage is Stage.REFUSED
        gone = isinstance(seen, Page) and refused and poll_refused(seen.answer.status) is Poll.GONE
        return PollState(self.polls + 1, self.failures + 1 if refused else 0, self.misses + 1 if gone else 0)


@dataclass(frozen=True, slots=True)
class Poller:
    api: Api
    reader: Reader
    cadence: Cadence
    run_timeout: float
    """Seconds after which an unfinished run is left to a later attempt."""
    pause: Callable[[float], Future[bool]]
    """Waits; resolves to True if the worker is stopping."""
    monotonic: Callable[[], float]
    rng: random.Random

    async def follow(self, run: Run, *, wait: float) -> Seen:
        """Return the page with the run's output, or an `Answer`. `wait` seconds precede the first poll."""
        deadline = self.monotonic() + self.run_timeout
        state, status = PollState(), None
        while True:
            if wait > 0 and await wait_for(self.pause(wait)):
                return run.answer(Failure.INTERRUPTED)
            seen = await self._ask(run, status)
            if status is None and _is_complete(seen):
                # The status has no output: from now on, poll the result URL, immediately.
                state, status, wait = PollState(), seen, 0.0
                continue
            state = state.after(seen)
            if (end := self._end(run, seen, state)) is not None:
                return end
            wait = self._next_wait(seen, state)
            if self.monotonic() + wait > deadline:
                return run.answer(Failure.UNFINISHED, self._message(seen))

    def failed(self, run: Run, page: Page) -> Answer:
        return replace(
            page.answer,
            failure=Failure.FAILED,
            message=self.reader.said(page),
            codes=self.reader.codes(page.document),
            request_id=run.request_id,
            handle_spent=True,
        )

    async def _ask(self, run: Run, status: Page | None) -> Seen:
        """Poll the status, or the output once the status is complete."""
        target, seconds = (run.status_target, POLL_READ_SECONDS) if status is None else (run.result_target, None)
        try:
            with await self.api.get(target, read_seconds=seconds) as response:
                page = self.reader.page(response)
        except HTTPError as error:
            return self.reader.unanswered(call_failure(error), error)
        except BrokenBodyError as error:
            return Answer(failure=error.failure)
        return page if status is None else page.completing(status)

    def _end(self, run: Run, seen: Seen, state: PollState) -> Seen | None:
        """The result that ends the polling; None to continue."""
        if isinstance(seen, Answer):
            return _too_large(run, seen) if seen.failure is Failure.TOO_LARGE else None
        refused = poll_refused(seen.answer.status)
        match seen.stage:
            case Stage.COMPLETED:
                return seen
            case Stage.FAILED | Stage.REFUSED if refused is Poll.STOP:
                # The run's cost is recorded once, by the attempt that finishes it.
                return replace(seen.answer, request_id=run.request_id, cost=None)
            case Stage.FAILED:
                return self.failed(run, seen)
            case Stage.REFUSED if state.misses >= GONE_POLLS:
                return replace(run.answer(Failure.EXPIRED, seen.answer.message, spent=True), status=seen.answer.status)
        return None

    def _next_wait(self, seen: Seen, state: PollState) -> float:
        wait = self.cadence.wait(state.polls, state.failures, self.rng)
        reset_at = seen.answer.reset_at if isinstance(seen, Page) else None
        return wait if reset_at is None else max(wait, (reset_at - self.reader.clock()).total_seconds())

    def _message(self, seen: Seen) -> str:
        return seen.message if isinstance(seen, Answer) else seen.answer.message or self.reader.said(seen)


def _is_complete(seen: Seen) -> TypeGuard[Page]:
    """Whether the run is complete and its output must be fetched from another URL."""
    return isinstance(seen, Page) and seen.stage is Stage.COMPLETED and not seen.has_output


def _too_large(run: Run, seen: Answer) -> Answer:
    """The output exceeds the limit; fetching it again can't help."""
    return replace(seen, status=200, sent=True, request_id=run.request_id, handle_spent=True)
