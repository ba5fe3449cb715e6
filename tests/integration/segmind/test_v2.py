"""The polling client: what it keeps before it polls, what it makes of every poll, and that it never submits twice."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

import pytest

from api_models.registry import MODELS
from api_models.speech import Speech
from api_models.verdict import GateScope, VerdictKind
from tests.integration.segmind_clients import KEY, NOW, Notes, Time, make_v2
from tests.servers.bare import BareServer, Reply, reply, reset
from worker.concurrency.futures import run_here
from worker.concurrency.reactor import Reactor
from worker.concurrency.stop_event import StopEvent
from worker.emulator.api.reset_times import StampFormat
from worker.emulator.api.responses import Ending, OutputShape
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Step, Take
from worker.emulator.ledger import text_hash
from worker.emulator.server import Emulator
from worker.segmind.answers import Answer, Failure
from worker.segmind.errors import SpoolError
from worker.segmind.spool import PART_SUFFIX
from worker.segmind.v2 import ClientV2
from worker.segmind.verdicts import bad_take, verdict

SPEECH = Speech(text="Good evening, and welcome back.", voice_1="Puck")
PRICE = MODELS[SPEECH.model].price
PCM = b"\x00\x01" * 50
URI = "data:audio/wav;base64," + "AAEC" * 40


@pytest.fixture(scope="module")
def shared_emulator() -> Iterator[Emulator]:
    """One emulator for the module."""
    with Emulator(EmulatorConfig(key=KEY), clock=NOW.timestamp) as running:
        yield running


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    """The emulator as new."""
    shared_emulator.admin.reset()
    return shared_emulator


@pytest.fixture
def time() -> Time:
    """The client's waits."""
    return Time()


@pytest.fixture
def client(emulator: Emulator, time: Time) -> Iterator[ClientV2]:
    """A client of the emulator."""
    with contextlib.closing(make_v2(emulator.base_url, time=time)) as made:
        yield made


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where the take goes."""
    return tmp_path / "take"


@contextlib.contextmanager
def bare(
    *replies: bytes | Reply, time: Time | None = None, run_timeout: float = 600, max_audio_bytes: int = 8_000_000
) -> Iterator[tuple[ClientV2, BareServer]]:
    """A client of a server that sends these replies."""
    with BareServer(replies) as server:
        made = make_v2(server.base_url, time=time, run_timeout=run_timeout, max_audio_bytes=max_audio_bytes)
        with contextlib.closing(made):
            yield made, server


def page(http: str = "200 OK", /, **fields: object) -> bytes:
    """A reply in JSON."""
    return reply(http, json.dumps(fields).encode(), "Content-Type: application/json")


def paths(server: BareServer) -> list[str]:
    """Verb and path of every request."""
    return [request.split(b" HTTP/")[0].decode() for request in server.requests]


def polls(emulator: Emulator, effect: Effect, **match: object) -> None:
    """Polls from now on have this effect."""
    emulator.admin.rules([Rule(match=Match.model_validate({"step": Step.POLL} | match), effect=effect)])


QUEUED = page(request_id="r-1", status="QUEUED")
PROCESSING = page(request_id="r-1", status="PROCESSING", metrics={})
COMPLETED = page(request_id="r-1", status="COMPLETED", metrics={"inference_time": 7.5})
OUTPUT = page(request_id="r-1", status="COMPLETED", output=URI)


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


class TestPolling:
    """When and where the client polls, and what a poll's error leads to."""

    def test_polls_come_quickly_at_first_and_then_steadily(self, spool: Path, time: Time) -> None:
        """2 s, growing to 5 s; states that aren't known are polled on like those that are."""
        states = ["QUEUED", "PROCESSING", "WARMING_UP", "RETRYING", "processing"]
        replies = [page(request_id="r-1", status=state) for state in states]
        with bare(QUEUED, *replies, COMPLETED, OUTPUT, time=time) as (client, server):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert answer.audio == spool
        assert time.waits == [2.0, 3.0, 4.5, 5.0, 5.0, 5.0]
        assert len(server.requests) == 8
        assert server.connections == 1

    def test_an_unknown_state_is_polled_on(self, client: ClientV2, emulator: Emulator, spool: Path) -> None:
        """A word that isn't in the documentation ends nothing, even with something beside it."""
        polls(emulator, Effect(word="ALMOST"), nth=(1, 2, 3, 4))
        assert run_here(client.synthesize(SPEECH, spool)).audio == spool
        with bare(QUEUED, page(status="STREAMING", output=URI), COMPLETED, OUTPUT) as (other, server):
            assert run_here(other.synthesize(SPEECH, spool)).audio == spool
        assert len(server.requests) == 4

    def test_addresses_at_the_api_are_used_as_given(self, spool: Path) -> None:
        """Status and result are asked for where the API says, if that is its own host."""
        with BareServer([]) as server:
            server.give(
                page(
                    request_id="r-1",
                    status="QUEUED",
                    status_url=f"{server.base_url}/elsewhere/status?id=1",
                    response_url=f"{server.base_url}/elsewhere",
                ),
                COMPLETED,
                OUTPUT,
            )
            with contextlib.closing(make_v2(server.base_url)) as client:
                run_here(client.synthesize(SPEECH, spool))
        assert paths(server)[1:] == ["GET /elsewhere/status?id=1", "GET /elsewhere"]
        assert all(KEY.encode() in request for request in server.requests)

    def test_a_poll_address_alone_serves_too(self, spool: Path) -> None:
        """Where only the older address is named, it is polled; its answer may hold the output at once."""
        with BareServer([]) as server:
            server.give(page(request_id="r-1", status="QUEUED", poll_url=f"{server.base_url}/v1/requests/r-1"), OUTPUT)
            with contextlib.closing(make_v2(server.base_url)) as client:
                assert run_here(client.synthesize(SPEECH, spool)).audio == spool
        assert paths(server)[1:] == ["GET /v1/requests/r-1"]

    @pytest.mark.parametrize(
        "form",
        [
            "http://127.0.0.1:{other}/status",
            "http://localhost:{own}/status",
            "https://127.0.0.1:{own}/status",
            "http://x:y@127.0.0.1:{own}/status",
            "http://127.0.0.1:{own}@127.0.0.1:{other}/status",
            "/status",
            "ftp://127.0.0.1/status",
            "http://[::1/status",
            "",
        ],
    )
    def test_foreign_addresses_are_not_trusted(self, spool: Path, form: str) -> None:
        """Another host, port or scheme, a login, or no address at all: the usual ones are asked, and no one else."""
        with BareServer([PROCESSING]) as other, BareServer([]) as server:
            url = form.format(own=server.port, other=other.port)
            server.give(
                page(request_id="r-1", status="QUEUED", status_url=url, poll_url=url, response_url=url),
                COMPLETED,
                OUTPUT,
            )
            with contextlib.closing(make_v2(server.base_url)) as client:
                run_here(client.synthesize(SPEECH, spool))
            assert other.connections == 0
        assert paths(server)[1:] == ["GET /v2/requests/r-1/status", "GET /v2/requests/r-1"]

    @pytest.mark.parametrize(
        "effect",
        [
            {"status": 429, "message": "Too many requests"},
            {"status": 500},
            {"status": 502, "shape": "html"},
            {"status": 503, "shape": "empty"},
            {"status": 504},
            {"status": 400, "message": "Invalid request"},
            {"status": 405},
            {"status": 422, "message": "not yet"},
            {"ending": "reset"},
            {"ending": "cut", "share": 0.5},
        ],
    )
    def test_failed_polls_are_retried(
        self, client: ClientV2, emulator: Emulator, spool: Path, time: Time, effect: dict[str, object]
    ) -> None:
        """Nothing that befalls a poll makes anyone submit again; polls back off, and the audio comes in the end."""
        polls(emulator, Effect.model_validate(effect), nth=(1, 2, 3, 5))
        answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.audio, answer.cost) == (spool, PRICE)
        state = emulator.state()
        assert (state.submits, state.billed_texts) == (1, {text_hash(SPEECH.text): 1})
        assert time.waits[0] == 2.0
        assert all(wait >= steady for wait, steady in zip(time.waits, [2.0, 3.0, 4.5, 5.0], strict=False))
        assert sum(time.waits) > sum(wait for wait, _ in zip([2.0, 3.0, 4.5, 5.0, 5.0], time.waits, strict=False))

    def test_garbled_polls_are_made_again(self, spool: Path) -> None:
        """Bytes that are no HTTP, a connection that closes, a page of HTML or an empty body are no state."""
        html = reply("200 OK", b"<html>maintenance</html>")
        broken: list[bytes | Reply] = [b"SSH-2.0\r\n", b"", reset, html, reply("200 OK"), reply("200 OK", b"null")]
        with bare(QUEUED, *broken, COMPLETED, OUTPUT) as (client, server):
            assert run_here(client.synthesize(SPEECH, spool)).audio == spool
        assert sum(path.startswith("POST") for path in paths(server)) == 1

    def test_errors_without_end_are_left_to_a_later_attempt(self, client: ClientV2, emulator: Emulator) -> None:
        """An API that stays down is given up after the run's time, with its last words, and the handle kept."""
        polls(emulator, Effect(status=503, message="we are down"))
        spool = Path("take").absolute()
        notes = Notes()
        answer = run_here(client.synthesize(SPEECH, spool, notes))
        assert (answer.failure, answer.message) == (Failure.UNFINISHED, "we are down")
        assert answer.request_id == notes.request_id
        assert verdict(answer).handle_spent is False
        assert emulator.state().submits == 1

    def test_the_end_of_a_rate_limit_is_waited_for(self, spool: Path, time: Time) -> None:
        """A poll over the limit comes again when the API said, not before."""
        at = format_datetime(NOW + timedelta(seconds=40), usegmt=True)
        limited = reply("429 Too Many Requests", b"{}", f"x-rate-limit-reset-at-utc: {at}")
        with bare(QUEUED, limited, COMPLETED, OUTPUT, time=time) as (client, _):
            assert run_here(client.synthesize(SPEECH, spool)).audio == spool
        assert time.waits == [2.0, 40.0]

    def test_a_limit_that_outlasts_the_run_is_not_slept_through(self, spool: Path, time: Time) -> None:
        """A reset beyond the run's time frees the slot at once."""
        limited = reply("429 Too Many Requests", b"{}", "retry-after: 3000")
        with bare(QUEUED, limited, time=time, run_timeout=60) as (client, _):
            assert run_here(client.synthesize(SPEECH, spool)).failure is Failure.UNFINISHED
        assert time.waits == [2.0]

    @pytest.mark.parametrize(
        ("status", "message", "code", "scope"),
        [
            (401, "Invalid API key", "bad_key", GateScope.ACCOUNT),
            (403, "Insufficient permissions", "forbidden", GateScope.MODEL),
            (406, "Insufficient credits", "insufficient_credits", GateScope.ACCOUNT),
            (406, "Spend limit reached", "spend_limit", GateScope.ACCOUNT),
        ],
    )
    def test_an_account_error_on_a_poll(
        self, emulator: Emulator, spool: Path, *, status: int, message: str, code: str, scope: GateScope
    ) -> None:
        """The gate closes by the same table, no attempt is used up, and the handle leads on once it is mended."""
        polls(emulator, Effect(status=status, message=message))
        notes = Notes()
        with contextlib.closing(make_v2(emulator.base_url)) as client:
            answer = run_here(client.synthesize(SPEECH, spool, notes))
            found = verdict(answer)
            assert (found.kind, found.code, found.scope, found.counts) == (VerdictKind.GATE, code, scope, False)
            assert (answer.request_id, found.handle_spent, found.possibly_billed) == (notes.request_id, False, False)
            emulator.admin.rules([])
            assert run_here(client.synthesize(SPEECH, spool, notes)).audio == spool
        assert emulator.state().billed_texts == {text_hash(SPEECH.text): 1}

    def test_a_refused_key_is_no_failed_run(self, spool: Path) -> None:
        """A document with status FAILED is still an account error if its text says so."""
        body = page("401 Unauthorized", status="FAILED", error="Invalid API key")
        with bare(QUEUED, body) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool, Notes()))
        assert (verdict(answer).code, answer.handle_spent) == ("bad_key", False)

    def test_redirected_polls_are_not_followed(self, spool: Path) -> None:
        """The key goes nowhere else on a poll either."""
        with BareServer([]) as offload:
            moved = reply("302 Found", b"", f"Location: {offload.base_url}/x")
            with bare(QUEUED, moved) as (client, _):
                answer = run_here(client.synthesize(SPEECH, spool, Notes()))
            assert offload.connections == 0
        assert (verdict(answer).code, answer.request_id) == ("redirected", "r-1")

    def test_polls_may_count_against_the_limit(self, spool: Path, time: Time) -> None:
        """An API that counts polls too slows the polling down and nothing else."""
        config = EmulatorConfig(key=KEY, rpm=3, stamp=StampFormat.ABSENT, count_polls=True)
        with Emulator(config, clock=lambda: NOW.timestamp() + time.elapsed) as strict:
            polls(strict, Effect(word="PROCESSING"), nth=range(1, 5))
            with contextlib.closing(make_v2(strict.base_url, time=time)) as client:
                assert run_here(client.synthesize(SPEECH, spool)).audio == spool
            assert strict.state().poll_statuses["429"] > 0
            assert strict.state().billed_calls == 1


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


class TestSubmission:
    """Replies to a submission other than the usual one."""

    def test_a_lost_reply_leaves_no_handle(self, client: ClientV2, emulator: Emulator, spool: Path) -> None:
        """The one case in which a text may be paid for twice: it is flagged, and there is nothing to poll."""
        emulator.admin.rules([Rule(effect=Effect(ending=Ending.LOST), times=1)])
        notes = Notes()
        answer = run_here(client.synthesize(SPEECH, spool, notes))
        assert (answer.failure, answer.sent, answer.request_id) == (Failure.RESET, True, None)
        assert (verdict(answer).possibly_billed, notes.kept) == (True, [])
        assert run_here(client.synthesize(SPEECH, spool, notes)).audio == spool
        assert emulator.state().billed_texts == {text_hash(SPEECH.text): 2}

    def test_a_cut_reply_leaves_no_handle(self, client: ClientV2, emulator: Emulator, spool: Path) -> None:
        """Half a reply is a lost one: tried again and flagged, never taken for a bad take."""
        emulator.admin.rules([Rule(effect=Effect(ending=Ending.CUT))])
        answer = run_here(client.synthesize(SPEECH, spool, notes := Notes()))
        assert (verdict(answer).kind, verdict(answer).code) == (VerdictKind.RETRY, "connection")
        assert (verdict(answer).possibly_billed, notes.kept) == (True, [])

    def test_the_audio_itself_is_taken(self, spool: Path) -> None:
        """A model that answers as v1 does is welcome."""
        with bare(reply("200 OK", PCM, "x-cost: 0.0067")) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool, notes := Notes()))
        assert (answer.size, answer.cost, notes.kept) == (100, PRICE, [])

    def test_binary_errors_are_no_audio(self, spool: Path) -> None:
        """Bytes under an error's status are an error."""
        with bare(reply("502 Bad Gateway", PCM)) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.audio, verdict(answer).code) == (None, "bad_gateway")

    def test_completed_at_once(self, spool: Path) -> None:
        """A reply that has the output already is the result; its handle is kept all the same."""
        with bare(OUTPUT) as (client, server):
            answer = run_here(client.synthesize(SPEECH, spool, notes := Notes()))
        assert (answer.audio, notes.kept, len(server.requests)) == (spool, ["r-1"], 1)

    def test_completed_at_once_with_its_output_elsewhere(self, spool: Path, time: Time) -> None:
        """Without the output in the reply, it is asked for at once."""
        with bare(COMPLETED, COMPLETED, OUTPUT, time=time) as (client, _):
            assert run_here(client.synthesize(SPEECH, spool, Notes())).audio == spool
        assert time.waits == []

    def test_an_accepted_request_counts_under_any_status(self, spool: Path) -> None:
        """A gateway that calls it an error can't make anyone pay twice: the handle is there, and is polled."""
        accepted = page("502 Bad Gateway", request_id="r-1", status="QUEUED")
        with bare(accepted, COMPLETED, OUTPUT) as (client, _):
            assert run_here(client.synthesize(SPEECH, spool, notes := Notes())).audio == spool
        assert notes.kept == ["r-1"]

    @pytest.mark.parametrize("named", [None, "", " ", "two words", ["r"], True, "x" * 300])
    def test_a_reply_without_a_usable_id(self, spool: Path, named: object) -> None:
        """What was submitted can't be found again: unreadable, and perhaps billed."""
        with bare(page(request_id=named, status="QUEUED")) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool, notes := Notes()))
        assert (answer.failure, answer.request_id, notes.kept) == (Failure.UNREADABLE, None, [])
        assert verdict(answer).possibly_billed is True

    def test_a_number_is_an_id(self, spool: Path) -> None:
        """An id may come as a number."""
        with bare(page(request_id=77, status="QUEUED"), OUTPUT) as (client, server):
            assert run_here(client.synthesize(SPEECH, spool, notes := Notes())).audio == spool
        assert (notes.kept, paths(server)[1]) == (["77"], "GET /v2/requests/77/status")


class TestMoney:
    """A run is paid for once, so its cost is named once: by the attempt after which its handle is of no more use."""

    def test_a_full_disk_leaves_the_cost_to_the_next_attempt(self, client: ClientV2, spool: Path) -> None:
        """Audio that this machine couldn't keep is fetched again by its handle, and then its cost is named."""
        if not Path("/dev/full").exists():
            pytest.skip("only Linux has a device that is always full")
        part = spool.with_name(spool.name + PART_SUFFIX)
        part.symlink_to("/dev/full")
        notes = Notes()
        with pytest.raises(SpoolError) as caught:
            run_here(client.synthesize(SPEECH, spool, notes))
        assert caught.value.answer is not None
        assert (caught.value.answer.cost, caught.value.answer.request_id) == (None, notes.request_id)
        assert run_here(client.synthesize(SPEECH, spool, notes)).cost == PRICE

    def test_a_take_without_a_handle_names_its_cost_at_once(self, spool: Path) -> None:
        """It can't be polled for later."""
        nowhere = page(status="COMPLETED", output="https://localhost/take.wav", metrics={"cost": 0.0067})
        with bare(nowhere) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.failure, answer.cost, answer.request_id) == (Failure.UNREADABLE, PRICE, None)


class TestOutput:
    """What a completed run hands over."""

    @pytest.mark.parametrize("host", [None, "localhost"])
    @pytest.mark.parametrize("shape", OutputShape)
    def test_every_shape(self, spool: Path, shape: OutputShape, host: str | None) -> None:
        """Address, list, object, described file, data URI, base64; a file on another host comes without the key."""
        with Emulator(EmulatorConfig(key=KEY, output=shape, files_host=host)) as emulator:
            with contextlib.closing(make_v2(emulator.base_url)) as client:
                answer = run_here(client.synthesize(SPEECH, spool))
            state = emulator.state()
        inline = shape in {OutputShape.DATA_URI, OutputShape.BASE64}
        assert (answer.failure, answer.audio, answer.size) == (None, spool, spool.stat().st_size)
        assert spool.read_bytes()[:4] == b"RIFF"
        assert (state.files, state.files_with_key) == (0 if inline else 1, 0)

    @pytest.mark.parametrize(
        "output",
        [
            URI,
            [URI],
            {"audio": URI},
            [{"url": URI}],
            json.dumps([{"audio": URI}]),
            json.dumps({"output": {"url": URI}}),
        ],
    )
    def test_output_within_output(self, spool: Path, output: object) -> None:
        """Lists and objects in each other, and JSON written into a string."""
        with bare(QUEUED, COMPLETED, page(status="COMPLETED", error=None, output=output)) as (client, _):
            assert run_here(client.synthesize(SPEECH, spool)).size == 120

    def test_a_result_that_is_the_audio_itself(self, spool: Path) -> None:
        """The result's address may lead to the file."""
        with bare(QUEUED, COMPLETED, reply("200 OK", PCM)) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.size, answer.generation_seconds) == (100, 7.5)

    def test_metrics_are_exact_and_put_together(self, spool: Path) -> None:
        """Cost and balance are read to the last digit, from whichever page has them."""
        head = b'{"status": "COMPLETED", "metrics": {"cost": 0.00670000000000000000000001, "inference_time": 7.25}}'
        tail = b'{"status": "COMPLETED", "output": "%s", "metrics": {"remaining_credits": 12.10}}' % URI.encode()
        with bare(QUEUED, reply("200 OK", head), reply("200 OK", tail)) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert answer.cost == Decimal("0.00670000000000000000000001")
        assert str(answer.remaining_credits) == "12.10"
        assert answer.generation_seconds == 7.25

    @pytest.mark.parametrize("cost", ["NaN", "-1", '"much"', "null", "[1]", "true", "Infinity", "1e999999"])
    def test_senseless_metrics_are_none(self, spool: Path, cost: str) -> None:
        """A cost that is no amount is no cost."""
        body = f'{{"status": "COMPLETED", "output": "{URI}", "metrics": {{"cost": {cost}}}}}'
        with bare(QUEUED, reply("200 OK", body.encode())) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.audio, answer.cost) == (spool, None)

    def test_a_header_counts_if_the_metrics_have_no_cost(self, spool: Path) -> None:
        """An amount may come as v1 sends it."""
        body = json.dumps({"status": "COMPLETED", "output": URI, "metrics": {}}).encode()
        with bare(QUEUED, reply("200 OK", body, "x-cost: 0.0067", "x-request-id: other")) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.cost, answer.request_id) == (PRICE, "r-1")

    def test_a_result_that_lags_is_polled_for(self, spool: Path) -> None:
        """A result that isn't there yet, or can't be had, is asked for again."""
        error = page("500 Internal Server Error", error="x")
        cut = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n{"
        replies = [QUEUED, COMPLETED, PROCESSING, error, cut, OUTPUT]
        with bare(*replies) as (client, server):
            assert run_here(client.synthesize(SPEECH, spool)).audio == spool
        assert sum(path.startswith("POST") for path in paths(server)) == 1

    @pytest.mark.parametrize("output", [None, "", [], {}, [""], {"url": None}, "  "])
    def test_no_output_is_a_bad_take(self, spool: Path, output: object) -> None:
        """Nothing to be had: another take must be bought."""
        with bare(QUEUED, COMPLETED, page(status="COMPLETED", output=output, metrics={"cost": 0.0067})) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.status, answer.failure, answer.cost) == (200, Failure.EMPTY, PRICE)
        assert (verdict(answer).kind, answer.handle_spent) == (VerdictKind.BAD_TAKE, True)
        assert not list(spool.parent.iterdir())

    def test_an_error_where_the_output_should_be(self, client: ClientV2, emulator: Emulator, spool: Path) -> None:
        """A completed run without output was billed; its words are kept."""
        emulator.admin.rules([Rule(effect=Effect(take=Take.JSON_ERROR, message="the tape ran out"))])
        answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.failure, answer.message, answer.cost) == (Failure.RUN_FAILED, "the tape ran out", PRICE)

    @pytest.mark.parametrize("output", ["see the attached file", {"text": "hello", "url": "gs://x/y"}, ["spoken"]])
    def test_output_that_cant_be_read_is_not_bought_again(self, spool: Path, output: object) -> None:
        """It may be this program's fault: the next attempt looks at the same output again."""
        with bare(QUEUED, COMPLETED, page(status="COMPLETED", output=output)) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.failure, verdict(answer).code) == (Failure.UNREADABLE, "unreadable_answer")
        assert (answer.handle_spent, answer.cost) == (False, None)

    def test_output_over_the_cap(self, spool: Path) -> None:
        """A result over the cap isn't read to its end; another take may be smaller."""
        large = page(status="COMPLETED", output="data:audio/wav;base64," + "AAEC" * 100_000)
        with bare(QUEUED, COMPLETED, large, max_audio_bytes=100_000) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool, Notes()))
        assert (answer.failure, answer.handle_spent, answer.request_id) == (Failure.TOO_LARGE, True, "r-1")
        assert verdict(answer).kind is VerdictKind.BAD_TAKE

    @pytest.mark.parametrize(("said", "whole"), [(77, True), (76, True), (78, False), (0, True), ("77", True)])
    def test_a_file_is_held_against_its_size(self, spool: Path, said: object, whole: bool) -> None:
        """Less than the API named was cut off, even without a length; it is tried again, and then given up."""
        unmeasured = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"\x00" * 77
        with BareServer([unmeasured] * 3) as files:
            audio = {"url": f"{files.base_url}/take.wav", "content_type": "audio/wav", "file_size": said}
            result = page(status="COMPLETED", output=audio["url"], audio=audio)
            with bare(QUEUED, COMPLETED, result) as (client, _):
                answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.audio is not None) is whole
        assert len(files.requests) == (1 if whole else 3)
        if not whole:
            assert (answer.failure, answer.handle_spent) == (Failure.UNREADABLE, True)
            assert "77 bytes where the API named 78" in answer.message

    @pytest.mark.parametrize(("status", "spent"), [(404, True), (403, True), (503, False), (429, False), (302, False)])
    def test_a_file_that_cant_be_had(self, spool: Path, status: int, spent: bool) -> None:
        """A file that is gone is bought again; one that may come back is asked for by the next attempt."""
        gone = reply(f"{status} X", b"", "Connection: close")
        with BareServer([gone] * 3) as files:
            result = page(status="COMPLETED", output=f"{files.base_url}/take.wav?signature=hidden")
            with bare(QUEUED, COMPLETED, result) as (client, _):
                answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.failure, answer.handle_spent) == (Failure.UNREADABLE, spent)
        assert (verdict(answer).kind, verdict(answer).handle_spent) == (VerdictKind.RETRY, spent)
        assert "hidden" not in answer.message

    def test_a_file_on_a_shaky_host_comes_by_the_same_handle(
        self, client: ClientV2, emulator: Emulator, spool: Path
    ) -> None:
        """Nothing is paid again for a file that couldn't be fetched at first."""
        emulator.admin.rules([Rule(match=Match(step=Step.FILE), effect=Effect(status=503), times=4)])
        notes = Notes()
        assert run_here(client.synthesize(SPEECH, spool, notes)).failure is Failure.UNREADABLE
        assert run_here(client.synthesize(SPEECH, spool, notes)).audio == spool
        assert (emulator.state().submits, emulator.state().files) == (1, 5)

    @pytest.mark.parametrize(
        "url",
        [
            "http://files.example.com/take.wav",
            "https://user:secret@files.example.com/take.wav",
            "https://10.0.0.7/take.wav",
            "https://169.254.169.254/latest/meta-data",
            "https://localhost/take.wav",
        ],
    )
    def test_strange_addresses_are_not_fetched(self, spool: Path, url: str) -> None:
        """By https from the public network, or from the API's own machine; nothing is paid again for such a one."""
        with bare(QUEUED, COMPLETED, page(status="COMPLETED", audio={"url": url})) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.failure, answer.handle_spent) == (Failure.UNREADABLE, False)
        assert "is not fetched" in answer.message
        assert "secret" not in answer.message

    def test_a_refused_take_needs_another(self) -> None:
        """Audio that was measured and not accepted would be the same again under the same handle."""
        assert bad_take(Answer(200, request_id="r-1"), "silence").handle_spent is True


def attempts(client: ClientV2, speech: Speech, folder: Path, notes: Notes) -> Iterator[Answer]:
    """One answer after the other, as a queue would ask for them, until there is audio."""
    for number in itertools.count():
        answer = run_here(client.synthesize(speech, folder / str(number), notes))
        yield answer
        if answer.audio is not None:
            return
        if verdict(answer).handle_spent:
            notes.request_id = None


def test_nothing_is_bought_twice(client: ClientV2, emulator: Emulator, tmp_path: Path) -> None:
    """With every kind of error at once, a text is billed once, or once more for each lost and flagged submission."""
    troubled = [
        Rule(match=Match(step=Step.POLL, probability=0.15), effect=Effect(status=500)),
        Rule(match=Match(step=Step.POLL, probability=0.15), effect=Effect(ending=Ending.RESET)),
        Rule(match=Match(step=Step.POLL, probability=0.10), effect=Effect(status=404)),
        Rule(match=Match(step=Step.POLL, probability=0.10), effect=Effect(status=401)),
        Rule(match=Match(step=Step.POLL, probability=0.10), effect=Effect(word="HMM")),
        Rule(match=Match(step=Step.FILE, probability=0.30), effect=Effect(status=503)),
        Rule(match=Match(probability=0.15), effect=Effect(run_fails=True)),
        Rule(match=Match(probability=0.10), effect=Effect(ending=Ending.LOST)),
        Rule(match=Match(probability=0.10), effect=Effect(status=502)),
    ]
    emulator.admin.rules(troubled)
    expected: dict[str, int] = {}
    paid = Decimal(0)
    for number in range(40):
        speech = Speech(text=f"Line {number} of a hard night.")
        folder = tmp_path / str(number)
        folder.mkdir()
        answers = list(attempts(client, speech, folder, Notes()))
        lost = sum(verdict(answer).possibly_billed and answer.request_id is None for answer in answers)
        expected[text_hash(speech.text)] = 1 + lost
        paid += sum((answer.cost or Decimal(0) for answer in answers), Decimal(0)) + lost * PRICE
    state = emulator.state()
    assert state.billed_texts == expected
    assert state.billed == paid
    assert state.files_with_key == 0
    assert sum(expected.values()) > 40


def test_a_silent_poll_is_given_up(spool: Path) -> None:
    """A status that is never answered costs its own timeout and no more; the run is asked for again."""
    release = threading.Event()

    def silent(_: socket.socket) -> None:
        release.wait(30)

    with BareServer([QUEUED, COMPLETED, silent]) as server:
        # The wait for a result ends with the client's own read timeout.
        with contextlib.closing(make_v2(server.base_url, read_timeout=0.2, run_timeout=0.0)) as client:
            answer = run_here(client.synthesize(SPEECH, spool, Notes()))
        release.set()
    assert (answer.failure, answer.request_id) == (Failure.UNFINISHED, "r-1")
