"""The store against its model, step by step, in whatever order Hypothesis thinks of: all statements, messages that come
twice or late, two dispatchers, workers that come, die and come back, and clocks that jump.

Each example lives in one transaction, which is rolled back: thousands of steps take seconds. What many transactions do
to one another is shown in `test_rivals`. `STORE_MACHINE_EXAMPLES=5000` makes a long run, at random instead of the same
every time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from api_models.status import TERMINAL, JobStatus
from api_models.verdict import VerdictKind
from tests.factories import some_audio
from tests.integration.store.dispatch_rules import (
    BATCHES,
    COSTS,
    ENDED,
    MAX_ATTEMPTS,
    WORKERS,
    DispatchRules,
    some,
)
from tests.integration.store_model import ZERO, ModelJob
from tests.thorough import thorough
from worker.store import workers
from worker.store.database import Database
from worker.store.transitions import (
    actions,
    dispatches,
    rescues,
)
from worker.store.transitions import (
    claims as job_claims,
)
from worker.store.transitions import (
    settlement as job_settlement,
)
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement

EXAMPLES: Final = int(os.environ.get("STORE_MACHINE_EXAMPLES", "0"))
STEPS: Final = 50


class StoreMachine(DispatchRules):
    """The whole machine: the workers' steps besides those of producers and dispatchers."""

    @rule(worker=some(WORKERS))
    def beat(self, worker: UUID) -> None:
        """A sign of life, of a worker that may have been given up."""
        if worker not in self.model.workers:
            self.sign_on(worker)
            return
        known = workers.beat(self.connection, worker, problem=None, stopping=False, now=self.now)
        self.same(known, self.model.beat(worker, self.now))

    @rule(worker=some(WORKERS[:2]))
    def sign_off(self, worker: UUID) -> None:
        """A worker leaves; with something under way its row stays, and it is missed."""
        workers.sign_off(self.connection, worker, now=self.now)
        self.model.sign_off(worker, self.now)
        self.same(None, None)

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        """A worker, known or given up, takes messages: new, late, and twice the same."""
        latest = self.messages[-4:]
        turns = data.draw(st.lists(some(latest) | some(self.messages), min_size=1, max_size=5))
        self._claim(turns, data.draw(some(sorted(self.model.workers))))

    def _claim(self, turns: Sequence[tuple[UUID, int]], worker: UUID) -> None:
        got = job_claims.claim_all(self.connection, turns, worker_id=worker, now=self.now)
        meant = self.model.claim(turns, worker, self.now)
        for claim in filter(None, got):
            twins = self.model.twins(claim.job_id) if claim.use_cache else set()
            assert claim.twin in twins or (claim.twin is None and not twins)
        self.claims += [claim for claim in got if claim]
        self.same([_as_said(claim) for claim in got], [_as_meant(job) for job in meant])

    @rule(worker=some(WORKERS[:2]), most=st.integers(1, 4))
    def go_on(self, worker: UUID, most: int) -> None:
        """As it should be: the most urgent jobs are sent, and a worker takes them, whatever old messages still come."""
        turns = self._dispatch_heads(most)
        old = [(job_id, number - 1) for job_id, number in turns if number]
        if turns:
            self._claim([*old, *turns, *turns[:1]], worker)

    def _dispatch_heads(self, most: int) -> list[tuple[UUID, int]]:
        lanes = dispatches.lanes(self.connection, most=50)
        heads = [head for lane in lanes for head in dispatches.heads(self.connection, lane, most=50)]
        assert {head.job_id for head in heads} == self.model.queued()
        urgency = [self.model.jobs[head.job_id].priority for head in heads]
        assert urgency == sorted(urgency, reverse=True)
        jobs = [head.job_id for head in heads[:most]]
        self._sent(
            dispatches.dispatch(self.connection, jobs, worker_id=None, now=self.now),
            self.model.dispatch(jobs, None, self.now),
        )
        return [(head.job_id, head.attempt) for head in heads[:most]]

    @rule(data=st.data(), worker=some(WORKERS[:2]), most=st.integers(1, 4))
    def carry_out(self, data: st.DataObject, worker: UUID, most: int) -> None:
        """Some are sent, taken and come to an end at once."""
        before = len(self.claims)
        self.go_on(worker, most)
        for claim in self.claims[before:]:
            self._settle(claim, self._settlement(data, claim))

    @rule(data=st.data(), worker=some(WORKERS[:2]))
    def fail(self, data: st.DataObject, worker: UUID) -> None:
        """All are tried, fail one way or the other, and are tried again."""
        before = len(self.claims)
        self.go_on(worker, most=1_000)
        for claim in self.claims[before:]:
            self._settle(claim, self._settlement(data, claim, endings=("refused", "bad take", "retry", "crash")))
        jobs = sorted(self.model.jobs)
        self.same(
            actions.retry(self.connection, actions.these(jobs), states=ENDED),
            self.model.retry(jobs, ENDED),
        )

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def keep_handle(self, data: st.DataObject) -> None:
        """A worker, late or not, has submitted a request (v2)."""
        claim = self._some_claim(data)
        self.handles += 1
        handle = f"handle-{self.handles}"
        job_claims.keep(self.connection, [(claim, handle)])
        self.model.keep_handle(claim, handle)
        self.same(None, None)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """An attempt ends, in time, late, or said for the second time. All ask first whether their jobs are theirs."""
        claim = self._some_claim(data)
        owned = job_claims.are_owned(self.connection, self.claims)
        assert owned == [self.model.is_owned(claim) for claim in self.claims]
        self._settle(claim, self._settlement(data, claim))

    def _settle(self, claim: Claim, settlement: Settlement) -> None:
        won = job_settlement.settle(self.connection, claim, settlement, now=self.now)
        self.same(won, self.model.settle(claim, settlement, self.now))

    @precondition(lambda self: len(self.claims) > 1)
    @rule(data=st.data())
    def settle_together(self, data: st.DataObject) -> None:
        """Attempts end at the same moment: they are written together, or one by one where a job was taken away."""
        claims = data.draw(st.lists(some(self.claims[-6:]), min_size=2, max_size=4, unique_by=lambda one: one.job_id))
        ended = [(claim, self._settlement(data, claim)) for claim in claims if not job_settlement.may_repeat(claim)]
        together = self.connection.begin_nested()
        won = job_settlement.settle_all_at_once(self.connection, ended, now=self.now) if ended else []
        if won is None or not all(won):
            together.rollback()
            for claim, settlement in ended:
                self._settle(claim, settlement)
        else:
            together.commit()
            self.same(won, [self.model.settle(claim, settlement, self.now) for claim, settlement in ended])

    def _settlement(self, data: st.DataObject, claim: Claim, endings: Sequence[str] = ()) -> Settlement:
        """Any ending, or any of these, that the rules allow for this claim."""
        last = claim.attempts_used >= MAX_ATTEMPTS
        known = endings or [name for name in _ENDINGS if name != "overtaken" or not self.model.is_owned(claim)]
        settlement = _ENDINGS[data.draw(some(known))](self.now)
        if last and settlement.counts and settlement.status not in TERMINAL:
            settlement = replace(settlement, status=JobStatus.FAILED, not_before=None)
        cost = ZERO if settlement.verdict in {VerdictKind.CACHED, VerdictKind.GATE} else data.draw(some(COSTS))
        request = data.draw(some((None, claim.request_id, f"request-{claim.job_id}-{claim.attempt}")))
        spent = data.draw(some((None, claim.request_id)))
        return replace(settlement, cost=cost, request_id=request, spent_handle=spent)

    @rule(data=st.data(), worker=some(WORKERS))
    def disown(self, data: st.DataObject, worker: UUID) -> None:
        """A worker finds jobs under its name that it doesn't hold."""
        jobs = self._some_jobs(data)
        running = set(job_claims.running_here(self.connection, worker)) & set(jobs)
        given_back = rescues.disown(self.connection, jobs, worker_id=worker)
        assert given_back == len(running)
        self.same(given_back, self.model.disown(jobs, worker))

    # What the rules draw from.

    def _some_claim(self, data: st.DataObject) -> Claim:
        return data.draw(some(self.claims[-4:]) | some(self.claims))

    # The end.

    def drain(self) -> None:
        """Whatever has happened: one worker that lives and one dispatcher that leads bring every job to its end."""
        alive, rounds = UUID(int=99), 0
        self.looking = False
        while not {job.status for job in self.model.jobs.values()} <= TERMINAL:
            rounds += 1
            assert rounds <= MAX_ATTEMPTS + 2
            self.now += timedelta(hours=2)
            (self.beat if alive in self.model.workers else self.sign_on)(alive)
            self.bury()
            self.do_chores()
            self._claim(self._dispatch_heads(most=1_000), alive)
            for claim in self.claims[::-1]:
                if self.model.is_owned(claim) and claim.worker_id == alive:
                    self._settle(claim, _ENDINGS["success"](self.now))
        self.read_news()
        self.read_news()
        self.before = self.model.jobs
        self.look()
        assert self.model.spent(BATCHES[0]) + self.model.spent(BATCHES[1]) == sum(
            (job.cost for job in self.model.jobs.values() if job.batch_id is not None), ZERO
        )


def _success(_: datetime) -> Settlement:
    return Settlement(JobStatus.SUCCEEDED, VerdictKind.SUCCESS, audio=some_audio())


def _back(verdict: VerdictKind, **changes: Any) -> Callable[[datetime], Settlement]:  # noqa: ANN401 - any of its fields
    plain = Settlement(JobStatus.QUEUED, verdict, code=str(verdict))
    return lambda _: replace(plain, **changes)


def _wait(verdict: VerdictKind, **changes: Any) -> Callable[[datetime], Settlement]:  # noqa: ANN401 - as above
    plain = Settlement(JobStatus.SCHEDULED, verdict, code=str(verdict))
    return lambda now: replace(plain, not_before=now + timedelta(seconds=7), **changes)


_ENDINGS: Final[dict[str, Callable[[datetime], Settlement]]] = {
    "success": _success,
    "copy": lambda now: replace(_success(now), verdict=VerdictKind.CACHED),
    "refused": _back(VerdictKind.REFUSED, status=JobStatus.FAILED),
    "bad take": _back(VerdictKind.BAD_TAKE, bad_take=True),
    "gate": _back(VerdictKind.GATE, counts=False),
    "pace": _back(VerdictKind.PACE, counts=False),
    "retry": _wait(VerdictKind.RETRY),
    "no connection": _wait(VerdictKind.RETRY, counts=False),
    "crash": _wait(VerdictKind.RETRY, recover=True),
    "handed back": _back(VerdictKind.RELEASED, counts=False, recover=True),
    "handed back for later": _wait(VerdictKind.RELEASED, counts=False, recover=True),
    "overtaken": _back(VerdictKind.LATE, counts=False, recover=True),
}


_SAID: Final = attrgetter(
    "attempt", "attempts_used", "takes_used", "recover", "request_id", "worker_id", "started_at", "use_cache"
)
"""What a claim says of its job, in the names of both."""


def _as_said(claim: Claim | None) -> tuple[UUID, tuple[object, ...]] | None:
    return None if claim is None else (claim.job_id, _SAID(claim))


def _as_meant(job: ModelJob | None) -> tuple[UUID, tuple[object, ...]] | None:
    return None if job is None else (job.id, _SAID(job))


def run(database: Database, *, examples: int) -> None:
    """Run `examples` examples; deterministic, unless a long run is requested."""
    run_state_machine_as_test(
        lambda: StoreMachine(database),  # type: ignore[arg-type]  # it only calls what it is given
        settings=settings(
            max_examples=EXAMPLES or examples,
            stateful_step_count=STEPS,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_sqlite_follows_the_model(on_sqlite: Database) -> None:
    """In every order of steps that was tried."""
    run(on_sqlite, examples=thorough(60, 24))


@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_postgresql_follows_the_model(on_postgresql: Database) -> None:
    """Likewise."""
    run(on_postgresql, examples=thorough(25, 12))
