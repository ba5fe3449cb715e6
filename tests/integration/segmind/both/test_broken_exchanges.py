"""What every client makes of broken connections, replies and disks: one suite, run against both versions."""

from __future__ import annotations

import contextlib
import errno
import json
import socket
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from api_models.registry import MODELS
from api_models.verdict import GateScope, VerdictKind
from tests.integration.segmind.both.conftest import SPEECH, bare, faulty
from tests.integration.segmind_clients import KEY, make_client
from tests.servers.bare import BareServer, reply
from worker.concurrency.futures import run_here
from worker.emulator.api.responses import Ending
from worker.emulator.server import Emulator
from worker.segmind.answers import Answer, Credits, Failure
from worker.segmind.client import Client
from worker.segmind.errors import SpoolError, UnusableAddressError, UnusableKeyError
from worker.segmind.spool import PART_SUFFIX
from worker.segmind.verdicts import verdict


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
