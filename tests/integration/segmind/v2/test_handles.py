"""Handles of v2: kept before the first poll, resumed by a later attempt, expired or failed."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from pathlib import Path

import pytest

from api_models.verdict import VerdictKind
from tests.integration.segmind.v2.scripted import (
    COMPLETED,
    OUTPUT,
    PRICE,
    QUEUED,
    SPEECH,
    bare,
    page,
    paths,
    polls,
)
from tests.integration.segmind_clients import KEY, Notes, Time, make_v2
from tests.servers.bare import BareServer
from worker.concurrency.futures import run_here
from worker.concurrency.reactor import Reactor
from worker.concurrency.stop_event import StopEvent
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Step
from worker.emulator.ledger import text_hash
from worker.emulator.server import Emulator
from worker.segmind.answers import Failure
from worker.segmind.v2 import ClientV2
from worker.segmind.verdicts import verdict


class TestHandle:
    """What is kept, when, and what a later attempt does with it."""

    def test_the_handle_is_kept_before_the_first_poll(self, client: ClientV2, emulator: Emulator, spool: Path) -> None:
        """When it is kept, one text was submitted and no poll was made; it names the run that is billed."""
        seen: list[tuple[int, int]] = []

        def look() -> None:
            state = emulator.state()
            seen.append((state.submits, state.polls))

        notes = Notes(on_keep=look)
        answer = run_here(client.synthesize(SPEECH, spool, notes))
        assert seen == [(1, 0)]
        assert notes.kept == [answer.request_id] == [emulator.state().bill[0].request_id]

    def test_a_handle_that_cant_be_kept_stops_everything(
        self, client: ClientV2, emulator: Emulator, spool: Path
    ) -> None:
        """What keeping raises passes through; nothing was polled, nothing is left in the spool."""

        def fail() -> None:
            raise ConnectionError("the database is away")

        with pytest.raises(ConnectionError):
            run_here(client.synthesize(SPEECH, spool, Notes(on_keep=fail)))
        assert (emulator.state().submits, emulator.state().polls) == (1, 0)
        assert not list(spool.parent.iterdir())

    def test_a_later_attempt_polls_and_never_submits(
        self, client: ClientV2, emulator: Emulator, spool: Path, time: Time
    ) -> None:
        """With a handle nothing is submitted, nothing kept again, and the first poll comes at once."""
        first = run_here(client.synthesize(SPEECH, spool.with_name("first")))
        notes = Notes(first.request_id)
        time.waits.clear()
        again = run_here(client.synthesize(SPEECH, spool, notes))
        assert (again.audio, again.cost, again.request_id) == (spool, PRICE, first.request_id)
        assert spool.read_bytes() == spool.with_name("first").read_bytes()
        assert (notes.kept, time.waits) == ([], [])
        state = emulator.state()
        assert (state.submits, state.billed_texts) == (1, {text_hash(SPEECH.text): 1})

    def test_a_stopping_worker_leaves_the_run_to_another(self, emulator: Emulator, spool: Path) -> None:
        """Polling stops at once, no attempt is used up, and the next worker gets the paid take."""
        polls(emulator, Effect(word="PROCESSING"), nth=(1, 2, 3))
        notes = Notes()
        with contextlib.closing(make_v2(emulator.base_url, time=Time(stops_after=2))) as stopping:
            answer = run_here(stopping.synthesize(SPEECH, spool, notes))
        found = verdict(answer)
        assert (answer.failure, answer.request_id, answer.handle_spent) == (
            Failure.INTERRUPTED,
            notes.request_id,
            False,
        )
        assert (found.kind, found.code, found.counts) == (VerdictKind.RELEASED, "interrupted", False)
        assert (found.possibly_billed, found.handle_spent) == (False, False)
        assert not list(spool.parent.iterdir())
        with contextlib.closing(make_v2(emulator.base_url)) as successor:
            assert run_here(successor.synthesize(SPEECH, spool, notes)).audio == spool
        assert (emulator.state().submits, emulator.state().billed_calls) == (1, 1)

    def test_a_worker_that_stops_breaks_the_wait_off(self, emulator: Emulator, spool: Path) -> None:
        """A `StopEvent` that is set breaks off the wait for the next poll."""
        stopping = StopEvent(Reactor())
        stopping.set()
        with contextlib.closing(make_v2(emulator.base_url, pause=stopping.pause)) as client:
            assert run_here(client.synthesize(SPEECH, spool, Notes())).failure is Failure.INTERRUPTED
        assert emulator.state().polls == 0

    def test_a_run_that_takes_too_long_is_left_to_a_later_attempt(
        self, emulator: Emulator, spool: Path, time: Time
    ) -> None:
        """After its time polling ends with the handle kept; the next attempt polls on, and all is bought once."""
        polls(emulator, Effect(word="PROCESSING"), nth=range(1, 100))
        notes = Notes()
        with contextlib.closing(make_v2(emulator.base_url, time=time, run_timeout=60)) as client:
            answer = run_here(client.synthesize(SPEECH, spool, notes))
        assert (answer.failure, answer.request_id) == (Failure.UNFINISHED, notes.request_id)
        assert 50 < time.elapsed <= 60
        found = verdict(answer)
        assert (found.kind, found.code, found.counts) == (VerdictKind.RETRY, "run_unfinished", True)
        assert (found.possibly_billed, found.handle_spent) == (False, False)
        emulator.admin.rules([])
        with contextlib.closing(make_v2(emulator.base_url)) as client:
            assert run_here(client.synthesize(SPEECH, spool, notes)).audio == spool
        assert emulator.state().billed_texts == {text_hash(SPEECH.text): 1}

    @pytest.mark.parametrize("named", ["a/b?c#d", "../../v1/x", "x" * 199])
    def test_strange_ids_stay_one_part_of_the_path(self, spool: Path, named: str) -> None:
        """An id is a name, never a path."""
        with bare(page(request_id=named, status="QUEUED"), OUTPUT) as (client, server):
            assert run_here(client.synthesize(SPEECH, spool, Notes())).request_id == named
        assert server.requests[1].split(b" ")[1].count(b"/") == 4

    def test_a_handle_of_another_life_is_polled_below_the_path_of_the_address(self, spool: Path) -> None:
        """A later attempt knows the id alone, and builds the addresses itself."""
        with BareServer([COMPLETED, OUTPUT]) as server:
            with contextlib.closing(make_v2(f"{server.base_url}/gateway/")) as client:
                run_here(client.synthesize(SPEECH, spool, Notes("r-1")))
            assert paths(server) == ["GET /gateway/v2/requests/r-1/status", "GET /gateway/v2/requests/r-1"]


class TestExpiry:
    """A record that isn't there."""

    @pytest.mark.parametrize("status", [404, 410])
    def test_an_expired_record_is_spent(self, client: ClientV2, emulator: Emulator, spool: Path, status: int) -> None:
        """What was paid can't be told, and the next attempt submits anew."""
        polls(emulator, Effect(status=status, message="Request not found or expired"))
        answer = run_here(client.synthesize(SPEECH, spool, Notes("gone-1")))
        assert (answer.failure, answer.status, answer.request_id) == (Failure.EXPIRED, 404, "gone-1")
        found = verdict(answer)
        assert (found.kind, found.code, found.counts) == (VerdictKind.RETRY, "request_expired", True)
        assert (found.possibly_billed, found.handle_spent, answer.handle_spent) == (True, True, True)
        assert "expired" in found.message
        assert emulator.state().submits == 0
        assert not list(spool.parent.iterdir())

    def test_the_emulators_records_expire(self, spool: Path) -> None:
        """The vendor forgets a request after its time; the text is then paid for again, and flagged."""
        with Emulator(EmulatorConfig(key=KEY, record_seconds=1e-9)) as forgetful:
            with contextlib.closing(make_v2(forgetful.base_url)) as client:
                answer = run_here(client.synthesize(SPEECH, spool, notes := Notes()))
            assert (verdict(answer).code, answer.request_id) == ("request_expired", notes.request_id)
            assert forgetful.state().billed_calls == 1

    def test_one_miss_is_no_expiry(self, client: ClientV2, emulator: Emulator, spool: Path) -> None:
        """A record that is missed now and then, and there in between, is never bought again."""
        missed = Rule(match=Match(step=Step.POLL, nth=(1, 2, 4, 5)), effect=Effect(status=404))
        emulator.admin.rules([missed, Rule(match=Match(step=Step.POLL), effect=Effect(word="QUEUED"), times=2)])
        answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.audio, answer.handle_spent) == (spool, False)
        assert emulator.state().billed_texts == {text_hash(SPEECH.text): 1}

    def test_a_result_that_is_gone_is_expired_too(self, spool: Path) -> None:
        """The status may outlive the result."""
        gone = page("404 Not Found", error="Request not found or expired")
        with bare(COMPLETED, gone, gone, gone) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool, Notes("r-1")))
        assert (answer.failure, answer.handle_spent) == (Failure.EXPIRED, True)


class TestFailedRuns:
    """FAILED, wherever and however it is said."""

    @pytest.mark.parametrize("status", [422, 200, 500])
    def test_a_failed_run_is_tried_again(self, client: ClientV2, emulator: Emulator, spool: Path, status: int) -> None:
        """Under whatever HTTP status: its words are kept, it isn't billed, and the next attempt submits anew."""
        effect = Effect(run_fails=True, failed_status=status, message="the voice box is jammed")
        emulator.admin.rules([Rule(effect=effect, times=1)])
        notes = Notes()
        answer = run_here(client.synthesize(SPEECH, spool, notes))
        assert (answer.failure, answer.message, answer.cost) == (Failure.FAILED, "the voice box is jammed", Decimal(0))
        assert (answer.request_id, answer.handle_spent) == (notes.request_id, True)
        found = verdict(answer)
        assert (found.kind, found.code, found.possibly_billed) == (VerdictKind.RETRY, "run_failed", False)
        assert found.handle_spent is True
        assert run_here(client.synthesize(SPEECH, spool)).audio == spool
        assert emulator.state().billed_texts == {text_hash(SPEECH.text): 1}

    def test_failed_at_once(self, spool: Path) -> None:
        """A submission may be answered by the failure of its run."""
        with bare(page("422 Unprocessable", request_id="r-1", status="FAILED", error="no")) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool, notes := Notes()))
        assert (answer.failure, answer.message, answer.handle_spent) == (Failure.FAILED, "no", True)
        assert notes.kept == []

    def test_a_refusal_that_calls_itself_failed_is_a_refusal(self, spool: Path) -> None:
        """Without a request there was no run: the status decides."""
        with bare(page("400 Bad Request", status="FAILED", error="text is required")) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (verdict(answer).kind, verdict(answer).code) == (VerdictKind.REFUSED, "invalid_request")

    def test_failed_in_the_result(self, spool: Path) -> None:
        """A result may say otherwise than the status did."""
        failed = page("422 Unprocessable", request_id="r-1", status="FAILED", error="late")
        with bare(QUEUED, COMPLETED, failed) as (client, _):
            assert run_here(client.synthesize(SPEECH, spool)).failure is Failure.FAILED
