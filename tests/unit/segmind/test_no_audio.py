"""Successful answers without audio: their verdict, for every shape that the API returns."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from api_models.verdict import VerdictKind
from worker.segmind.answers import Answer, Failure
from worker.segmind.codes import codes
from worker.segmind.error_text import error_message
from worker.segmind.verdicts import verdict

PAID = Decimal("0.0067")
KEY = "SG_0123456789abcdef"

FILTERED = [
    {"status": "error", "error": {"code": "PROHIBITED_CONTENT", "message": "Try another prompt"}},
    {"error": {"code": 400, "status": "PROHIBITED_CONTENT", "details": [{"reason": "SAFETY"}]}},
    {"error": [{"code": "content_policy_violation", "message": "no"}]},
    {"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "no"}},
    {"errors": [{"extensions": {"code": "CONTENT_FILTERED"}}]},
    {"candidates": [{"finishReason": "SAFETY"}]},
    {"candidates": [{"finishReason": "RECITATION", "index": 0}]},
    {"candidates": [{"finish_reason": "BLOCKLIST"}]},
    {"candidates": [{"finishReason": "SPII"}]},
    {"candidates": [{"finishReason": "LANGUAGE"}]},
    {"candidates": [{"finishReason": "IMAGE_SAFETY"}]},
    {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
    {"candidates": [], "promptFeedback": {"blockReason": "SAFETY", "safetyRatings": []}},
    {"output": {"candidates": [{"finishReason": "PROHIBITED_CONTENT"}]}},
    {"output": '{"candidates": [{"finishReason": "SAFETY"}]}'},
    [{"error": {"code": "moderation_blocked"}}],
    {"error": "The prompt was blocked by the safety filters"},
    {"error": "Your request was rejected as a result of our safety system"},
    {"detail": "This text violates our usage policies"},
    {"error": "finishReason: PROHIBITED_CONTENT"},
    {"error": "Inappropriate content detected"},
    {"error": {"code": "PROHIBITED_CONTENT", "message": "Your credit was not used; rate limit unaffected"}},
    {"refusal": "I can't help with that."},
    {"choices": [{"message": {"content": None, "refusal": "I can't help with that."}}]},
    {"output": {"blocked": True}},
    {"moderation": {"flagged": True, "categories": {"violence": True}}},
    {"nsfw": True},
    {"error": "SAFETY"},
    {"detail": "PROHIBITED_CONTENT"},
    {"message": "Request blocked by content moderation"},
    {"stop_reason": "refusal"},
    {"error": {"param": "prompt", "code": "invalid_prompt"}},
    {"detail": {"status": "content_against_policy", "message": "x"}},
    {"error": "Hate speech detected"},
    {"error": "The model declined to generate this content"},
    {"error": "Your text contains prohibited words"},
]
IN_VAIN = [
    {"candidates": [{"finishReason": "OTHER"}]},
    {"candidates": [{"finishReason": "MAX_TOKENS"}]},
    {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]},
    {"candidates": [{"finishReason": "STOP", "content": {}}]},
    {"candidates": []},
    {"output": None},
    {"output": ""},
    {"output": []},
    {"detail": "the worker died"},
    {"error": {"code": "INTERNAL", "message": "An internal error"}},
    {"error": ["one", "two"]},
    {"status": "failed"},
    {"error": "TIMEOUT"},
    {"moderation": {"flagged": False}, "nsfw": False, "refusal": None},
    {"blocked": "no"},
    ["nothing"],
    "a string",
    "",
    {},
    None,
    0,
]


def answer_of(document: object, *, status: int = 200, cost: Decimal | None = None) -> Answer:
    """The answer whose body is this JSON, as the reader makes it."""
    said = error_message(json.dumps(document).encode())
    failed = isinstance(document, dict) and any(document.get(name) for name in ("error", "errors", "detail"))
    failure = None if status >= 300 else Failure.RUN_FAILED if failed else Failure.UNREADABLE
    return Answer(status, failure, sent=True, message=said, codes=codes(document), cost=cost)


@pytest.mark.parametrize("cost", [PAID, None])
@pytest.mark.parametrize("document", FILTERED, ids=json.dumps)
def test_a_content_filter_under_a_success_is_a_refusal(document: object, cost: Decimal | None) -> None:
    """No repetition helps a text that is filtered, so none is bought; without a price it may be billed."""
    found = verdict(answer_of(document, cost=cost))
    assert (found.kind, found.code) == (VerdictKind.REFUSED, "content_refused")
    assert found.possibly_billed is (cost is None)


@pytest.mark.parametrize("document", FILTERED, ids=json.dumps)
@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_content_filter_under_an_error_is_the_same_refusal_unbilled(document: object, status: int) -> None:
    """It closes no gate of a model for other texts either, as any other 403 does."""
    found = verdict(answer_of(document, status=status))
    assert (found.kind, found.code, found.possibly_billed) == (VerdictKind.REFUSED, "content_refused", False)


@pytest.mark.parametrize("document", FILTERED, ids=json.dumps)
def test_a_content_filter_that_fails_a_submitted_run_is_the_same_refusal(document: object) -> None:
    """v2 reports it as FAILED."""
    found = verdict(
        Answer(422, Failure.FAILED, message=error_message(json.dumps(document).encode()), codes=codes(document))
    )
    assert (found.kind, found.code) == (VerdictKind.REFUSED, "content_refused")


@pytest.mark.parametrize("cost", [PAID, None])
@pytest.mark.parametrize("document", IN_VAIN, ids=json.dumps)
def test_a_success_without_audio_is_a_take(document: object, cost: Decimal | None) -> None:
    """It is billed, or may be: so it is bounded by the takes of a job, which are fewer than its attempts."""
    found = verdict(answer_of(document, cost=cost))
    assert (found.kind, found.is_take) == (VerdictKind.RETRY, True)
    assert found.possibly_billed is (cost is None)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, message="boom", cost=PAID),
        Answer(422, Failure.FAILED, cost=PAID),
        Answer(200, Failure.RUN_FAILED, message="Rate limit exceeded", cost=PAID),
        Answer(200, Failure.RUN_FAILED, message="Insufficient credits", cost=PAID),
        Answer(418, message="I'm a teapot", cost=PAID),
    ],
)
def test_whatever_names_a_price_without_audio_is_a_take(answer: Answer) -> None:
    """Not even an answer that asks to come back later is bought without bound."""
    assert verdict(answer).is_take


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, message="Too many requests", cost=PAID),
        Answer(402, cost=PAID),
        Answer(500, message="boom"),
        Answer(500, message="boom", cost=Decimal(0)),
        Answer(failure=Failure.TIMEOUT_READ, sent=True),
    ],
)
def test_what_was_not_sold_is_no_take(answer: Answer) -> None:
    """A limit, an empty account and an outage cost a job none of its takes."""
    assert not verdict(answer).is_take


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (500, "The safety filters system was blocked by an outage", VerdictKind.RETRY),
        (403, "This account was suspended: it violates our content policy", VerdictKind.GATE),
        (403, "Request blocked", VerdictKind.GATE),
        (429, "blocked by the usage policy", VerdictKind.PACE),
        (401, "content filter", VerdictKind.GATE),
    ],
)
def test_the_accounts_own_errors_stay_what_they_are(status: int, message: str, kind: VerdictKind) -> None:
    """What holds for every text is no refusal of this one."""
    assert verdict(Answer(status, message=message)).kind is kind


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ({"candidates": [{"finishReason": "OTHER"}]}, "The API said success, but its answer holds no audio: OTHER"),
        (
            {"error": {"code": "PROHIBITED_CONTENT", "message": "Try another prompt"}},
            "The API refuses to speak this text: PROHIBITED_CONTENT: Try another prompt",
        ),
        ({"error": {"code": 13, "message": "INTERNAL"}}, "The API took the request, and its run failed: INTERNAL"),
    ],
)
def test_the_code_is_shown(document: object, shown: str) -> None:
    """With the API's message, or alone where it has none."""
    assert verdict(answer_of(document)).message == shown


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"status": "error", "error": {"code": "A_CODE", "type": "invalid_request_error"}}, 2),
        ({"code": "one_1", "error": {"code": "two_2", "error": {"code": "three_3", "error": {"code": "four_4"}}}}, 4),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"code": "TOO_DEEP"}}}}}}}, 0),
        ([{"code": f"CODE_{number}"} for number in range(100)], 4),
        ({"code": "has a blank"}, 0),
        ({"code": "x" * 65}, 0),
        ({"finishReason": "STOP", "status": "completed"}, 0),
        ("plain", 0),
    ],
)
def test_codes_are_found_within_bounds(document: object, expected: int) -> None:
    """However deep and wide an answer is."""
    assert len(codes(document)) == expected
