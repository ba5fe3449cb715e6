"""The emulator's v2 over real connections, and a scenario's changes while it runs."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from decimal import Decimal

import pytest
import urllib3
from urllib3.exceptions import ProtocolError

from worker.emulator.account import AccountChange
from worker.emulator.admin import Admin
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.responses import Ending
from worker.emulator.config import DEFAULT_KEY, EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Step, Take
from worker.emulator.latency import Latency
from worker.emulator.ledger import text_hash
from worker.emulator.limits import Limit
from worker.emulator.scenario import Change, ModelSwitch, Scenario
from worker.emulator.scenario_player import run_scenario
from worker.emulator.server import Emulator, serve

SLUG = "gemini-3.1-flash-tts"
HEADERS = {"x-api-key": DEFAULT_KEY, "content-type": "application/json"}


class Caller:
    """A client of v2 as anyone would write it."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = urllib3.PoolManager(retries=False, timeout=20)

    def submit(self, text: str = "Good morning.", headers: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        """One submission."""
        body = json.dumps({"text": text}).encode()
        return self.http.request("POST", f"{self.base_url}/v2/{SLUG}", body=body, headers=headers or HEADERS)

    def get(self, url: str, headers: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        """One fetch, with the key where no other headers are given."""
        return self.http.request("GET", url, headers=HEADERS if headers is None else headers)

    def status(self) -> int:
        """Of one call of v1."""
        body = b'{"text": "Good morning."}'
        return self.http.request("POST", f"{self.base_url}/v1/{SLUG}", body=body, headers=HEADERS).status


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    """One emulator for the module, which keeps its files under another of the machine's names."""
    with Emulator(EmulatorConfig(files_host="localhost")) as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator) -> Emulator:
    """The emulator as new."""
    running.admin.reset()
    return running


@pytest.fixture
def caller(emulator: Emulator) -> Iterator[Caller]:
    """A client whose connections are closed at the end."""
    client = Caller(emulator.base_url)
    yield client
    client.http.clear()


def test_from_submission_to_file(emulator: Emulator, caller: Caller) -> None:
    """The three addresses lead to the state and the result, the result to the file, which needs no key."""
    handle = caller.submit().json()
    assert handle["status"] == "QUEUED"
    assert all(handle[name].startswith(caller.base_url) for name in ("poll_url", "status_url", "response_url"))
    assert "output" not in caller.get(handle["status_url"]).json()
    whole = caller.get(handle["response_url"]).json()
    assert whole == caller.get(handle["poll_url"]).json()
    assert whole["output"].startswith("http://localhost:")
    file = caller.get(whole["output"], headers={})
    assert (file.status, file.data[:4], len(file.data)) == (200, b"RIFF", whole["audio"]["file_size"])
    state = emulator.state()
    assert (state.submits, state.polls, state.files, state.files_with_key) == (1, 3, 1, 0)
    assert state.billed_texts == {text_hash("Good morning."): 1}


def test_a_submission_is_answered_at_once(emulator: Emulator, caller: Caller) -> None:
    """However long the run takes; it is in flight until it ends."""
    emulator.admin.latency(Latency(seconds=600))
    handle = caller.submit().json()
    assert caller.get(handle["status_url"]).json()["status"] == "QUEUED"
    state = emulator.state()
    assert (state.in_flight, state.billed_calls) == (1, 0)


def test_a_run_ends_by_itself(emulator: Emulator, caller: Caller) -> None:
    """It is billed in real time, without a single poll."""
    emulator.admin.latency(Latency(seconds=0.2))
    caller.submit()
    while emulator.state(detail=False).in_flight:
        pass
    assert emulator.state().billed_calls == 1


def test_keys_paths_and_verbs(caller: Caller) -> None:
    """401 without the key, 404 for an unknown id, 405 as a page."""
    handle = caller.submit().json()
    assert caller.submit(headers={"content-type": "application/json"}).status == 401
    assert caller.get(handle["status_url"], headers={}).status == 401
    assert caller.get(f"{caller.base_url}/v2/requests/none").status == 404
    assert caller.get(f"{caller.base_url}/v2/{SLUG}").status == 405


@pytest.mark.parametrize(("ending", "billed"), [(Ending.RESET, 0), (Ending.LOST, 1)])
def test_a_lost_reply_to_a_submission(emulator: Emulator, caller: Caller, ending: Ending, billed: int) -> None:
    """The caller sees a reset in both cases; only the bill differs."""
    emulator.admin.rules([Rule(effect=Effect(ending=ending))])
    with pytest.raises(ProtocolError, match="reset"):
        caller.submit()
    assert (emulator.state().billed_calls, emulator.state().submits) == (billed, 1)


def test_faults_on_polls_and_files(emulator: Emulator, caller: Caller) -> None:
    """A status, a cut body, a lost connection, a delay; each at its step."""
    handle = caller.submit().json()
    poll = Match(step=Step.POLL)
    emulator.admin.rules(
        [
            Rule(match=poll, effect=Effect(status=503), times=1),
            Rule(match=poll, effect=Effect(ending=Ending.RESET), times=1),
            Rule(match=poll, effect=Effect(ending=Ending.CUT), times=1),
            Rule(match=poll, effect=Effect(delay_seconds=0.01), times=1),
            Rule(match=Match(step=Step.FILE), effect=Effect(ending=Ending.CUT), times=1),
        ]
    )
    url = handle["response_url"]
    assert caller.get(url).status == 503
    with pytest.raises(ProtocolError, match="reset"):
        caller.get(url)
    with pytest.raises(ProtocolError, match="IncompleteRead"):
        caller.get(url)
    whole = caller.get(url).json()
    with pytest.raises(ProtocolError, match="IncompleteRead"):
        caller.get(whole["output"])
    assert caller.get(whole["output"]).status == 200
    assert emulator.state().poll_statuses == {"200": 1, "503": 1, "cut": 1, "reset": 1}


def test_a_huge_file(emulator: Emulator, caller: Caller) -> None:
    """As long as its description says."""
    emulator.admin.rules([Rule(effect=Effect(take=Take.HUGE, size_bytes=2_000_000))])
    whole = caller.get(caller.submit().json()["response_url"]).json()
    assert whole["audio"]["file_size"] == len(caller.get(whole["output"]).data) == 2_000_000


def test_changes_happen_in_their_time(emulator: Emulator, caller: Caller) -> None:
    """Each kind of change, by the clock that is passed in, in the order of time and not of the file."""
    changes = (
        Change(at_seconds=50, model=ModelSwitch(slug=SLUG, state=ModelState.OK)),
        Change(at_seconds=10, account=AccountChange(credits=Decimal("0.001"))),
        Change(at_seconds=20, account=AccountChange(credits=Decimal(5))),
        Change(at_seconds=20, rules=(Rule(effect=Effect(status=502)),)),
        Change(at_seconds=30, rules=()),
        Change(at_seconds=40, model=ModelSwitch(slug=SLUG, state=ModelState.RETIRED)),
        Change(at_seconds=60, limit=Limit(rpm=1)),
    )
    now = 0.0
    seen: list[tuple[float, int]] = []

    def wait(seconds: float) -> bool:
        nonlocal now
        seen.append((now, caller.status()))
        now += seconds
        return False

    run_scenario(Scenario(changes=changes), emulator.admin, wait, lambda: now)
    seen += [(now, caller.status()) for _ in range(2)]
    assert seen == [(0, 200), (10, 406), (20, 200), (20, 502), (30, 200), (40, 410), (50, 200), (60, 200), (60, 429)]


def test_a_stopped_scenario_changes_nothing_more(emulator: Emulator, caller: Caller) -> None:
    """A wait that is broken off ends it."""
    change = Change(at_seconds=5, account=AccountChange(key_valid=False))
    run_scenario(Scenario(changes=(change,)), emulator.admin, lambda _: True)
    assert caller.status() == 200


def test_an_emulator_plays_its_scenario() -> None:
    """Changes happen while it runs, and don't keep it from stopping."""
    soon = Change(at_seconds=0, account=AccountChange(credits=Decimal(7)))
    late = Change(at_seconds=3_600, account=AccountChange(credits=Decimal(0)))
    with Emulator(Scenario(changes=(late, soon))) as emulator:
        while emulator.state(detail=False).credits != 7:
            pass


def test_serving_a_scenario_in_another_process() -> None:
    """The foreground server plays it too."""
    context = multiprocessing.get_context("spawn")
    addresses: multiprocessing.Queue[str] = context.Queue()
    scenario = Scenario(changes=(Change(at_seconds=0, account=AccountChange(credits=Decimal(7))),))
    process = context.Process(target=serve, args=(scenario, addresses.put), daemon=True)
    process.start()
    try:
        with Admin(addresses.get(timeout=30)) as admin:
            while admin.state(detail=False).credits != 7:
                pass
    finally:
        process.terminate()
        process.join(30)
        addresses.close()
    assert process.exitcode is not None
