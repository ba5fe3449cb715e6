"""What holds for every client of the API, whichever way it speaks: one suite, run against both."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from api_models.registry import MODELS
from api_models.speech import Speech
from api_models.verdict import GateScope, VerdictKind
from tests.integration.segmind.both.conftest import SPEECH, bare, faulty
from tests.integration.segmind_clients import KEY, NOW, VERSIONS, make_client
from tests.servers.bare import reply
from worker.concurrency.futures import run_here
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.reset_times import StampFormat
from worker.emulator.api.responses import BodyShape
from worker.emulator.faults import Take
from worker.emulator.limits import Limit
from worker.emulator.server import Emulator
from worker.segmind.answers import Failure
from worker.segmind.client import NO_HANDLE, Client
from worker.segmind.verdicts import verdict


@pytest.mark.parametrize("model", MODELS)
def test_speaks(client: Client, emulator: Emulator, spool: Path, model: str) -> None:
    """Each model's take lies whole in the spool, alone, and its cost is what the API bills."""
    answer = run_here(client.synthesize(SPEECH.model_copy(update={"model": model}), spool))
    assert (answer.status, answer.failure, answer.audio, answer.message) == (200, None, spool, "")
    assert spool.read_bytes()[:4] == b"RIFF"
    assert answer.size == spool.stat().st_size
    assert list(spool.parent.iterdir()) == [spool]
    assert answer.cost == emulator.state().billed == MODELS[model].price
    assert answer.request_id == emulator.state().bill[0].request_id
    assert answer.generation_seconds is not None
    assert answer.handle_spent is False
    assert verdict(answer).kind is VerdictKind.SUCCESS


def test_both_bring_the_same_bytes(emulator: Emulator, tmp_path: Path) -> None:
    """A text sounds the same whichever way it was bought."""
    for version in VERSIONS:
        with contextlib.closing(make_client(version, emulator.base_url)) as client:
            run_here(client.synthesize(SPEECH, tmp_path / version))
    assert (tmp_path / "v1").read_bytes() == (tmp_path / "v2").read_bytes()


def test_a_handle_can_be_left_out(client: Client, spool: Path) -> None:
    """Without a handle sink, a call works all the same."""
    assert run_here(client.synthesize(SPEECH, spool, NO_HANDLE)).audio == spool


def test_money_is_exact(client: Client, emulator: Emulator, spool: Path) -> None:
    """What is left is known to the last digit, beyond what a float holds."""
    emulator.admin.account(credits=Decimal("1234567.12345678901234567891"))
    answer = run_here(client.synthesize(SPEECH, spool))
    assert answer.remaining_credits == Decimal("1234567.12345678901234567891") - MODELS[SPEECH.model].price
    assert answer.cost == MODELS[SPEECH.model].price


def test_a_silent_bill_is_no_cost(client: Client, emulator: Emulator, spool: Path) -> None:
    """Where the API names no cost, none is made up here."""
    faulty(emulator, without_headers=["x-cost", "x-remaining-credits", "x-generation-time"])
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.audio, answer.cost, answer.remaining_credits, answer.generation_seconds) == (spool, None, None, None)


def test_sends_only_what_the_caller_set(version: str, spool: Path) -> None:
    """The request is the vendor page's: key, content type, and a body of text and what else was set, as UTF-8."""
    with bare(version, reply("200 OK", b"\x00" * 100), path="/gateway") as (client, server):
        assert run_here(client.synthesize(Speech(text="Grüße — 你好", temperature=0.4), spool)).size == 100
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST /gateway/{version}/gemini-3.1-flash-tts HTTP/1.1\r\n".encode())
    assert f"x-api-key: {KEY}".encode() in head
    assert b"Content-Type: application/json" in head
    assert json.loads(body) == {"text": "Grüße — 你好", "temperature": 0.4}


def test_threads_share_a_client(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    """Calls at once, more than the pool keeps, don't meet each other."""
    texts = [f"Line {number} of many." for number in range(24)]
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda text: run_here(client.synthesize(Speech(text=text), tmp_path / text)), texts))
    assert {answer.audio for answer in answers} == {tmp_path / text for text in texts}
    assert len({answer.request_id for answer in answers}) == 24
    assert set(emulator.state().billed_texts.values()) == {1}


STATUSES = {
    400: VerdictKind.REFUSED,
    401: VerdictKind.GATE,
    403: VerdictKind.GATE,
    404: VerdictKind.GATE,
    405: VerdictKind.REFUSED,
    406: VerdictKind.GATE,
    410: VerdictKind.GATE,
    422: VerdictKind.RETRY,
    429: VerdictKind.PACE,
    500: VerdictKind.RETRY,
    502: VerdictKind.RETRY,
    504: VerdictKind.RETRY,
}


@pytest.mark.parametrize("shape", [BodyShape.ERROR, BodyShape.AUTH, BodyShape.HTML, BodyShape.EMPTY])
@pytest.mark.parametrize("status", STATUSES)
def test_every_error_status(client: Client, emulator: Emulator, spool: Path, status: int, shape: BodyShape) -> None:
    """The call is refused by the same rows of the table, in the API's words, and nothing is left behind."""
    faulty(emulator, status=status, shape=shape, message="because it is so")
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.audio, answer.sent) == (status, None, None, True)
    assert ("because it is so" in answer.message) is (shape is not BodyShape.EMPTY)
    assert verdict(answer).kind is STATUSES[status]
    assert not list(spool.parent.iterdir())
    assert (emulator.state().calls, emulator.state().billed_calls) == (1, 0)


def test_account_errors(client: Client, emulator: Emulator, spool: Path) -> None:
    """Key, credit and spend limit close the account's gate; once mended, calls go through."""

    def code() -> tuple[str, GateScope | None]:
        found = verdict(run_here(client.synthesize(SPEECH, spool)))
        return found.code, found.scope

    emulator.admin.account(key_valid=False)
    assert code() == ("bad_key", GateScope.ACCOUNT)
    emulator.admin.account(key_valid=True, credits=Decimal("0.001"))
    assert code() == ("insufficient_credits", GateScope.ACCOUNT)
    emulator.admin.account(credits=Decimal(5), spend_limit_reached=True)
    assert code() == ("spend_limit", GateScope.ACCOUNT)
    emulator.admin.account(spend_limit_reached=False)
    assert code() == ("success", None)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (ModelState.NOT_FOUND, "model_not_found"),
        (ModelState.FORBIDDEN, "forbidden"),
        (ModelState.RETIRED, "model_retired"),
    ],
)
def test_a_model_error_closes_its_gate(
    client: Client, emulator: Emulator, spool: Path, state: ModelState, code: str
) -> None:
    emulator.admin.model(SPEECH.model, state)
    found = verdict(run_here(client.synthesize(SPEECH, spool)))
    assert (found.code, found.scope) == (code, GateScope.MODEL)


@pytest.mark.parametrize("form", StampFormat)
def test_rate_limit_stamps(client: Client, emulator: Emulator, spool: Path, form: StampFormat) -> None:
    """A 429 says when it ends, in whichever form, or says nothing sensible."""
    emulator.admin.limit(Limit(rpm=1, stamp=form))
    run_here(client.synthesize(SPEECH, spool))
    found = verdict(run_here(client.synthesize(SPEECH, spool)))
    senseless = form in {StampFormat.PAST, StampFormat.UNREADABLE, StampFormat.ABSENT}
    assert found.kind is VerdictKind.PACE
    assert found.reset_at == (None if senseless else NOW + timedelta(seconds=60))


@pytest.mark.parametrize("take", [Take.JSON_URL, Take.JSON_DATA_URI, Take.JSON_BASE64])
def test_json_shapes(client: Client, emulator: Emulator, spool: Path, take: Take) -> None:
    """Audio by address, as a data URI or as base64 ends in the spool; a file is fetched without the key."""
    run_here(client.synthesize(SPEECH, plain := spool.with_name("plain")))
    faulty(emulator, take=take)
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.audio, answer.size) == (None, spool, spool.stat().st_size)
    assert spool.read_bytes() == plain.read_bytes()
    assert emulator.state().files_with_key == 0


@pytest.mark.parametrize("take", [Take.HEADERLESS, Take.HEADER_ONLY, Take.SILENT, Take.TRUNCATED])
def test_doubtful_audio_is_left_to_others(client: Client, emulator: Emulator, spool: Path, take: Take) -> None:
    """What isn't text may be audio, whatever it is called: whether it is acceptable is for others to say."""
    faulty(emulator, take=take, content_type="application/json")
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.audio) == (None, spool)


@pytest.mark.parametrize(("take", "failure"), [(Take.EMPTY, Failure.EMPTY), (Take.HUGE, Failure.TOO_LARGE)])
def test_no_take_at_all(version: str, emulator: Emulator, spool: Path, take: Take, failure: Failure) -> None:
    """Nothing, or more than the cap, is a bad take that leaves no file; another one must be bought."""
    faulty(emulator, take=take, size_bytes=3_000_000)
    with contextlib.closing(make_client(version, emulator.base_url, max_audio_bytes=1_000_000)) as client:
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.audio) == (200, failure, None)
    assert answer.cost == MODELS[SPEECH.model].price
    assert answer.handle_spent is (version == "v2")
    assert verdict(answer).kind is VerdictKind.BAD_TAKE
    assert not list(spool.parent.iterdir())
