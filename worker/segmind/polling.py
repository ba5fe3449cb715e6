"""Follows a submitted request until its run is over, or its time is. Only ever asks; it never submits."""

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
_MOST_GROWTHS: Final = 64
"""Beyond any use; powers much higher than this are no numbers any more."""

TROUBLE_CAP_SECONDS: Final = 30.0
"""The most that failing polls add to a wait."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """Polls come quickly at first, when most runs end, then steadily; failing ones back off with jitter."""

    first_seconds: float
    last_seconds: float

    def wait(self, polls: int, troubles: int, rng: random.Random) -> float:
        """Seconds before the next poll, after `polls` of them of which the last `troubles` failed in a row."""
        steady = min(self.last_seconds, self.first_seconds * GROWTH ** min(polls, _MOST_GROWTHS))
        if not troubles:
            return steady
        return steady + rng.uniform(0, min(TROUBLE_CAP_SECONDS, steady * 2.0 ** min(troubles, _MOST_GROWTHS)))


POLL_READ_SECONDS: Final = 30.0
"""For a status to be answered: it is a few hundred bytes."""

GONE_POLLS: Final = 3
"""So many polls in a row must miss the record before it counts as expired, because the text is then bought anew.

A record that was made a moment ago, or a gateway that is being changed, may miss it once.
"""

Seen = Page | Answer
"""What a poll brought: a reply, or why there was none."""


@dataclass(frozen=True, slots=True)
class Run:
    """A submitted request, and where the API tells of it."""

    request_id: str
    status_target: str
    result_target: str

    def answer(self, failure: Failure, words: str = "", *, spent: bool = False) -> Answer:
        """An end of the polling without a result."""
        return Answer(failure=failure, sent=True, message=words, request_id=self.request_id, handle_spent=spent)


def run_at(api: Api, request_id: str, page: Page | None = None) -> Run:
    """The run of this id; addresses that `page` gives are taken where they lie at the API itself."""
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
    """How the polling of one run went so far."""

    polls: int = 0
    troubles: int = 0
    """Polls that failed, in a row."""
    misses: int = 0
    """Polls that found no record, in a row."""

    def after(self, seen: Seen) -> PollState:
        """With one more poll."""
        refused = isinstance(seen, Answer) or seen.stage is Stage.REFUSED
        gone = isinstance(seen, Page) and refused and poll_refused(seen.answer.status) is Poll.GONE
        return PollState(self.polls + 1, self.troubles + 1 if refused else 0, self.misses + 1 if gone else 0)


@dataclass(frozen=True, slots=True)
class Poller:
    """Polls for one account."""

    api: Api
    reader: Reader
    cadence: Cadence
    run_timeout: float
    """Seconds after which a run that isn't over is left to a later attempt."""
    pause: Callable[[float], Future[bool]]
    """Waits so many seconds; True says that the worker is stopping."""
    monotonic: Callable[[], float]
    rng: random.Random

    async def follow(self, run: Run, *, wait: float) -> Seen:
        """The page with the run's output; an `Answer` in every other case. `wait` comes before the first poll."""
        deadline = self.monotonic() + self.run_timeout
        course, status = PollState(), None
        while True:
            if wait > 0 and await wait_for(self.pause(wait)):
                return run.answer(Failure.INTERRUPTED)
            seen = await self._ask(run, status)
            if status is None and _is_over(seen):
                # The status comes without the output. That is asked for at once, and from now on instead.
                course, status, wait = PollState(), seen, 0.0
                continue
            course = course.after(seen)
            if (end := self._end(run, seen, course)) is not None:
                return end
            wait = self._next_wait(seen, course)
            if self.monotonic() + wait > deadline:
                return run.answer(Failure.UNFINISHED, self._words(seen))

    def failed(self, run: Run, page: Page) -> Answer:
        """The run ended without output."""
        return replace(
            page.answer,
            failure=Failure.FAILED,
            message=self.reader.said(page),
            codes=self.reader.codes(page.document),
            request_id=run.request_id,
            handle_spent=True,
        )

    async def _ask(self, run: Run, status: Page | None) -> Seen:
        """How the run stands; or its output, once its status is known to be there."""
        target, seconds = (run.status_target, POLL_READ_SECONDS) if status is None else (run.result_target, None)
        try:
            with await self.api.get(target, read_seconds=seconds) as response:
                page = self.reader.page(response)
        except HTTPError as error:
            return self.reader.unanswered(call_failure(error), error)
        except BrokenBodyError as error:
            return Answer(failure=error.failure)
        return page if status is None else page.completing(status)

    def _end(self, run: Run, seen: Seen, course: PollState) -> Seen | None:
        """What ends the polling; None to go on."""
        if isinstance(seen, Answer):
            return _too_large(run, seen) if seen.failure is Failure.TOO_LARGE else None
        refused = poll_refused(seen.answer.status)
        match seen.stage:
            case Stage.COMPLETED:
                return seen
            case Stage.FAILED | Stage.REFUSED if refused is Poll.STOP:
                # What the run cost is named once, by the attempt that ends it.
                return replace(seen.answer, request_id=run.request_id, cost=None)
            case Stage.FAILED:
                return self.failed(run, seen)
            case Stage.REFUSED if course.misses >= GONE_POLLS:
                return replace(run.answer(Failure.EXPIRED, seen.answer.message, spent=True), status=seen.answer.status)
        return None

    def _next_wait(self, seen: Seen, course: PollState) -> float:
        wait = self.cadence.wait(course.polls, course.troubles, self.rng)
        reset_at = seen.answer.reset_at if isinstance(seen, Page) else None
        return wait if reset_at is None else max(wait, (reset_at - self.reader.clock()).total_seconds())

    def _words(self, seen: Seen) -> str:
        return seen.message if isinstance(seen, Answer) else seen.answer.message or self.reader.said(seen)


def _is_over(seen: Seen) -> TypeGuard[Page]:
    """Whether the run is completed and its output lies elsewhere."""
    return isinstance(seen, Page) and seen.stage is Stage.COMPLETED and not seen.has_output


def _too_large(run: Run, seen: Answer) -> Answer:
    """The output is over the cap; asked for again, it would be so again."""
    return replace(seen, status=200, sent=True, request_id=run.request_id, handle_spent=True)
