"""The verdict table: one case a row of the vendor's error table and of the design's, and what always holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_models.verdict import GateScope, VerdictKind
from worker.segmind.answers import Answer, Failure
from worker.segmind.verdicts import bad_take, before_success, verdict

KEY = "SG_0123456789abcdef"
AUDIO = Path("spool/one")
RESET = datetime(2026, 11, 21, 10, 0, 30, tzinfo=UTC)

type_of_case = tuple[Answer, VerdictKind, str, GateScope | None]

BY_STATUS: list[type_of_case] = [
    (Answer(200, audio=AUDIO, size=4_000), VerdictKind.SUCCESS, "success", None),
    (Answer(201, audio=AUDIO, size=4_000), VerdictKind.SUCCESS, "success", None),
    (Answer(400, message="text is required"), VerdictKind.REFUSED, "invalid_request", None),
    (Answer(401, message="Missing or invalid API key"), VerdictKind.GATE, "bad_key", GateScope.ACCOUNT),
    (Answer(402), VerdictKind.GATE, "insufficient_credits", GateScope.ACCOUNT),
    (Answer(403, message="Insufficient permissions"), VerdictKind.GATE, "forbidden", GateScope.MODEL),
    (Answer(403, message="This account was suspended"), VerdictKind.GATE, "forbidden", GateScope.ACCOUNT),
    (Answer(404, message="Model not found"), VerdictKind.GATE, "model_not_found", GateScope.MODEL),
    (Answer(405, message="405 Method Not Allowed"), VerdictKind.REFUSED, "our_request", None),
    (Answer(410, message="This model was retired"), VerdictKind.GATE, "model_retired", GateScope.MODEL),
    (Answer(422, message="generation failed"), VerdictKind.RETRY, "run_failed", None),
    (Answer(429, message="Too many requests"), VerdictKind.PACE, "rate_limited", None),
    (Answer(500, message="Internal server error"), VerdictKind.RETRY, "server_error", None),
    (Answer(502), VerdictKind.RETRY, "bad_gateway", None),
    (Answer(503), VerdictKind.RETRY, "bad_gateway", None),
    (Answer(504), VerdictKind.RETRY, "gateway_timeout", None),
    (Answer(520), VerdictKind.RETRY, "server_error", None),
    (Answer(524), VerdictKind.RETRY, "gateway_timeout", None),
    (Answer(301, message="redirects to https://elsewhere"), VerdictKind.GATE, "redirected", GateScope.ACCOUNT),
    (Answer(307), VerdictKind.GATE, "redirected", GateScope.ACCOUNT),
    (Answer(418, message="I'm a teapot"), VerdictKind.RETRY, "unknown_answer", None),
    (Answer(999), VerdictKind.RETRY, "unknown_answer", None),
]

BY_406_MESSAGE: list[type_of_case] = [
    (Answer(406, message=message), kind, code, scope)
    for message, kind, code, scope in (
        ("", VerdictKind.GATE, "insufficient_credits", GateScope.ACCOUNT),
        ("Not Acceptable", VerdictKind.GATE, "insufficient_credits", GateScope.ACCOUNT),
        ("406 Not Acceptable", VerdictKind.GATE, "insufficient_credits", GateScope.ACCOUNT),
        ("Insufficient credits", VerdictKind.GATE, "insufficient_credits", GateScope.ACCOUNT),
        (
            "Your balance of 0.0012 is below this model's price of 0.0067",
            VerdictKind.GATE,
            "insufficient_credits",
            GateScope.ACCOUNT,
        ),
        (
            "Not enough credits to process the text you sent",
            VerdictKind.GATE,
            "insufficient_credits",
            GateScope.ACCOUNT,
        ),
        ("Team spend limit reached", VerdictKind.GATE, "spend_limit", GateScope.ACCOUNT),
        ("Monthly spending limit: credits are paused", VerdictKind.GATE, "spend_limit", GateScope.ACCOUNT),
        ("Invalid content type", VerdictKind.REFUSED, "our_request", None),
        ("content-type must be application/json", VerdictKind.REFUSED, "our_request", None),
        ("voice_1 must be one of Zephyr, Puck", VerdictKind.REFUSED, "invalid_request", None),
        ("Invalid value for temperature", VerdictKind.REFUSED, "invalid_request", None),
        ("body.text: too long", VerdictKind.REFUSED, "invalid_request", None),
        ("The given voice is not supported", VerdictKind.REFUSED, "invalid_request", None),
        ("Invalid text: 'My credit balance and my budget'", VerdictKind.REFUSED, "invalid_request", None),
    )
]

BY_BODY: list[type_of_case] = [
    (Answer(200, failure=failure, message=message), kind, code, scope)
    for failure, message, kind, code, scope in (
        (Failure.EMPTY, "", VerdictKind.BAD_TAKE, "bad_audio", None),
        (Failure.CUT_OFF, "", VerdictKind.BAD_TAKE, "bad_audio", None),
        (Failure.TOO_LARGE, "", VerdictKind.BAD_TAKE, "bad_audio", None),
        (None, "", VerdictKind.BAD_TAKE, "bad_audio", None),
        (Failure.UNREADABLE, "<html>", VerdictKind.RETRY, "unreadable_answer", None),
        (Failure.GARBLED, "", VerdictKind.RETRY, "unreadable_answer", None),
        (Failure.TIMEOUT_READ, "", VerdictKind.RETRY, "timeout", None),
        (Failure.RESET, "", VerdictKind.RETRY, "connection", None),
        (Failure.RUN_FAILED, "the worker died", VerdictKind.RETRY, "run_failed", None),
        (Failure.RUN_FAILED, "", VerdictKind.RETRY, "run_failed", None),
        (Failure.RUN_FAILED, "Insufficient credits", VerdictKind.GATE, "insufficient_credits", GateScope.ACCOUNT),
        (Failure.RUN_FAILED, "Spend limit reached", VerdictKind.GATE, "spend_limit", GateScope.ACCOUNT),
        (Failure.RUN_FAILED, "Invalid API key", VerdictKind.GATE, "bad_key", GateScope.ACCOUNT),
        (Failure.RUN_FAILED, "Rate limit exceeded", VerdictKind.PACE, "rate_limited", None),
        (Failure.RUN_FAILED, "Invalid voice_1", VerdictKind.REFUSED, "invalid_request", None),
        (Failure.RUN_FAILED, "Invalid response of the back end", VerdictKind.RETRY, "run_failed", None),
    )
]

BY_FAILURE: list[type_of_case] = [
    (Answer(failure=failure), VerdictKind.RETRY, code, None)
    for failure, code in (
        (Failure.CONNECT, "unreachable"),
        (Failure.SEND, "connection"),
        (Failure.RESET, "connection"),
        (Failure.CUT_OFF, "connection"),
        (Failure.TIMEOUT_CONNECT, "unreachable"),
        (Failure.TIMEOUT_READ, "timeout"),
        (Failure.GARBLED, "unreadable_answer"),
    )
]


@pytest.mark.parametrize(("answer", "kind", "code", "scope"), [*BY_STATUS, *BY_406_MESSAGE, *BY_BODY, *BY_FAILURE])
def test_row(answer: Answer, kind: VerdictKind, code: str, scope: GateScope | None) -> None:
    """Each answer of the vendor's error table, and of the reports about it, has the designed verdict."""
    found = verdict(answer)
    assert (found.kind, found.code, found.scope) == (kind, code, scope)


@pytest.mark.parametrize("case", [*BY_STATUS, *BY_406_MESSAGE, *BY_BODY, *BY_FAILURE])
def test_only_account_errors_spare_the_attempt(case: type_of_case) -> None:
    """Gates, pace and an API that can't be reached use up no attempt; everything else does."""
    found = verdict(case[0])
    spared = found.kind in {VerdictKind.GATE, VerdictKind.PACE} or found.code == "unreachable"
    assert found.counts is not spared


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(504, sent=True), True),
        (Answer(524, sent=True), True),
        (Answer(504, sent=False), False),
        (Answer(failure=Failure.TIMEOUT_READ, sent=True), True),
        (Answer(failure=Failure.RESET, sent=True), True),
        (Answer(failure=Failure.GARBLED, sent=True), True),
        (Answer(failure=Failure.CONNECT), False),
        (Answer(failure=Failure.SEND), False),
        (Answer(failure=Failure.TIMEOUT_CONNECT), False),
        (Answer(200, failure=Failure.RESET, sent=True), True),
        (Answer(200, failure=Failure.RESET, sent=True, cost=Decimal("0.0067")), False),
        (Answer(200, failure=Failure.EMPTY, sent=True, cost=Decimal("0.0067")), False),
        (Answer(200, failure=Failure.EMPTY, sent=True), True),
        (Answer(200, audio=AUDIO, sent=True), False),
        (Answer(500, sent=True), False),
        (Answer(502, sent=True), False),
        (Answer(422, sent=True), False),
        (Answer(429, sent=True), False),
        (Answer(400, sent=True), False),
    ],
)
def test_possibly_billed(answer: Answer, expected: bool) -> None:
    """Flagged where the request got there and no answer says what it cost; the vendor bills nothing but a 200."""
    assert verdict(answer).possibly_billed is expected


def test_refusal_keeps_the_apis_words() -> None:
    """The user reads what the API said; the operator also where it came from."""
    found = verdict(Answer(400, message="text must not be blank", request_id="req-1"))
    assert found.message.endswith(": text must not be blank")
    assert found.detail == "status 400; request req-1; said text must not be blank"


def test_silent_refusal_still_has_a_message() -> None:
    """An API without words leaves the user a whole sentence all the same."""
    assert verdict(Answer(400)).message == "The API refuses this request."


def test_unknown_answer_keeps_its_text() -> None:
    """What no row knows is tried again with its text kept."""
    assert "teapot" in verdict(Answer(418, message="I'm a teapot")).message


def test_reset_stamp_is_handed_on() -> None:
    """The API's reset time reaches the pace."""
    assert verdict(Answer(429, reset_at=RESET)).reset_at == RESET


def test_bad_take_says_what_was_measured() -> None:
    """Audio that was not accepted uses up an attempt, and the message has the finding."""
    found = bad_take(Answer(200, audio=AUDIO, cost=Decimal("0.0067")), "0.3 s of audio where 4 s were due")
    assert (found.kind, found.code, found.counts) == (VerdictKind.BAD_TAKE, "bad_audio", True)
    assert "0.3 s" in found.message


answers = st.builds(
    Answer,
    status=st.none() | st.integers(-1, 1_000),
    failure=st.none() | st.sampled_from(Failure),
    sent=st.booleans(),
    audio=st.none() | st.just(AUDIO),
    message=st.text(max_size=200),
    content_type=st.text(max_size=20),
    request_id=st.none() | st.text(max_size=20),
    cost=st.none() | st.decimals(0, 1),
)


@given(answers)
def test_every_answer_has_a_verdict(answer: Answer) -> None:
    """Every status and text has a verdict; only gates have a scope."""
    found = verdict(answer)
    assert found.code
    assert (found.scope is not None) is (found.kind is VerdictKind.GATE)
    assert found.kind is VerdictKind.SUCCESS or found.message
    assert not (found.possibly_billed and not answer.sent)


@given(answers, st.text(max_size=30), st.text(max_size=30))
def test_no_verdict_holds_a_key(answer: Answer, before: str, after: str) -> None:
    """A key that slipped into an answer gets no further."""
    found = verdict(replace(answer, message=f"{before}{KEY}{after}", request_id=KEY))
    assert KEY not in found.message + found.detail + repr(found)


@given(answers)
def test_only_whole_audio_of_a_2xx_succeeds(answer: Answer) -> None:
    """Success needs a 2xx, audio, and nothing that went wrong on the way."""
    whole = answer.status in range(200, 300) and answer.audio is not None and answer.failure is None
    assert (verdict(answer).kind is VerdictKind.SUCCESS) is whole


@pytest.mark.parametrize(("status", "code"), [(404, "model_not_found"), (405, "wrong_address")])
def test_a_wrong_address_holds_jobs_while_no_call_has_succeeded(status: int, code: str) -> None:
    """And the message names the setting."""
    found = before_success(verdict(Answer(status, message="Not here")))
    assert (found.kind, found.scope, found.code, found.counts) == (VerdictKind.GATE, GateScope.MODEL, code, False)
    assert "SEGMIND_BASE_URL" in found.message
    assert "Not here" in found.message


@pytest.mark.parametrize("case", [*BY_STATUS, *BY_406_MESSAGE])
def test_other_verdicts_need_no_success_before(case: type_of_case) -> None:
    """They are about the account, the job or the network."""
    found = verdict(case[0])
    assert before_success(found) == found or case[0].status in {404, 405}
