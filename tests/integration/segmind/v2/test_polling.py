"""Polls of v2: when, where, and what each answer leads to."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from api_models.verdict import GateScope, VerdictKind
from tests.integration.segmind.v2.scripted import (
    COMPLETED,
    OUTPUT,
    PRICE,
    PROCESSING,
    QUEUED,
    SPEECH,
    URI,
    bare,
    page,
    paths,
    polls,
)
from tests.integration.segmind_clients import KEY, NOW, Notes, Time, make_v2
from tests.servers.bare import BareServer, Reply, reply, reset
from worker.concurrency.futures import run_here
from worker.emulator.api.reset_times import StampFormat
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect
from worker.emulator.ledger import text_hash
from worker.emulator.server import Emulator
from worker.segmind.answers import Failure
from worker.segmind.v2 import ClientV2
from worker.segmind.verdicts import verdict


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
