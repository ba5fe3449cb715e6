"""The emulator over real connections: every status of the API, every ending of a reply, and its admin endpoints."""

from __future__ import annotations

import io
import json
import multiprocessing
import socket
import time
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead

import pytest
import urllib3
from urllib3.exceptions import ProtocolError

from worker.emulator.admin import Admin
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.responses import BodyShape, Ending
from worker.emulator.config import DEFAULT_KEY, EmulatorConfig
from worker.emulator.errors import AdminRefusedError, CannotListenError, NotRunningError
from worker.emulator.faults import Effect, Match, Rule, Take
from worker.emulator.latency import Latency
from worker.emulator.ledger import text_hash
from worker.emulator.limits import Limit
from worker.emulator.server import Emulator, serve

SLUG = "gemini-3.1-flash-tts"


class Caller:
    """A client of the API as anyone would write it."""

    def __init__(self, emulator: Emulator) -> None:
        self.base_url = emulator.base_url
        self.http = urllib3.PoolManager(maxsize=64, retries=False, timeout=20)
        self.headers = {"x-api-key": emulator.key, "content-type": "application/json"}

    def speak(
        self, text: str = "Good morning.", *, slug: str = SLUG, headers: dict[str, str] | None = None, **fields: object
    ) -> urllib3.BaseHTTPResponse:
        """One call."""
        body = json.dumps({"text": text} | fields).encode()
        url = f"{self.base_url}/v1/{slug}"
        return self.http.request("POST", url, body=body, headers=self.headers if headers is None else headers)

    def get(self, path: str, headers: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        """One fetch, with the key where no other headers are given."""
        return self.http.request("GET", self.base_url + path, headers=self.headers if headers is None else headers)


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    """One emulator for the module."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator) -> Emulator:
    """The emulator as new."""
    running.admin.reset()
    return running


@pytest.fixture
def caller(emulator: Emulator) -> Iterator[Caller]:
    """A client whose connections are closed at the end."""
    client = Caller(emulator)
    yield client
    client.http.clear()


def script(emulator: Emulator, **effect: object) -> None:
    """Every call from now on has this effect."""
    emulator.admin.rules([Rule(effect=Effect.model_validate(effect))])


@pytest.mark.parametrize("slug", ["gemini-3.1-flash-tts", "gemini-2.5-flash-tts"])
def test_a_call_is_answered_with_a_wav(caller: Caller, slug: str) -> None:
    """24 kHz, 16 bits, mono, announced as what it is, of the announced length, with the account headers."""
    reply = caller.speak("A few words, spoken.", slug=slug, voice_1="Puck", temperature=0.4)
    assert (reply.status, reply.headers["content-type"]) == (200, "audio/wav")
    assert {"x-cost", "x-remaining-credits", "x-request-id", "x-generation-time"} <= {*reply.headers}
    assert int(reply.headers["content-length"]) == len(reply.data)
    with wave.open(io.BytesIO(reply.data)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (24_000, 2, 1)
        assert 1 < file.getnframes() / 24_000 < 3


def test_the_key_goes_into_its_own_header(caller: Caller) -> None:
    """No key, a wrong key or a bearer token: 401 in the shape of the key check."""
    kind = {"content-type": "application/json"}
    for headers in (kind, kind | {"x-api-key": "wrong"}, kind | {"authorization": f"Bearer {DEFAULT_KEY}"}):
        reply = caller.speak(headers=headers)
        assert reply.status == 401
        assert set(reply.json()) == {"error", "error_description", "status_code"}


def test_the_body_must_be_announced_as_json_and_be_right(caller: Caller) -> None:
    """406 without the content type, 400 for a bad field and for bytes that are no JSON."""
    key = {"x-api-key": DEFAULT_KEY}
    assert caller.speak(headers=key).json() == {"error": "Invalid content type"}
    assert caller.speak(voice_1="Unknown").status == 400
    url = f"{caller.base_url}/v1/{SLUG}"
    for body in (b"", b"\xff", b"[]", b'"text"'):
        assert caller.http.request("POST", url, body=body, headers=caller.headers).status == 400


def test_unknown_models_paths_and_verbs(caller: Caller) -> None:
    """404 as JSON, 405 as a page."""
    assert caller.speak(slug="nothing").json() == {"error": "Model not found: nothing"}
    assert caller.get("/elsewhere").json() == {"error": "Endpoint not found"}
    wrong = caller.get(f"/v1/{SLUG}")
    assert (wrong.status, wrong.headers["content-type"]) == (405, "text/html; charset=utf-8")
    assert wrong.headers["allow"] == "POST"


def test_over_the_limit(emulator: Emulator, caller: Caller) -> None:
    """429 with the reset stamp, until the limit is lifted; the credits endpoint isn't limited."""
    emulator.admin.limit(Limit(rpm=2))
    assert [caller.speak().status for _ in range(4)] == [200, 200, 429, 429]
    assert caller.speak().headers["x-rate-limit-reset-at-utc"].endswith("Z")
    assert caller.get("/v1/get-user-credits").status == 200
    emulator.admin.limit(Limit())
    assert caller.speak().status == 200
    state = emulator.state()
    assert (state.statuses, state.refused_by_limit) == ({"200": 3, "429": 3}, 3)
    assert len(state.admitted_at) == 3
    assert len(state.refused_at) == 3


def test_out_of_credit_and_back(emulator: Emulator, caller: Caller) -> None:
    """406 names balance and price; topped up, calls are served; the credits endpoint shows each balance."""
    emulator.admin.account(credits=Decimal("0.0066"))
    assert "balance is $0.0066 and this model needs $0.0067" in caller.speak().json()["error"]
    assert caller.get("/v1/get-user-credits").data == b'{"credits": 0.0066, "free-credits": 0}'
    emulator.admin.account(free_credits=Decimal("0.0001"))
    assert caller.speak().headers["x-remaining-credits"] == "0.0000"
    assert caller.get("/v1/get-user-credits", {"x-api-key": "wrong"}).status == 401


def test_account_and_model_errors(emulator: Emulator, caller: Caller) -> None:
    """Key, spend limit and each state of a model, switched at run time."""
    emulator.admin.account(key_valid=False)
    assert caller.speak().status == 401
    emulator.admin.account(key_valid=True, spend_limit_reached=True)
    assert "Spend limit" in caller.speak().json()["error"]
    emulator.admin.account(spend_limit_reached=False)
    for state, status in ((ModelState.NOT_FOUND, 404), (ModelState.FORBIDDEN, 403), (ModelState.RETIRED, 410)):
        emulator.admin.model(SLUG, state)
        assert caller.speak().status == status
    emulator.admin.model(SLUG, ModelState.OK)
    assert caller.speak().status == 200


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 410, 422, 429, 500, 502, 504])
def test_every_status_can_be_scripted(emulator: Emulator, caller: Caller, status: int) -> None:
    """With the words and the shape of the script, and unbilled."""
    script(emulator, status=status, message="scripted", shape=BodyShape.DETAIL)
    reply = caller.speak()
    assert (reply.status, reply.json()) == (status, {"detail": "scripted"})
    assert emulator.state().billed == 0


def test_an_empty_error(emulator: Emulator, caller: Caller) -> None:
    """A status with nothing beside it."""
    script(emulator, status=500, shape=BodyShape.EMPTY)
    assert caller.speak().data == b""


@pytest.mark.parametrize(("ending", "billed"), [(Ending.RESET, 0), (Ending.LOST, 1)])
def test_a_reset_connection(emulator: Emulator, caller: Caller, ending: Ending, billed: int) -> None:
    """The caller sees a reset in both cases; only the bill differs."""
    script(emulator, ending=ending)
    with pytest.raises(ProtocolError, match="reset"):
        caller.speak()
    state = emulator.state()
    assert (state.billed_calls, state.statuses) == (billed, {ending.value: 1})


def test_a_cut_body(emulator: Emulator, caller: Caller) -> None:
    """Fewer bytes than announced, then the end of the connection; billed."""
    script(emulator, ending=Ending.CUT, share=0.5)
    with pytest.raises(ProtocolError) as caught:
        caller.speak()
    missing = caught.value.args[1]
    assert isinstance(missing, IncompleteRead)
    assert missing.expected is not None
    assert missing.expected > 10_000
    assert str(missing).startswith(f"IncompleteRead({missing.expected} bytes read")
    assert emulator.state().billed_calls == 1


def test_a_slow_body_and_a_huge_one_arrive_whole(emulator: Emulator, caller: Caller) -> None:
    """In pieces, or in many zeros; the announced length holds."""
    plain = caller.speak().data
    script(emulator, ending=Ending.SLOW, body_seconds=0.02)
    assert caller.speak().data == plain
    script(emulator, take=Take.HUGE, size_bytes=3_000_000)
    huge = caller.speak().data
    assert len(huge) == 3_000_000
    with wave.open(io.BytesIO(huge)) as file:
        assert file.getnframes() == (3_000_000 - 44) // 2


def test_bodies_that_are_no_plain_wav(emulator: Emulator, caller: Caller) -> None:
    """Empty, mislabelled, and JSON by address, whose file is served without a key."""
    script(emulator, take=Take.EMPTY)
    assert (caller.speak().status, caller.speak().data) == (200, b"")
    script(emulator, content_type="audio/mpeg")
    mislabelled = caller.speak()
    assert (mislabelled.headers["content-type"], mislabelled.data[:4]) == ("audio/mpeg", b"RIFF")
    script(emulator, take=Take.JSON_URL)
    url = caller.speak().json()["audio"]
    assert url.startswith(caller.base_url)
    assert caller.get(url.removeprefix(caller.base_url), headers={}).data == mislabelled.data


def test_many_callers_wait_side_by_side(emulator: Emulator, caller: Caller) -> None:
    """Fifty calls are in flight at once, and each ends with its own text's audio, billed once."""
    emulator.admin.latency(Latency(seconds=5.0))  # in which fifty threads have begun, however busy the machine
    texts = [f"Line {number}." for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(caller.speak, texts))
    state = emulator.state()
    assert {reply.status for reply in replies} == {200}
    assert (state.in_flight, state.max_in_flight) == (0, 50)
    assert state.billed_texts == {text_hash(text): 1 for text in texts}


def test_a_caller_that_goes_away_is_billed_all_the_same(emulator: Emulator, caller: Caller) -> None:
    """The vendor's models don't notice it: the call runs on and is paid for."""
    address = ("127.0.0.1", int(emulator.base_url.rpartition(":")[2]))
    body = b'{"text": "No one listens."}'
    head = f"POST /v1/{SLUG} HTTP/1.1\r\nhost: emulator\r\nx-api-key: {DEFAULT_KEY}\r\n"
    kind = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    emulator.admin.latency(Latency(seconds=0.2))
    with socket.create_connection(address) as connection:
        connection.sendall(head.encode() + kind.encode() + body)
        while not emulator.state(detail=False).calls:
            pass
    while emulator.state(detail=False).in_flight:
        pass
    assert emulator.state().billed_texts == {text_hash("No one listens."): 1}
    assert caller.speak().status == 200


def test_faults_by_try(emulator: Emulator, caller: Caller) -> None:
    """The first try of each text fails, the second succeeds; more rules can be added behind."""
    emulator.admin.rules([Rule(match=Match(nth_of_text=(1,)), effect=Effect(status=500))])
    emulator.admin.rules([Rule(match=Match(text_contains="x"), effect=Effect(status=502))], append=True)
    assert [caller.speak(text).status for text in ("a", "b", "a", "b", "x", "x")] == [500, 500, 200, 200, 500, 502]


def test_admin_refuses_nonsense(emulator: Emulator, caller: Caller) -> None:
    """An unknown model or a misspelt field is an error, not a change."""
    with pytest.raises(AdminRefusedError, match="no model nothing"):
        emulator.admin.model("nothing", ModelState.OK)
    url = f"{caller.base_url}/_emulator/account"
    reply = caller.http.request("POST", url, body=b'{"credit": 1}')
    assert (reply.status, "credit" in reply.json()["error"]) == (400, True)
    assert emulator.state().credits == 1_000


def test_a_summary_leaves_the_long_lists_out(emulator: Emulator, caller: Caller) -> None:
    """For polling."""
    caller.speak()
    summary = emulator.state(detail=False)
    assert (summary.billed_calls, summary.bill, summary.texts, summary.admitted_at) == (1, [], {}, [])


def test_stopping_drops_calls_in_flight_and_frees_the_port() -> None:
    """A caller in mid-call sees the connection lost, never an invented answer; the same port can be taken again."""
    emulator = Emulator(EmulatorConfig(latency_seconds=60)).start()
    port = int(emulator.base_url.rpartition(":")[2])
    client = Caller(emulator)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.speak)
        while not emulator.state(detail=False).in_flight:
            pass
        emulator.stop()
        assert isinstance(waiting.exception(timeout=10), ProtocolError)
    client.http.clear()
    with pytest.raises(NotRunningError):
        emulator.state()
    with Emulator(EmulatorConfig(port=port)) as again, Admin(again.base_url) as admin:
        assert admin.state().calls == 0


def test_a_taken_port_is_named() -> None:
    """The error says which address, and why."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListenError, match=f"127.0.0.1:{port}"):
            Emulator(EmulatorConfig(port=port)).start()


def test_serving_in_the_foreground_of_another_process() -> None:
    """It prints its address once it accepts calls, and ends at SIGTERM."""
    context = multiprocessing.get_context("spawn")
    addresses: multiprocessing.Queue[str] = context.Queue()
    process = context.Process(target=serve, args=(EmulatorConfig(credits=Decimal("1.00")), addresses.put), daemon=True)
    process.start()
    try:
        with Admin(addresses.get(timeout=30)) as admin:
            assert admin.state().credits == 1
    finally:
        process.terminate()
        process.join(30)
        addresses.close()
    assert process.exitcode is not None


def test_each_response_is_dated_when_it_is_sent(caller: Caller) -> None:
    """Not by a timer, which falls behind on a busy machine: then `ttsq doctor` would accuse a clock."""
    for _ in range(20):
        asked = int(time.time())
        dates = caller.get("/v1/get-user-credits").headers.getlist("date")
        assert len(dates) == 1
        assert asked <= parsedate_to_datetime(dates[0]).timestamp() <= time.time()
