"""What holds for every client of the API, whichever way it speaks: one suite, run against both."""

from __future__ import annotations

import contextlib
import errno
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from api_models.registry import MODELS
from api_models.speech import Speech
from api_models.verdict import GateScope, VerdictKind
from tests.integration.segmind_clients import KEY, NOW, VERSIONS, make_client
from tests.servers.bare import BareServer, Reply, reply
from worker.concurrency.futures import run_here
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.reset_times import StampFormat
from worker.emulator.api.responses import BodyShape, Ending
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Rule, Take
from worker.emulator.limits import Limit
from worker.emulator.server import Emulator
from worker.segmind.answers import Answer, Credits, Failure
from worker.segmind.client import NO_HANDLE, Client
from worker.segmind.errors import SpoolError, UnusableAddressError, UnusableKeyError
from worker.segmind.spool import PART_SUFFIX
from worker.segmind.verdicts import verdict

SPEECH = Speech(text="Good evening, and welcome back.", voice_1="Puck")


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


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Which client is under test."""
    return str(request.param)


@pytest.fixture
def client(version: str, emulator: Emulator) -> Iterator[Client]:
    """That client, speaking to the emulator."""
    with contextlib.closing(make_client(version, emulator.base_url)) as made:
        yield made


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where the take goes."""
    return tmp_path / "take"


@contextlib.contextmanager
def bare(version: str, *replies: bytes | Reply, path: str = "") -> Iterator[tuple[Client, BareServer]]:
    """The client, connected to a server that sends these replies."""
    with BareServer(replies) as server, contextlib.closing(make_client(version, server.base_url + path)) as made:
        yield made, server


def faulty(emulator: Emulator, **effect: object) -> None:
    """Every call from now on has this effect."""
    emulator.admin.rules([Rule(effect=Effect.model_validate(effect))])


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


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.LOST])
def test_a_reset_after_sending(client: Client, emulator: Emulator, spool: Path, ending: Ending) -> None:
    """A connection that dies under a sent request leaves open whether it is billed; it is not repeated from here."""
    faulty(emulator, ending=ending)
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.sent, answer.request_id) == (None, Failure.RESET, True, None)
    found = verdict(answer)
    assert (found.kind, found.possibly_billed, found.handle_spent) == (VerdictKind.RETRY, True, False)
    assert emulator.state().calls == 1
    assert not list(spool.parent.iterdir())


def test_silence_after_sending_times_out(version: str, spool: Path) -> None:
    """No answer in time: the call may have run and been billed."""
    release = threading.Event()
    with BareServer([lambda _: release.wait(30)]) as server:
        with contextlib.closing(make_client(version, server.base_url, read_timeout=0.2)) as client:
            answer = run_here(client.synthesize(SPEECH, spool))
        release.set()
    assert (answer.status, answer.failure, answer.sent) == (None, Failure.TIMEOUT_READ, True)
    assert (verdict(answer).code, verdict(answer).possibly_billed) == ("timeout", True)


def test_refused_connection_was_not_sent(version: str, spool: Path) -> None:
    """The request never left this machine, and the message says why."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with contextlib.closing(make_client(version, f"http://127.0.0.1:{port}")) as client:
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.sent) == (None, Failure.CONNECT, False)
    assert answer.message == "Connection refused"
    assert (verdict(answer).possibly_billed, verdict(answer).counts) == (False, False)


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\x00\x01\x02\x03\x04\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n\x00\x00\x00",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\nno gzip",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{"request_id": "r',
        b"",
    ],
)
def test_broken_http(version: str, spool: Path, raw: bytes) -> None:
    """What isn't HTTP, or not to its end, may have been billed, leaves no file and never raises."""
    with bare(version, raw) as (client, server):
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.audio, answer.sent, answer.request_id, len(server.requests)) == (None, True, None, 1)
    found = verdict(answer)
    assert found.kind in {VerdictKind.RETRY, VerdictKind.BAD_TAKE}
    assert found.possibly_billed is True
    assert not list(spool.parent.iterdir())


@pytest.mark.parametrize(
    "body",
    [b"<html><body>Sign in to continue</body></html>", b"upstream connect error", b"[]", b"{}", b"[" * 100_000],
)
def test_text_without_sense(version: str, spool: Path, body: bytes) -> None:
    """A 200 of text that means nothing here is tried again, flagged, with its beginning kept for the operator."""
    with bare(version, reply("200 OK", body, "Content-Type: audio/wav")) as (client, _):
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.audio) == (Failure.UNREADABLE, None)
    assert (verdict(answer).code, verdict(answer).possibly_billed) == ("unreadable_answer", True)
    assert not list(spool.parent.iterdir())


def test_an_error_under_a_200(version: str, spool: Path) -> None:
    """The text of an account error counts, whatever the status."""
    with bare(version, reply("200 OK", b'{"error": "Insufficient credits"}')) as (client, _):
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, verdict(answer).code) == (Failure.RUN_FAILED, "insufficient_credits")


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_redirects_are_not_followed(version: str, spool: Path, status: str) -> None:
    """The key goes nowhere but to the address it was given for; where it was sent on to is reported."""
    with BareServer([]) as offload:
        location = f"Location: {offload.base_url}/x"
        with bare(version, reply(status, b"", location)) as (client, server):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (offload.connections, len(server.requests)) == (0, 1)
        assert offload.base_url in answer.message
    assert (verdict(answer).code, verdict(answer).scope) == ("redirected", GateScope.ACCOUNT)


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "401 Unauthorized", "422 Failed", "500 Error"])
@pytest.mark.parametrize(
    "body",
    [
        f'{{"error": "bad key {KEY}"}}',
        f'{{"status": "FAILED", "request_id": "r-{KEY}", "error": "{KEY}"}}',
        f'{{"status": "QUEUED", "request_id": "{KEY}"}}',
        f"<html>{KEY}</html>",
        f"{'x' * 1_995} {KEY}",
    ],
)
def test_no_answer_holds_the_key(
    version: str, spool: Path, status: str, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An API that echoes the key wherever it can: nothing of it is in the answer, the verdict or a log."""
    caplog.set_level("DEBUG")
    headers = (f"Content-Type: {KEY}", f"x-request-id: id-{KEY}", f"Location: https://x/{KEY}", f"x-cost: {KEY}")
    with bare(version, reply(status, body.encode(), *headers)) as (client, server):
        answer = run_here(client.synthesize(SPEECH, spool))
    assert KEY.encode() in server.requests[0]
    assert KEY not in repr(answer) + repr(verdict(answer)) + repr(client) + caplog.text


def test_the_key_stays_with_the_api(version: str, spool: Path) -> None:
    """A file on another host is asked for without the key, and without a word of the call."""
    with BareServer([reply("200 OK", b"\x00" * 77)]) as files:
        body = json.dumps({"output": f"{files.base_url}/take.wav"}).encode()
        with bare(version, reply("200 OK", body)) as (client, server):
            answer = run_here(client.synthesize(SPEECH, spool))
    assert answer.size == 77
    assert KEY.encode() in server.requests[0]
    assert files.requests[0].startswith(b"GET /take.wav HTTP/1.1\r\n")
    assert KEY.encode() not in files.requests[0]
    assert b"x-api-key" not in files.requests[0].lower()


def test_a_full_disk_is_an_error_of_this_machine(client: Client, version: str, spool: Path) -> None:
    """A disk that takes no byte is an error of its own, with its cause and the call's cost, or the handle to both."""
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")
    spool.with_name(spool.name + PART_SUFFIX).symlink_to("/dev/full")
    with pytest.raises(SpoolError, match="No space left") as caught:
        run_here(client.synthesize(SPEECH, spool))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.answer is not None
    assert caught.value.answer.request_id is not None
    assert caught.value.answer.cost == (MODELS[SPEECH.model].price if version == "v1" else None)


def test_missing_spool_folder_costs_nothing(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    """A spool that takes no file is found out before the call."""
    with pytest.raises(SpoolError):
        run_here(client.synthesize(SPEECH, tmp_path / "gone" / "take"))
    assert emulator.state().calls == 0


def test_credits(client: Client, emulator: Emulator) -> None:
    """The balance is exact and free; a refused key closes the gate by the same table."""
    emulator.admin.account(credits=Decimal("0.1"), free_credits=Decimal("0.0184"))
    assert client.credits() == Credits(paid=Decimal("0.1"), free=Decimal("0.0184"))
    emulator.admin.account(key_valid=False)
    refused = client.credits()
    assert isinstance(refused, Answer)
    assert (refused.status, refused.sent, verdict(refused).code) == (401, False, "bad_key")
    assert emulator.state().calls == 0


def test_a_closed_client_answers_still(client: Client, spool: Path) -> None:
    """A call that comes after the close finds no connection; it doesn't raise."""
    client.close()
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.sent) == (Failure.CONNECT, False)


def test_unusable_settings_are_found_at_once(version: str) -> None:
    """A key that is no header, and an address that is none, are errors of the start."""
    with pytest.raises(UnusableKeyError):
        make_client(version, "http://127.0.0.1:9", key="SG_ä")
    with pytest.raises(UnusableAddressError):
        make_client(version, "segmind")
