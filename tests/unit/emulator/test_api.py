"""The emulator's desk: the order of its checks, its answers, its money. No socket, no waiting; the clock stands."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from api_models.registry import MODELS
from worker.emulator.account import AccountChange
from worker.emulator.api import v1
from worker.emulator.api.calls import Call
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.responses import Answer, BodyShape, Ending
from worker.emulator.config import DEFAULT_KEY, EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Take
from worker.emulator.latency import Latency
from worker.emulator.ledger import text_hash
from worker.emulator.vendor import Vendor

SLUG = "gemini-3.1-flash-tts"
PRICE = MODELS[SLUG].price
URL = "http://emulator"


def vendor(**settings: object) -> Vendor:
    """A vendor whose clock stands still."""
    return Vendor(EmulatorConfig.model_validate({"audio_bytes": 1_000} | settings), lambda: 1_000.0)


def call(text: str = "Hello.", **changes: object) -> Call:
    """A good call, or one with something changed."""
    fields: dict[str, object] = {"text": text}
    good = Call(slug=SLUG, key=DEFAULT_KEY, bearer=False, content_type="application/json", fields=fields)
    return replace(good, **changes)  # type: ignore[arg-type]  # tests name the fields right


def answer(to: Vendor, request: Call) -> Answer:
    """The answer with the wait left out."""
    return v1.settle(to, v1.receive(to, request), URL)


def test_a_good_call_is_answered_with_audio_and_the_account_headers() -> None:
    """200, a WAV, its cost, what is left, an id and the time it took."""
    reply = answer(vendor(credits=Decimal("1.00"), latency_seconds=2), call())
    assert (reply.status, reply.content_type, len(reply.body)) == (200, "audio/wav", 1_000)
    headers = dict(reply.headers)
    assert headers["x-cost"] == "0.0067"
    assert headers["x-remaining-credits"] == "0.9933"
    assert headers["x-generation-time"] == "2.000"
    assert len(headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"key": None}, 401, "invalid API key"),
        ({"key": "SG_0000"}, 401, "invalid API key"),
        ({"key": None, "bearer": True}, 401, "x-api-key header"),
        ({"slug": "no-such-model"}, 404, "Model not found: no-such-model"),
        ({"content_type": "text/plain"}, 406, "Invalid content type"),
        ({"fields": None}, 400, "JSON object"),
        ({"fields": {}}, 400, "Missing required parameter: text"),
        ({"fields": {"text": " "}}, 400, "text"),
        ({"fields": {"text": 5}}, 400, "text"),
        ({"fields": {"text": "x", "voice_1": "kore"}}, 400, "voice_1: 'kore'"),
        ({"fields": {"text": "x", "voice_2": ""}}, 400, "voice_2: ''"),
        ({"fields": {"text": "x", "temperature": 2.1}}, 400, "between 0 and 2"),
        ({"fields": {"text": "x", "temperature": True}}, 400, "temperature"),
        ({"fields": {"text": "x", "temperature": float("nan")}}, 400, "temperature"),
    ],
)
def test_a_bad_call_is_refused_and_not_billed(changes: dict[str, Any], status: int, words: str) -> None:
    """Each check has its status and says what it didn't like; no money moves."""
    emulated = vendor()
    reply = answer(emulated, call(**changes))
    assert (reply.status, words in reply.body.decode()) == (status, True)
    state = emulated.state(detail=True)
    assert (state.billed_calls, state.credits, state.in_flight) == (0, Decimal(1_000), 0)


@pytest.mark.parametrize(
    "fields", [{"voice_2": None}, {"voice_1": "Puck", "voice_2": "Leda"}, {"temperature": 0}, {"seed": 1}]
)
def test_what_the_vendor_ignores_or_documents_is_taken(fields: dict[str, Any]) -> None:
    """Null for unset, both voices, the bounds of the range, and unknown fields."""
    assert answer(vendor(), call(fields={"text": "x"} | fields)).status == 200


def test_the_checks_come_in_the_vendors_order() -> None:
    """Everything is wrong with this call; mended one by one, the next check speaks."""
    emulated = vendor(credits=0, rpm=1)
    bad = {"text": ""}
    worst = call(key="wrong", slug="nothing", content_type="", fields=bad)
    first = answer(emulated, worst).status
    emulated.limiter.admit(1_000.0)
    over_limit = answer(emulated, call(slug="nothing", content_type="", fields=bad)).status
    emulated.set_limit(EmulatorConfig().limit())
    no_model = answer(emulated, call(slug="nothing", content_type="", fields=bad)).status
    no_money = answer(emulated, call(content_type="", fields=bad)).body
    emulated.change_account(AccountChange(credits=Decimal(1)))
    no_type = answer(emulated, call(content_type="", fields=bad)).body
    no_text = answer(emulated, call(fields=bad)).status
    assert (first, over_limit, no_model, no_text) == (401, 429, 404, 400)
    assert b"Insufficient credits" in no_money
    assert b"Invalid content type" in no_type


def test_over_the_limit_the_reset_is_named() -> None:
    """429 carries the stamp in the form that was set, and is counted apart with its time."""
    emulated = vendor(rpm=2, stamp="epoch_seconds", retry_after=True)
    assert [answer(emulated, call()).status for _ in range(3)] == [200, 200, 429]
    reply = answer(emulated, call())
    assert dict(reply.headers) == {"x-rate-limit-reset-at-utc": "1060", "retry-after": "60"}
    state = emulated.state(detail=True)
    assert (state.refused_by_limit, state.admitted_at, state.refused_at) == (2, [1_000.0] * 2, [1_000.0] * 2)


def test_credit_runs_out_to_the_last_digit() -> None:
    """A balance for two calls pays for two, free credits first; the third is refused naming balance and price."""
    emulated = vendor(credits=Decimal("0.0100"), free_credits=Decimal("0.0050"))
    assert [answer(emulated, call()).status for _ in range(2)] == [200, 200]
    refused = answer(emulated, call())
    state = emulated.state(detail=True)
    assert (state.credits, state.free_credits, state.billed) == (Decimal("0.0016"), Decimal(0), Decimal("0.0134"))
    assert refused.status == 406
    assert b"$0.0016" in refused.body
    assert b"$0.0067" in refused.body


def test_calls_in_flight_hold_their_price() -> None:
    """Money for one call is not given to two that come at once, and comes back from one that fails."""
    rule = Rule(effect=Effect(ending=Ending.RESET), times=1)
    emulated = vendor(credits=PRICE, rules=(rule,))
    first = v1.receive(emulated, call())
    assert answer(emulated, call()).status == 406
    assert v1.settle(emulated, first, URL).ending is Ending.RESET
    assert answer(emulated, call()).status == 200
    assert emulated.state(detail=False).credits == 0


@pytest.mark.parametrize(
    ("state", "status"), [(ModelState.NOT_FOUND, 404), (ModelState.FORBIDDEN, 403), (ModelState.RETIRED, 410)]
)
def test_a_failing_model_refuses_and_the_other_serves(state: ModelState, status: int) -> None:
    """States are a model's own, and end when they are set back."""
    emulated = vendor()
    emulated.set_model(SLUG, state)
    assert answer(emulated, call()).status == status
    assert answer(emulated, call(slug="gemini-2.5-flash-tts")).status == 200
    emulated.set_model(SLUG, ModelState.OK)
    assert answer(emulated, call()).status == 200


def test_the_account_can_be_broken_and_repaired() -> None:
    """A revoked key and a spend limit refuse every call, and change nothing else."""
    emulated = vendor(credits=Decimal(5))
    emulated.change_account(AccountChange(key_valid=False))
    assert answer(emulated, call()).status == 401
    emulated.change_account(AccountChange(key_valid=True, spend_limit_reached=True))
    limited = answer(emulated, call())
    assert (limited.status, b"Spend limit" in limited.body) == (406, True)
    emulated.change_account(AccountChange(spend_limit_reached=False))
    assert answer(emulated, call()).status == 200
    assert emulated.state(detail=False).credits == Decimal("4.9933")


def test_the_credits_endpoint_names_both_balances_exactly() -> None:
    """The hyphenated name, decimals as they are, 401 without the key; the rate limit doesn't touch it."""
    emulated = vendor(credits=Decimal("0.10"), free_credits=Decimal("0.0184"), rpm=1)
    replies = [v1.balance(emulated, DEFAULT_KEY, bearer=False) for _ in range(5)]
    assert {reply.body for reply in replies} == {b'{"credits": 0.10, "free-credits": 0.0184}'}
    assert v1.balance(emulated, None, bearer=True).status == 401
    assert emulated.state(detail=False).credit_checks == 6


@pytest.mark.parametrize("shape", BodyShape)
def test_a_scripted_status_has_the_shape_asked_for(shape: BodyShape) -> None:
    """The same error in every shape that this API's errors take, unbilled."""
    effect = Effect(status=502, shape=shape, message="upstream <down>", delay_seconds=3, headers={"retry-after": "7"})
    emulated = vendor(rules=(Rule(effect=effect),), latency_seconds=10)
    ticket = v1.receive(emulated, call())
    reply = v1.settle(emulated, ticket, URL)
    expected = {
        BodyShape.ERROR: '{"error": "upstream <down>"}',
        BodyShape.DETAIL: '{"detail": "upstream <down>"}',
        BodyShape.MESSAGE: '{"message": "upstream <down>"}',
        BodyShape.AUTH: '{"error": "Bad Gateway", "error_description": "upstream <down>", "status_code": 502}',
        BodyShape.PLAIN: "upstream <down>",
        BodyShape.EMPTY: "",
    }
    assert (ticket.wait_seconds, reply.status, reply.headers) == (3, 502, (("retry-after", "7"),))
    if shape is BodyShape.HTML:
        assert reply.content_type.startswith("text/html")
        assert b"upstream &lt;down&gt;" in reply.body
    else:
        assert reply.body.decode() == expected[shape]
    assert emulated.state(detail=False).billed_calls == 0


def test_a_refused_call_uses_no_rule_up() -> None:
    """A fault meant for one call waits for one that would otherwise succeed."""
    emulated = vendor(rules=(Rule(effect=Effect(status=500), times=1),))
    assert answer(emulated, call(fields={})).status == 400
    assert answer(emulated, call()).status == 500
    assert answer(emulated, call()).status == 200


def test_a_lost_reply_is_billed_and_a_reset_is_not() -> None:
    """What the caller can't tell apart differs in the bill."""
    rules = (
        Rule(match=Match(text_contains="lost"), effect=Effect(ending=Ending.LOST)),
        Rule(match=Match(text_contains="reset"), effect=Effect(ending=Ending.RESET)),
    )
    emulated = vendor(rules=rules)
    assert answer(emulated, call("lost")).ending is Ending.LOST
    assert answer(emulated, call("reset")).ending is Ending.RESET
    state = emulated.state(detail=True)
    assert state.billed_texts == {text_hash("lost"): 1}
    assert state.texts == {text_hash("lost"): 1, text_hash("reset"): 1}
    assert state.statuses == {"lost": 1, "reset": 1}
    assert state.credits == 1_000 - PRICE


def test_headers_can_be_left_out_and_added() -> None:
    """For readers that must do without the cost."""
    effect = Effect(without_headers=("X-Cost",), headers={"x-remaining-credits": "?"}, content_type="audio/mpeg")
    reply = answer(vendor(rules=(Rule(effect=effect),)), call())
    headers = dict(reply.headers)
    assert "x-cost" not in headers
    assert (headers["x-remaining-credits"], reply.content_type) == ("?", "audio/mpeg")


def test_an_answer_by_address_can_be_fetched_and_a_key_sent_along_is_noticed() -> None:
    """The file is the take itself; no other name leads to one."""
    emulated = vendor(rules=(Rule(effect=Effect(take=Take.JSON_URL), times=1),))
    url = json.loads(answer(emulated, call()).body)["audio"]
    whole = answer(emulated, call())
    assert url.startswith(f"{URL}/files/")
    name = url.rpartition("/")[2]
    assert v1.file(emulated, name, with_key=False).body == whole.body
    assert emulated.state(detail=False).files_with_key == 0
    assert v1.file(emulated, "other.wav", with_key=True).status == 404
    assert emulated.state(detail=False).files_with_key == 1


def test_latency_spreads_within_its_jitter_and_follows_the_seed() -> None:
    """±30 % of 2 s; one seed, one sequence."""

    def waits(seed: int) -> list[float]:
        emulated = vendor(latency_seconds=2, jitter=0.3, seed=seed)
        return [v1.receive(emulated, call(str(i))).wait_seconds for i in range(1, 500)]

    assert waits(1) == waits(1) != waits(2)
    assert 1.4 <= min(waits(1)) < 1.5
    assert 2.5 < max(waits(1)) <= 2.6


def test_latency_can_follow_the_text_alone() -> None:
    """Whatever else is asked for, and however often: a text takes its own time, by the seed."""

    def waits(seed: int, *texts: str) -> list[float]:
        emulated = vendor(latency_seconds=2, jitter=0.3, latency_by_text=True, seed=seed)
        return [v1.receive(emulated, call(text)).wait_seconds for text in texts]

    first, again, other = waits(1, "one", "one", "two")
    assert first == again != other
    assert waits(1, "two", "one") == [other, first]
    assert waits(2, "one") != [first]
    assert Latency(seconds=2, jitter=0.3).of_text(1, "one") == first


def test_a_tail_of_calls_takes_a_multiple() -> None:
    """Every call of a full tail does, none of an empty one."""
    assert v1.receive(vendor(latency_seconds=2, tail_share=1, tail_factor=4), call()).wait_seconds == 8
    assert v1.receive(vendor(latency_seconds=2, tail_share=0, tail_factor=4), call()).wait_seconds == 2


def test_calls_in_flight_are_counted() -> None:
    """Now and at most, and by text."""
    emulated = vendor()
    tickets = [v1.receive(emulated, call(text)) for text in ("a", "a", "b")]
    assert emulated.state(detail=True).texts_in_flight == {text_hash("a"): 2, text_hash("b"): 1}
    for ticket in tickets:
        v1.settle(emulated, ticket, URL)
    state = emulated.state(detail=True)
    assert (state.in_flight, state.max_in_flight, state.texts_in_flight) == (0, 3, {})


def test_a_reset_forgets_calls_in_flight() -> None:
    """They are still answered, on the books of before."""
    emulated = vendor(credits=Decimal(1))
    ticket = v1.receive(emulated, call())
    emulated.reset()
    assert v1.settle(emulated, ticket, URL).status == 200
    state = emulated.state(detail=True)
    assert (state.calls, state.billed_calls, state.in_flight, state.credits) == (0, 0, 0, Decimal(1))


def test_the_bill_names_every_call_exactly() -> None:
    """Its lines add up to the sum and to what left the account, as decimal strings in JSON."""
    emulated = vendor()
    for number in range(30):
        answer(emulated, call(str(number), slug=list(MODELS)[number % 2]))
    state = emulated.state(detail=True)
    assert state.billed == sum(line.cost for line in state.bill) == 15 * sum(model.price for model in MODELS.values())
    assert state.credits + state.billed == 1_000
    assert len({line.request_id for line in state.bill}) == 30
    assert json.loads(state.model_dump_json())["billed"] == "0.1755"
