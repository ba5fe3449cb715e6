"""The emulator's v2 at its desk: states over time, money, expiry, faults. No socket, no waiting; time is data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from api_models.registry import MODELS
from worker.emulator.account import AccountChange
from worker.emulator.api import v1, v2
from worker.emulator.api.calls import Call
from worker.emulator.api.responses import Answer, Ending, OutputShape
from worker.emulator.api.v2 import View, Visit
from worker.emulator.config import DEFAULT_KEY, EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Step, Take
from worker.emulator.ledger import State, text_hash
from worker.emulator.vendor import Vendor

SLUG = "gemini-3.1-flash-tts"
PRICE = MODELS[SLUG].price
URL = "http://emulator"
FILES = "http://files"


@dataclass(slots=True)
class Desk:
    """A vendor of v2, its clock in the test's hands."""

    settings: dict[str, object] = field(default_factory=dict)
    now: float = 0.0

    def __post_init__(self) -> None:
        """Opens at noon of no particular day."""
        config = EmulatorConfig.model_validate({"audio_bytes": 1_000, "latency_seconds": 8} | self.settings)
        self.vendor = Vendor(config, lambda: 1_000.0 + self.now, lambda: self.now)

    vendor: Vendor = field(init=False)

    def submit(self, text: str = "Hello.", key: str = DEFAULT_KEY) -> Answer:
        """One submission."""
        call = Call(slug=SLUG, key=key, bearer=False, content_type="application/json", fields={"text": text})
        return v2.submit(self.vendor, call, URL)

    def accepted(self, text: str = "Hello.") -> str:
        """One submission that is taken: its id."""
        return str(fields(self.submit(text))["request_id"])

    def poll(self, request_id: str, view: View = View.STATUS, key: str | None = DEFAULT_KEY) -> Answer:
        """One poll."""
        return v2.poll(self.vendor, Visit(request_id, view, key, bearer=False, base_url=URL, files_url=FILES))

    def rules(self, *rules: Rule) -> None:
        """The faults from now on."""
        self.vendor.set_rules(rules, append=False)

    def state(self) -> State:
        """A snapshot."""
        return self.vendor.state(detail=True)


def fields(answer: Answer) -> dict[str, Any]:
    """The body of a JSON answer, its fractions exact."""
    found: dict[str, Any] = json.loads(answer.body, parse_float=Decimal)
    return found


def test_a_submission_is_answered_with_a_handle_and_three_addresses() -> None:
    """QUEUED, an id, the two endpoints of v2 and the older one; no price is paid yet, but one is held."""
    emulated = Desk()
    answer = emulated.submit()
    found = fields(answer)
    own = f"{URL}/v2/requests/{found['request_id']}"
    assert (answer.status, answer.content_type, answer.wait_seconds) == (200, "application/json", 0)
    assert found == {
        "request_id": found["request_id"],
        "status": "QUEUED",
        "poll_url": f"{URL}/v1/requests/{found['request_id']}",
        "status_url": f"{own}/status",
        "response_url": own,
    }
    state = emulated.state()
    assert (state.calls, state.submits, state.in_flight, state.billed_calls) == (1, 1, 1, 0)
    assert emulated.vendor.account.available == 1_000 - PRICE


def test_a_run_goes_through_its_states() -> None:
    """Queued for its share of the latency, then processing, then completed; polls change nothing."""
    emulated = Desk({"queued_share": 0.25})
    request_id = emulated.accepted()
    seen = []
    for now in (0, 1.9, 2.0, 7.9, 8.0, 100):
        emulated.now = now
        seen.append(fields(emulated.poll(request_id))["status"])
    assert seen == ["QUEUED", "QUEUED", "PROCESSING", "PROCESSING", "COMPLETED", "COMPLETED"]
    assert (emulated.state().polls, emulated.state().polls_by_request) == (6, {request_id: 6})


def test_a_completed_run_names_its_metrics_and_its_output_where_it_is_asked_for() -> None:
    """The status is brief; the result has the output, the described file, and the same exact metrics."""
    emulated = Desk({"credits": Decimal("1.00"), "queued_share": 0.25})
    request_id = emulated.accepted()
    emulated.now = 8
    brief, whole = (fields(emulated.poll(request_id, view)) for view in (View.STATUS, View.RESULT))
    metrics = {
        "cost": PRICE,
        "remaining_credits": Decimal("0.9933"),
        "inference_time": Decimal("6.000"),
        "queue_time": Decimal("2.000"),
        "total_time": Decimal("8.000"),
        "retry_count": 0,
    }
    assert brief == {"request_id": request_id, "status": "COMPLETED", "metrics": metrics}
    url = f"{FILES}/files/{request_id}.wav"
    assert (whole["output"], whole["error"], whole["metrics"]) == (url, None, metrics)
    assert whole["audio"] == {
        "url": url,
        "content_type": "audio/wav",
        "file_name": f"{request_id}.wav",
        "file_size": 1_000,
    }
    assert len(v1.file(emulated.vendor, f"{request_id}.wav", with_key=False).body) == 1_000


@pytest.mark.parametrize("shape", OutputShape)
def test_every_shape_of_output(shape: OutputShape) -> None:
    """As configured, and as a rule says for one run."""
    for emulated in (Desk({"output": shape}), Desk({"rules": [Rule(effect=Effect(output=shape))]})):
        request_id = emulated.accepted()
        emulated.now = 8
        whole = fields(emulated.poll(request_id, View.RESULT))
        url = f"{FILES}/files/{request_id}.wav"
        expected = {
            OutputShape.AUDIO: url,
            OutputShape.URL: url,
            OutputShape.LIST: [url],
            OutputShape.OBJECT: {"audio": {"url": url}},
        }
        match shape:
            case OutputShape.OBJECT:
                assert whole["output"]["audio"]["url"] == url
            case OutputShape.DATA_URI:
                assert whole["output"].startswith("data:audio/wav;base64,UklGR")
            case OutputShape.BASE64:
                assert whole["output"].startswith("UklGR")
            case _:
                assert whole["output"] == expected[shape]
        assert ("audio" in whole) is (shape is OutputShape.AUDIO)


def test_a_result_is_no_output_before_its_time() -> None:
    """Asked too early, the result says how the run stands."""
    emulated = Desk()
    found = fields(emulated.poll(emulated.accepted(), View.RESULT))
    assert (found["status"], "output" in found) == ("QUEUED", False)


def test_a_run_is_billed_once_when_it_completes_polled_or_not() -> None:
    """Not before, not again; in the order in which runs end, at the time they ended."""
    emulated = Desk({"rules": [Rule(match=Match(text_contains="slow"), effect=Effect(delay_seconds=5))]})
    slow, quick = emulated.accepted("slow"), emulated.accepted("quick")
    emulated.now = 7.9
    assert emulated.state().billed_calls == 0
    emulated.now = 50
    for _ in range(5):
        emulated.poll(quick, View.RESULT)
    bill = emulated.state().bill
    assert [(line.request_id, line.at) for line in bill] == [(quick, 1_008.0), (slow, 1_013.0)]
    assert emulated.state().billed_texts == {text_hash("slow"): 1, text_hash("quick"): 1}
    assert emulated.state().credits == 1_000 - 2 * PRICE
    assert (emulated.state().in_flight, emulated.vendor.account.held) == (0, Decimal(0))


@pytest.mark.parametrize("status", [422, 200])
def test_a_failed_run(status: int) -> None:
    """FAILED with its words under the status asked for, unbilled, its price given back."""
    effect = Effect(run_fails=True, failed_status=status, message="no voice today")
    emulated = Desk({"rules": [Rule(effect=effect)]})
    request_id = emulated.accepted()
    emulated.now = 8
    for view in View:
        answer = emulated.poll(request_id, view)
        found = fields(answer)
        assert (answer.status, found["status"], found["error"]) == (status, "FAILED", "no voice today")
        assert found["metrics"]["cost"] == 0
    assert (emulated.state().billed_calls, emulated.vendor.account.available) == (0, Decimal(1_000))


def test_v1_answers_a_run_that_fails_with_an_error() -> None:
    """The same rule serves both ways to call."""
    emulated = Desk({"rules": [Rule(effect=Effect(run_fails=True, message="no voice today"))]})
    call = Call(SLUG, DEFAULT_KEY, bearer=False, content_type="application/json", fields={"text": "x"})
    answer = v1.settle(emulated.vendor, v1.receive(emulated.vendor, call), URL)
    assert (answer.status, fields(answer)) == (500, {"error": "no voice today"})
    assert (emulated.state().billed_calls, emulated.vendor.account.held) == (0, Decimal(0))


def test_records_expire() -> None:
    """After its time a record answers 404; what it cost stays billed; files outlive it."""
    emulated = Desk({"record_seconds": 60})
    request_id = emulated.accepted()
    emulated.now = 59.9
    emulated.poll(request_id, View.RESULT)
    emulated.now = 60
    answer = emulated.poll(request_id)
    assert (answer.status, "expired" in fields(answer)["error"]) == (404, True)
    assert emulated.state().billed_calls == 1
    assert v1.file(emulated.vendor, request_id, with_key=False).status == 200
    assert emulated.state().poll_statuses == {"200": 1, "404": 1}


def test_a_run_longer_than_its_record_is_billed_all_the_same() -> None:
    """The vendor forgets the record, not the money."""
    emulated = Desk({"record_seconds": 5})
    request_id = emulated.accepted()
    emulated.now = 20
    assert emulated.poll(request_id).status == 404
    assert emulated.state().billed_calls == 1


def test_unknown_requests_and_wrong_keys() -> None:
    """404 for an id that was never given; 401 without the key, as everywhere."""
    emulated = Desk()
    request_id = emulated.accepted()
    assert emulated.poll("other").status == 404
    assert emulated.poll(request_id, key=None).status == 401
    emulated.vendor.change_account(AccountChange(key_valid=False))
    assert emulated.poll(request_id).status == 401


def test_a_submission_passes_the_same_door() -> None:
    """Key, rate and money are checked as for v1; a refused one leaves no record."""
    emulated = Desk({"credits": PRICE, "rpm": 2})
    assert emulated.submit(key="wrong").status == 401
    assert [emulated.submit().status for _ in range(3)] == [200, 406, 429]
    state = emulated.state()
    assert (state.submits, state.in_flight, state.statuses) == (4, 1, {"200": 1, "401": 1, "406": 1, "429": 1})


@pytest.mark.parametrize(("counted", "statuses"), [(False, [200] * 4), (True, [200, 200, 429, 429])])
def test_polls_count_against_the_limit_or_not(counted: bool, statuses: list[int]) -> None:
    """Both readings of the vendor's silence."""
    emulated = Desk({"rpm": 3, "count_polls": counted})
    request_id = emulated.accepted()
    assert [emulated.poll(request_id).status for _ in range(4)] == statuses
    assert emulated.state().refused_by_limit == 0


def test_a_lost_reply_leaves_the_run_under_way_and_a_reset_none() -> None:
    """What the caller can't tell apart differs in the bill."""
    lost = Rule(match=Match(text_contains="lost"), effect=Effect(ending=Ending.LOST))
    dropped = Rule(match=Match(text_contains="reset"), effect=Effect(ending=Ending.RESET))
    emulated = Desk({"rules": [lost, dropped]})
    assert [emulated.submit(text).ending for text in ("lost", "reset")] == [Ending.LOST, Ending.RESET]
    emulated.now = 8
    state = emulated.state()
    assert state.billed_texts == {text_hash("lost"): 1}
    assert (state.statuses, state.in_flight) == ({"lost": 1, "reset": 1}, 0)
    assert emulated.vendor.account.held == 0


def test_a_scripted_refusal_of_a_submission() -> None:
    """An error instead of a handle, after its own delay, unbilled."""
    emulated = Desk({"rules": [Rule(effect=Effect(status=502, delay_seconds=3))]})
    answer = emulated.submit()
    assert (answer.status, answer.wait_seconds) == (502, 3)
    assert (emulated.state().in_flight, emulated.state().billed_calls) == (0, 0)


def test_faults_of_polls_are_counted_apart_from_those_of_calls() -> None:
    """The n-th poll of a text fails, whatever was submitted; words take the place of the true state."""
    emulated = Desk()
    emulated.rules(
        Rule(match=Match(step=Step.POLL, nth_of_text=(2,)), effect=Effect(status=500)),
        Rule(match=Match(step=Step.POLL, nth_of_text=(3,)), effect=Effect(word="WARMING_UP")),
        Rule(match=Match(step=Step.POLL, nth_of_text=(4,)), effect=Effect(ending=Ending.RESET)),
        Rule(match=Match(nth=(2,)), effect=Effect(status=504)),
    )
    first = emulated.accepted("one")
    assert emulated.submit("two").status == 504
    answers = [emulated.poll(first) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 500, 200, 200, 200]
    assert fields(answers[2])["status"] == "WARMING_UP"
    assert [answer.ending for answer in answers[3:]] == [Ending.RESET, Ending.WHOLE]
    assert emulated.state().poll_statuses == {"200": 3, "500": 1, "reset": 1}


def test_faults_of_files() -> None:
    """A file's host has troubles of its own, by the text that the file speaks."""
    emulated = Desk()
    emulated.rules(Rule(match=Match(step=Step.FILE, text_contains="Hello"), effect=Effect(status=503), times=1))
    request_id = emulated.accepted()
    emulated.now = 8
    emulated.poll(request_id, View.RESULT)
    statuses = [v1.file(emulated.vendor, f"{request_id}.wav", with_key=False).status for _ in range(2)]
    assert (statuses, emulated.state().files) == ([503, 200], 2)


@pytest.mark.parametrize(
    ("take", "size"),
    [(Take.EMPTY, 0), (Take.HEADER_ONLY, 44), (Take.HUGE, 5_000), (Take.JSON_URL, 1_000), (Take.TRUNCATED, 520)],
)
def test_bad_takes_are_bad_files(take: Take, size: int) -> None:
    """The address serves what v1 would send as its body, with the true size."""
    emulated = Desk({"rules": [Rule(effect=Effect(take=take, size_bytes=5_000, share=0.5, output=OutputShape.AUDIO))]})
    request_id = emulated.accepted()
    emulated.now = 8
    whole = fields(emulated.poll(request_id, View.RESULT))
    file = v1.file(emulated.vendor, f"{request_id}.wav", with_key=False)
    assert whole["audio"]["file_size"] == max(len(file.body), file.stretched_to_bytes)
    assert abs(whole["audio"]["file_size"] - size) <= 4


def test_an_error_in_place_of_the_output_is_billed() -> None:
    """COMPLETED, with words and nothing to hear."""
    emulated = Desk({"rules": [Rule(effect=Effect(take=Take.JSON_ERROR, message="the tape ran out"))]})
    request_id = emulated.accepted()
    emulated.now = 8
    whole = fields(emulated.poll(request_id, View.RESULT))
    assert (whole["status"], whole["output"], whole["error"]) == ("COMPLETED", None, "the tape ran out")
    assert emulated.state().billed_calls == 1


def test_metrics_can_be_left_out() -> None:
    """By the names of v1's headers that say the same."""
    emulated = Desk({"rules": [Rule(effect=Effect(without_headers=("X-Cost",)))]})
    request_id = emulated.accepted()
    emulated.now = 8
    metrics = fields(emulated.poll(request_id))["metrics"]
    assert ("cost" in metrics, "remaining_credits" in metrics) == (False, True)


def test_a_reset_forgets_runs() -> None:
    """Their ids lead nowhere, and they touch no books any more."""
    emulated = Desk()
    request_id = emulated.accepted()
    emulated.vendor.reset()
    emulated.now = 100
    assert emulated.poll(request_id).status == 404
    assert (emulated.state().billed_calls, emulated.state().in_flight) == (0, 0)


def test_money_in_flight_is_held() -> None:
    """Two concurrent runs never share one price; a failed one returns it to the next."""
    emulated = Desk({"credits": PRICE, "rules": [Rule(effect=Effect(run_fails=True), times=1)]})
    emulated.accepted("first")
    assert emulated.submit("second").status == 406
    emulated.now = 8
    assert emulated.submit("third").status == 200
    emulated.now = 16
    assert emulated.state().credits == 0
