"""Takes that are listened to: suspicious ones are bought again, then judged by each other; nothing else is held up."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import PRICE, Workshop
from tests.long_texts import sentence
from worker.acceptance.findings import Reason, Rung
from worker.acceptance.reference import reference
from worker.audio.gate import GateLimits
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Take
from worker.emulator.voice.synthesis import Utterance, speak
from worker.execution.hearing import Listener, Rates
from worker.execution.listening.messages import Tools
from worker.execution.listening.pool import ListeningPool
from worker.execution.suspicion import CODE
from worker.maintenance.rate_learner import RateLearner
from worker.store import takes
from worker.store.queries import filters
from worker.store.takes import Mark, TakeRecord
from worker.store.transitions import purges

SUCCEEDED, FAILED, QUEUED = JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.QUEUED
TEXT: Final = f"{sentence(1)} {sentence(2)}"
VOICE: Final = "Kore"
TAKES: Final = 40
BYTES_PER_SECOND: Final = 48_000


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """It speaks."""
    return EmulatorConfig()


@pytest.fixture
def limits() -> GateLimits:
    """Takes are judged."""
    return GateLimits()


@pytest.fixture(scope="module")
def processes() -> Iterator[ListeningPool]:
    pool = ListeningPool(1, {"PATH": os.environ["PATH"]})
    yield pool
    pool.close()


def listening(shop: Workshop, processes: ListeningPool, *, keeps_best: bool = True) -> Workshop:
    """The workshop, with a worker that knows how long the voice takes by counted characters."""
    tools = Tools(espeak="none")
    shop.executor.context.listener = Listener((Rung.RATE,), tools, processes, Rates(shop.database), keeps_best)
    heard(shop, shop.job(text="Earlier."), TAKES)
    RateLearner(shop.database).run_once()
    return shop


def heard(shop: Workshop, job: UUID, count: int, *, faster: float = 1.0) -> None:
    """Accepted takes of one voice, as a worker records them."""
    with shop.database.begin() as connection:
        for number in range(1, count + 1):
            text = " ".join(sentence(number * 7 + place) for place in range(1 + number % 4))
            expected = reference(text)
            assert expected is not None
            seconds = len(speak(Utterance(text, VOICE))) / BYTES_PER_SECOND / faster
            at = datetime.now(UTC) - timedelta(minutes=count - number)
            record = TakeRecord(
                job, number, "default", None, shop.row(job).model, VOICE, "en", at, accepted=True, suspicious=False,
                seconds=seconds, findings="[]", source=str(expected.source), reference=expected.seconds,
            )  # fmt: skip
            takes.record(connection, record)


def known(shop: Workshop, job: UUID) -> list[TakeRecord]:
    with shop.database.read() as connection:
        return takes.of_jobs(connection, [job])


def cut(shop: Workshop, *shares: float) -> None:
    """Each take of a text in turn stops after such a share of its speech."""
    rules = [
        Rule(effect=Effect(take=Take.TRUNCATED, share=share), match=Match(nth_of_text=(number,)))
        for number, share in enumerate(shares, 1)
    ]
    shop.emulator.admin.rules(rules)


def test_a_suspicious_take_is_kept_and_bought_again(shop_on_both: Workshop, processes: ListeningPool) -> None:
    """The ledger names reason, length and score; the good take that follows is the job's."""
    shop = listening(shop_on_both, processes)
    cut(shop, 0.8)
    job = shop.job(text=TEXT, voice_1=VOICE)
    first = shop.run(job)
    assert (first.status, first.takes_used, first.cost) == (QUEUED, 1, PRICE)
    (attempt,) = shop.books(job)
    refused = shop.audio / f"default/jobs/refused/{job}.1.wav"
    assert (attempt.verdict, attempt.code, attempt.take_uri) == (VerdictKind.BAD_TAKE, CODE, refused.as_uri())
    assert "shorter than this voice takes" in attempt.message
    assert attempt.detail.startswith("suspect rate too_short; length ")
    row = shop.run(job)
    assert (row.status, row.code, row.cost, row.takes_used) == (SUCCEEDED, None, 2 * PRICE, 1)
    bad, good = known(shop, job)
    assert (bad.accepted, bad.suspicious, bad.rung, bad.reason) == (False, True, Rung.RATE, Reason.TOO_SHORT)
    assert (good.accepted, good.suspicious, good.rung) == (True, False, None)
    assert '"score": ' in good.findings
    assert shop.spooled() == []


def test_two_takes_that_agree_count_as_right(shop: Workshop, processes: ListeningPool) -> None:
    """What a text itself makes suspicious comes again: a third take would say no more. The ledger has the doubt."""
    listening(shop, processes)
    cut(shop, 0.8, 0.8)
    job = shop.job(text=TEXT, voice_1=VOICE)
    shop.run(job)
    row = shop.run(job)
    assert (row.status, row.code, row.message, row.cost) == (SUCCEEDED, None, None, 2 * PRICE)
    assert [attempt.code for attempt in shop.books(job)] == [CODE, "takes_agree"]
    assert [take.reference is not None for take in known(shop, job)] == [False, True]


def test_the_best_of_suspicious_takes_is_flagged(shop_on_both: Workshop, processes: ListeningPool) -> None:
    """It may be an earlier one, which was kept; the last one is kept in its place. All were paid for."""
    shop = listening(shop_on_both, processes)
    cut(shop, 0.7, 0.85, 0.78)
    job = shop.job(text=TEXT, voice_1=VOICE)
    rows = [shop.run(job) for _ in range(3)]
    assert [row.status for row in rows] == [QUEUED, QUEUED, SUCCEEDED]
    row = rows[-1]
    assert (row.code, row.cost) == (CODE, 3 * PRICE)
    assert "may be wrong" in row.message
    uris = [attempt.take_uri for attempt in shop.books(job)]
    assert uris == [(shop.audio / f"default/jobs/refused/{job}.{number}.wav").as_uri() for number in (1, 2, 3)]
    second = shop.audio / f"default/jobs/refused/{job}.2.wav"
    assert shop.file(job).read_bytes() == second.read_bytes()
    assert shop.spooled() == []
    assert shop.emulator.state().billed == row.cost


def test_without_the_earlier_take_the_last_one_is_flagged(shop: Workshop, processes: ListeningPool) -> None:
    listening(shop, processes)
    cut(shop, 0.7, 0.85, 0.78)
    job = shop.job(text=TEXT, voice_1=VOICE)
    shop.run(job)
    shop.run(job)
    (shop.audio / f"default/jobs/refused/{job}.2.wav").unlink()
    row = shop.run(job)
    assert (row.status, row.code) == (SUCCEEDED, CODE)
    assert [attempt.take_uri is None for attempt in shop.books(job)] == [False, False, True]


def test_a_job_may_fail_instead(shop: Workshop, processes: ListeningPool) -> None:
    listening(shop, processes, keeps_best=False)
    cut(shop, 0.7, 0.85, 0.78)
    job = shop.job(text=TEXT, voice_1=VOICE)
    row = [shop.run(job) for _ in range(3)][-1]
    assert (row.status, row.code, row.cost, row.uri) == (FAILED, CODE, 3 * PRICE, None)


def test_listening_that_breaks_refuses_nothing(shop: Workshop) -> None:
    """The take is as good as without; the next one has a process again."""
    own = ListeningPool(1, {})
    listening(shop, own)
    cut(shop, 1.0, 0.8)
    shop.run(shop.job(text=TEXT, voice_1=VOICE))
    os.kill(own._idle[0].pid, signal.SIGKILL)
    with capture_logs() as logs:
        row = shop.run(shop.job(text=TEXT, voice_1=VOICE, use_cache=False))
    own.close()
    assert (row.status, row.code) == (SUCCEEDED, None)
    assert [entry["event"] for entry in logs if entry["event"].startswith("listening")] == ["listening_failed"]


def test_a_rate_is_learned_and_reset(shop: Workshop, processes: ListeningPool) -> None:
    """Takes that a listener calls bad don't count, nor those before a reset: then it judges nothing."""
    listening(shop, processes)
    with shop.database.begin() as connection:
        (found,) = takes.rates(connection)
        assert (found.count, found.of.voice, round(found.b, 1)) == (TAKES, VOICE, 0.9)
        some = takes.latest(connection, found.of)[:5]
        for take in some:
            takes.mark(connection, take, Mark.BAD)
    RateLearner(shop.database).run_once()
    with shop.database.begin() as connection:
        (found,) = takes.rates(connection)
        assert found.count == TAKES - len(some)
        assert takes.reset_rates(connection, [found], now=datetime.now(UTC)) == 1
        takes.mark(connection, some[0], Mark.GOOD)
    RateLearner(shop.database).run_once()
    with shop.database.read() as connection:
        assert [one.count for one in takes.rates(connection)] == [0]
    cut(shop, 0.8)
    assert shop.run(shop.job(text=TEXT, voice_1=VOICE)).status == SUCCEEDED


def test_sentences_are_removed_with_the_text(shop: Workshop) -> None:
    job = shop.run(shop.job(text=TEXT)).id
    take = TakeRecord(
        job, 1, "default", None, "m", "", "en", datetime.now(UTC), accepted=True, suspicious=True, seconds=1.0,
        findings="[]", sentence="Private.",
    )  # fmt: skip
    with shop.database.begin() as connection:
        takes.record(connection, take)
        takes.mark(connection, take, Mark.GOOD)
        purges.ask(connection, filters.selection(job_ids=(job,)), now=shop.database.now(connection))
        purges.blank(connection, purges.asked_for(connection, [job]), now=shop.database.now(connection))
    (found,) = known(shop, job)
    assert (found.sentence, found.mark, found.seconds) == (None, "good", 1.0)
    assert Decimal(shop.row(job).cost) == PRICE
