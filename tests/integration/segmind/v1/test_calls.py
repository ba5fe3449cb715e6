"""Calls with the v1 client: what it sends, and how it classifies each answer."""

from __future__ import annotations

import contextlib
import errno
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from api_models.registry import MODELS
from api_models.speech import Speech
from api_models.verdict import GateScope, VerdictKind
from tests.integration.segmind.v1.scripted import KEY, NOW, SPEECH, bare, faulty, make_client
from tests.servers.bare import BareServer, reply
from worker.concurrency.futures import run_here
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.reset_times import StampFormat
from worker.emulator.api.responses import BodyShape
from worker.emulator.faults import Take
from worker.emulator.limits import Limit
from worker.emulator.server import Emulator
from worker.segmind.answers import Failure
from worker.segmind.client import Client
from worker.segmind.errors import SpoolError
from worker.segmind.spool import PART_SUFFIX
from worker.segmind.verdicts import verdict


@pytest.mark.parametrize("model", MODELS)
def test_speaks(client: Client, emulator: Emulator, spool: Path, model: str) -> None:
    """Each model's take lies whole in the spool, and the account's headers are read exactly."""
    answer = run_here(client.synthesize(SPEECH.model_copy(update={"model": model}), spool))
    assert (answer.status, answer.failure, answer.audio, answer.message) == (200, None, spool, "")
    assert spool.read_bytes()[:4] == b"RIFF"
    assert answer.size == spool.stat().st_size
    assert answer.cost == MODELS[model].price
    assert answer.remaining_credits == Decimal(1_000) - MODELS[model].price
    assert answer.request_id == emulator.state().bill[0].request_id
    assert answer.generation_seconds is not None
    assert verdict(answer).kind is VerdictKind.SUCCESS


def test_sends_only_what_the_caller_set(spool: Path) -> None:
    """The request is the vendor page's: key, content type, and a body of text and what else was set, as UTF-8."""
    with bare(reply("200 OK", b"\x00" * 100)) as (client, server):
        run_here(client.synthesize(Speech(text="Grüße — 你好", temperature=0.4), spool))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/gemini-3.1-flash-tts HTTP/1.1\r\n")
    assert f"x-api-key: {KEY}".encode() in head
    assert b"Content-Type: application/json" in head
    assert json.loads(body) == {"text": "Grüße — 你好", "temperature": 0.4}
    assert "你好".encode() in body


def test_address_may_have_a_path(spool: Path) -> None:
    """An API behind a gateway's path is reached below it."""
    with bare(reply("200 OK", b"\x00" * 100), path="/gateway") as (client, server):
        run_here(client.synthesize(SPEECH, spool))
    assert server.requests[0].startswith(b"POST /gateway/v1/gemini-3.1-flash-tts ")


def test_connections_are_reused(spool: Path) -> None:
    """Calls that end in whatever whole answer leave their connection to the next."""
    whole = [
        reply("200 OK", b"\x00" * 300_000),
        reply("500 Internal Server Error", b'{"error": "x"}'),
        reply("429 Too Many Requests"),
        reply("200 OK", b'{"error": "x"}'),
        reply("200 OK", b"\x00" * 10),
        reply("204 No Content"),
    ]
    with bare(*whole) as (client, server):
        statuses = [run_here(client.synthesize(SPEECH, spool)).status for _ in whole]
    assert statuses == [200, 500, 429, 200, 200, 204]
    assert server.connections == 1


def test_threads_share_a_client(client: Client, tmp_path: Path) -> None:
    """Calls at once, more than the pool keeps, don't meet each other."""
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda n: run_here(client.synthesize(SPEECH, tmp_path / str(n))), range(24)))
    assert {answer.size for answer in answers} == {answers[0].size}
    assert len({answer.request_id for answer in answers}) == 24


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


@pytest.mark.parametrize("shape", BodyShape)
@pytest.mark.parametrize("status", STATUSES)
def test_refusals_in_every_shape(
    client: Client, emulator: Emulator, spool: Path, status: int, shape: BodyShape
) -> None:
    """Every status of the vendor's table, in every shape of body: the words arrive, no file is left."""
    faulty(emulator, status=status, shape=shape, message="because it is so")
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.audio, answer.sent) == (status, None, None, True)
    assert ("because it is so" in answer.message) is (shape is not BodyShape.EMPTY)
    assert verdict(answer).kind is STATUSES[status]
    assert not list(spool.parent.iterdir())


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
@pytest.mark.parametrize("retry_after", [False, True])
def test_rate_limit_stamps(
    client: Client, emulator: Emulator, spool: Path, form: StampFormat, retry_after: bool
) -> None:
    """A 429 says when it ends, in whichever form; where it doesn't sensibly, `Retry-After` does, or nothing."""
    emulator.admin.limit(Limit(rpm=1, stamp=form, retry_after=retry_after))
    run_here(client.synthesize(SPEECH, spool))
    found = verdict(run_here(client.synthesize(SPEECH, spool)))
    senseless = form in {StampFormat.PAST, StampFormat.UNREADABLE, StampFormat.ABSENT}
    assert found.kind is VerdictKind.PACE
    assert found.reset_at == (NOW + timedelta(seconds=60) if retry_after or not senseless else None)


@pytest.mark.parametrize("take", [Take.JSON_URL, Take.JSON_DATA_URI, Take.JSON_BASE64])
@pytest.mark.parametrize("key", ["audio", "audio_url", "output", "url", "data", "result"])
def test_audio_in_json(client: Client, emulator: Emulator, spool: Path, take: Take, key: str) -> None:
    """A JSON answer's audio ends in the spool as if it had been the body; a file is fetched without the key."""
    faulty(emulator, take=take, json_key=key, content_type="audio/wav")
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.audio) == (None, spool)
    assert spool.read_bytes()[:4] == b"RIFF"
    assert answer.size == spool.stat().st_size > 10_000
    assert emulator.state().files_with_key == 0


def test_error_under_a_200(client: Client, emulator: Emulator, spool: Path) -> None:
    """A 200 whose JSON has an error is judged by its words, and its cost is known all the same."""
    faulty(emulator, take=Take.JSON_ERROR, message="the voice box is jammed")
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.message) == (Failure.RUN_FAILED, "the voice box is jammed")
    assert answer.cost == MODELS[SPEECH.model].price
    assert verdict(answer).code == "run_failed"
    assert not list(spool.parent.iterdir())


@pytest.mark.parametrize("take", [Take.HEADERLESS, Take.HEADER_ONLY, Take.SILENT])
def test_doubtful_audio_is_left_to_others(client: Client, emulator: Emulator, spool: Path, take: Take) -> None:
    """What isn't text may be audio, whatever its content type: whether it is acceptable is for others to say."""
    faulty(emulator, take=take, content_type="application/json")
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.audio, answer.content_type) == (None, spool, "application/json")


def test_empty_body_is_a_bad_take(client: Client, emulator: Emulator, spool: Path) -> None:
    """A 200 without a body was billed, and is no audio."""
    faulty(emulator, take=Take.EMPTY)
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.status, answer.failure, answer.audio) == (200, Failure.EMPTY, None)
    assert verdict(answer).kind is VerdictKind.BAD_TAKE


def test_oversized_body_is_not_read(emulator: Emulator, spool: Path) -> None:
    """A body over the cap is given up, and nothing of it kept."""
    faulty(emulator, take=Take.HUGE, size_bytes=3_000_000)
    with contextlib.closing(make_client(emulator.base_url, max_audio_bytes=1_000_000)) as client:
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.audio) == (Failure.TOO_LARGE, None)
    assert not list(spool.parent.iterdir())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://files.example.com/take.wav", "is not fetched"),
        ("https://user:secret@files.example.com/take.wav", "is not fetched"),
        ("https://10.0.0.7/take.wav", "is not fetched"),
        ("https://169.254.169.254/latest/meta-data", "is not fetched"),
        ("https://localhost/take.wav", "is not fetched"),
        ("https://[::1/take.wav", "can't be read"),
    ],
)
def test_strange_addresses_are_not_fetched(spool: Path, url: str, words: str) -> None:
    """Audio is fetched from the public network by https only, or from the API's own host."""
    with bare(reply("200 OK", json.dumps({"audio": {"url": url}}).encode())) as (client, _):
        answer = run_here(client.synthesize(SPEECH, spool))
    assert answer.failure is Failure.UNREADABLE
    assert words in answer.message
    assert "secret" not in answer.message


def test_unfetchable_audio_is_tried_and_explained(spool: Path) -> None:
    """Paid audio that can't be had is asked for more than once, then the answer says where it lies, unsigned."""
    gone = reply("404 Not Found", b"", "Connection: close")
    with BareServer([gone, gone, gone]) as files:
        url = f"{files.base_url}/take.wav?signature=hidden"
        with bare(reply("200 OK", json.dumps({"output": [url]}).encode())) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
    assert len(files.requests) == 3
    assert all(b"x-api-key" not in request.lower() for request in files.requests)
    assert answer.failure is Failure.UNREADABLE
    assert "status 404" in answer.message
    assert "hidden" not in answer.message


def test_fetched_audio_survives_one_failure(spool: Path) -> None:
    """A file that can't be had at first and can then is fetched, not bought again."""
    replies = [reply("503 Service Unavailable", b"", "Connection: close"), reply("200 OK", b"\x00" * 77)]
    with BareServer(replies) as files:
        url = f"{files.base_url}/take.wav"
        with bare(reply("200 OK", json.dumps({"url": url}).encode(), "x-cost: 0.0067")) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.size, answer.cost) == (None, 77, Decimal("0.0067"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"request_id": "r-1", "status": "QUEUED", "poll_url": "https://files.example.com/poll"}',
        b"<html><body>Sign in to continue</body></html>",
        b"upstream connect error",
        b"[]",
        b'{"output": "see the attached file"}',
        b"[" * 100_000,
    ],
)
def test_text_without_audio_is_unreadable(spool: Path, body: bytes) -> None:
    """A 200 of text in which there is no audio is tried again, with its beginning kept for the operator."""
    with bare(reply("200 OK", body, "Content-Type: audio/wav")) as (client, _):
        answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.audio) == (Failure.UNREADABLE, None)
    assert verdict(answer).code == "unreadable_answer"
    assert not list(spool.parent.iterdir())


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "401 Unauthorized", "500 Internal Server Error"])
@pytest.mark.parametrize("body", [f'{{"error": "bad key {KEY}"}}', f"<html>{KEY}</html>", f"{'x' * 1_995} {KEY}", ""])
def test_no_answer_holds_the_key(
    spool: Path, status: str, body: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """An API that echoes the key wherever it can: nothing of it is in the answer, the verdict or a log."""
    caplog.set_level("DEBUG")
    headers = (f"Content-Type: {KEY}", f"x-request-id: id-{KEY}", f"Location: https://x/{KEY}", f"x-cost: {KEY}")
    with bare(reply(status, body.encode(), *headers)) as (client, server):
        answer = run_here(client.synthesize(SPEECH, spool))
    assert KEY.encode() in server.requests[0]
    assert KEY not in repr(answer) + repr(verdict(answer)) + repr(client) + caplog.text + "".join(capfd.readouterr())


def test_a_full_disk_is_an_error_of_this_machine(client: Client, spool: Path) -> None:
    """A disk that takes no byte is an error of its own, with the cause, and carries what the call had cost."""
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")
    spool.with_name(spool.name + PART_SUFFIX).symlink_to("/dev/full")
    with pytest.raises(SpoolError, match="No space left") as caught:
        run_here(client.synthesize(SPEECH, spool))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.answer is not None
    assert caught.value.answer.cost == MODELS[SPEECH.model].price


def test_closed_client_answers_still(client: Client, spool: Path) -> None:
    """A call that comes after the close finds no connection; it doesn't raise."""
    client.close()
    answer = run_here(client.synthesize(SPEECH, spool))
    assert (answer.failure, answer.sent) == (Failure.CONNECT, False)


def test_missing_spool_folder_costs_nothing(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    """A spool that takes no file is found out before the call."""
    with pytest.raises(SpoolError):
        run_here(client.synthesize(SPEECH, tmp_path / "gone" / "take"))
    assert emulator.state().calls == 0
