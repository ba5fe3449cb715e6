"""Submissions to v2: which replies yield a handle, and that no text is bought twice."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from api_models.speech import Speech
from api_models.verdict import VerdictKind
from tests.integration.segmind.v2.scripted import (
    COMPLETED,
    OUTPUT,
    PCM,
    PRICE,
    QUEUED,
    SPEECH,
    bare,
    page,
    paths,
)
from tests.integration.segmind_clients import Notes, Time, make_v2
from tests.servers.bare import BareServer, reply
from worker.concurrency.futures import run_here
from worker.emulator.api.responses import Ending
from worker.emulator.faults import Effect, Match, Rule, Step
from worker.emulator.ledger import text_hash
from worker.emulator.server import Emulator
from worker.segmind.answers import Answer, Failure
from worker.segmind.errors import SpoolError
from worker.segmind.spool import PART_SUFFIX
from worker.segmind.v2 import ClientV2
from worker.segmind.verdicts import verdict


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
