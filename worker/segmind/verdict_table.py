"""The rows of the verdict table: conditions and outcomes. Data only; `verdicts` reads it.

Order matters: the first matching row decides, so a status's specific rows precede its general ones.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from api_models.verdict import GateScope, VerdictKind
from worker.segmind.answers import Answer, Failure


@dataclass(frozen=True, slots=True)
class Outcome:
    """The consequence of an answer; see `Verdict` for the fields."""

    kind: VerdictKind
    code: str
    message: str
    scope: GateScope | None = None
    counts: bool = True
    bill_unknown: bool = False
    """The charge is unknown if the request reached the API."""
    unproved: GateScope | None = None
    """What to hold instead while no call of this process has succeeded: the address may be wrong, and not the job."""
    is_take: bool = False
    """The call was answered as a success without audio, so it may be billed: it uses up one of the job's takes."""


@dataclass(frozen=True, slots=True)
class Row:
    """A condition on status, failure, codes and text; omitted fields match everything."""

    outcome: Outcome
    statuses: Container[int] | None = None
    failures: Container[Failure] | None = None
    pattern: re.Pattern[str] | None = None
    """Searched in the API's text."""
    codes: re.Pattern[str] | None = None
    """Searched in each of the API's codes."""
    has_audio: bool = False

    def fits(self, answer: Answer) -> bool:
        if self.has_audio and (answer.audio is None or answer.failure is not None):
            return False
        if self.statuses is not None and (answer.status is None or answer.status not in self.statuses):
            return False
        if self.failures is not None and (answer.failure is None or answer.failure not in self.failures):
            return False
        if self.codes is not None and not any(map(self.codes.search, answer.codes)):
            return False
        return self.pattern is None or self.pattern.search(answer.message) is not None


def _gate(code: str, scope: GateScope, message: str) -> Outcome:
    return Outcome(VerdictKind.GATE, code, message, scope=scope, counts=False)


def _refused(code: str, message: str, *, bill_unknown: bool = False) -> Outcome:
    return Outcome(VerdictKind.REFUSED, code, message, bill_unknown=bill_unknown)


def _retry(code: str, message: str, *, bill_unknown: bool = False) -> Outcome:
    return Outcome(VerdictKind.RETRY, code, message, bill_unknown=bill_unknown)


def _no_take(code: str, message: str) -> Outcome:
    return Outcome(VerdictKind.RETRY, code, message, bill_unknown=True, is_take=True)


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_2XX: Final = range(200, 300)
_3XX: Final = range(300, 400)

_NO_SPEECH: Final = frozenset({Failure.RUN_FAILED, Failure.UNREADABLE, Failure.EMPTY})
"""A complete 2xx without audio."""
_FILTERED: Final = frozenset({400, 403, 406, 422, 451, 500})
"""Statuses of content filters; the text of a 500 may describe the filter's own failure."""

_SUCCESS: Final = Outcome(VerdictKind.SUCCESS, "success", "")
_BAD_AUDIO: Final = Outcome(
    VerdictKind.BAD_TAKE,
    "bad_audio",
    "The API said success, but its audio is missing or not whole",
    bill_unknown=True,
    is_take=True,
)
_CREDITS: Final = _gate("insufficient_credits", GateScope.ACCOUNT, "The account is out of credit")
_SPEND_LIMIT: Final = _gate("spend_limit", GateScope.ACCOUNT, "The account's spend limit is reached")
_BAD_KEY: Final = _gate("bad_key", GateScope.ACCOUNT, "The API doesn't accept the API key")
_SUSPENDED: Final = _gate("forbidden", GateScope.ACCOUNT, "The API has shut the account out")
_FORBIDDEN: Final = _gate("forbidden", GateScope.MODEL, "The account is not permitted to use this model")
_NOT_FOUND: Final = replace(
    _gate("model_not_found", GateScope.MODEL, "The API doesn't know this model"), unproved=GateScope.MODEL
)
_RETIRED: Final = _gate("model_retired", GateScope.MODEL, "The API has retired this model")
_REDIRECTED: Final = _gate(
    "redirected", GateScope.ACCOUNT, "The API's address answers with a redirect; correct SEGMIND_BASE_URL"
)
_RATE_LIMITED: Final = Outcome(VerdictKind.PACE, "rate_limited", "Too many requests for this account", counts=False)
_INVALID: Final = _refused("invalid_request", "The API refuses this request")
_OURS: Final = _refused("our_request", "The API refuses the way this program asks; please report it")
_WRONG_METHOD: Final = replace(_OURS, unproved=GateScope.MODEL)
_CONTENT: Final = _refused("content_refused", "The API refuses to speak this text")
_CONTENT_BILLED: Final = replace(_CONTENT, bill_unknown=True)
_RUN_FAILED: Final = _no_take("run_failed", "The API took the request, and its run failed")
_RUN_UNBILLED: Final = _retry("run_failed", "The API took the request, and its run failed")
_EXPIRED: Final = _retry(
    "request_expired", "The API has forgotten the request, so its audio is lost", bill_unknown=True
)
_UNFINISHED: Final = _retry("run_unfinished", "The API hasn't finished the request in time; it is asked for again")
# The next attempt resumes the run by its request id: nothing is lost or used up.
_INTERRUPTED: Final = Outcome(
    VerdictKind.RELEASED,
    "interrupted",
    "The worker stopped while the API was at work; its request is kept",
    counts=False,
)
_NO_AUDIO: Final = _no_take("unreadable_answer", "The API said success, but its answer holds no audio")
_UNREADABLE: Final = _retry("unreadable_answer", "The API's answer can't be understood", bill_unknown=True)
_UNDECODABLE: Final = Outcome(
    VerdictKind.REFUSED,
    "undecodable_answer",
    "The answer came in a content coding that wasn't asked for; check the gateway or proxy in front of the API",
    bill_unknown=True,
)
_SERVER_ERROR: Final = _retry("server_error", "The API failed within")
_BAD_GATEWAY: Final = _retry("bad_gateway", "The API was not available")
_UNCLEAR_SERVER_ERROR: Final = _retry("server_error", "The API failed within", bill_unknown=True)
_GATEWAY_TIMEOUT: Final = _retry("gateway_timeout", "The API's gateway gave up waiting", bill_unknown=True)
_TIMEOUT: Final = _retry("timeout", "The API didn't answer in time", bill_unknown=True)
# A network outage must not use up the attempts of queued jobs.
_UNREACHABLE: Final = Outcome(VerdictKind.RETRY, "unreachable", "The API can't be reached", counts=False)
_CONNECTION: Final = _retry("connection", "The connection to the API failed", bill_unknown=True)
UNKNOWN: Final = _retry("unknown_answer", "The API gave an answer that this program doesn't know")
"""Unmatched answers are retried; their text is kept."""

_SAYS_SPEND: Final = _words(r"\bspend(ing)?\b|\bbudget\b")
_SAYS_CREDITS: Final = _words(
    r"\bcredits?\b(?!\s+card)|\bbalance\b|\binsufficient funds\b|\brecharge\b|\btop[- ]?up\b|\bpayment required\b"
)
_SAYS_CONTENT_TYPE: Final = _words(r"\bcontent[-_ ]?type\b")
_SAYS_KEY: Final = _words(r"\bapi[-_ ]?key\b|\bunauthori[sz]ed\b|\bauthentication\b")
_SAYS_RATE: Final = _words(r"\brate[-_ ]?limit|\btoo many requests\b")
_SAYS_SUSPENDED: Final = _words(
    r"\b(account|team|organi[sz]ation|user)\b.{0,40}\b(suspended|disabled|blocked|banned|deactivated)\b"
)
_NAMES_PARAMETER: Final = _words(
    # A message that starts with the refused parameter may quote any text after it.
    r"^\W*(invalid|unsupported|unknown)\s+(\w+\s+){0,2}(value|parameter|voice\w*|temperature|argument|field|text)\b"
    r"|^\W*(body\.)?(voice_[12]|temperature|text)\b"
)
_SAYS_PARAMETER: Final = _words(
    r"\b(voice\w*|temperature|parameters?|arguments?|fields?|values?|text|input|prompt)\b"
    r"|\b(invalid|unsupported|not (supported|allowed|valid)|must (be|not)|out of range|too long|required)\b"
)
_FILTER_CODE: Final = re.compile(
    r"(^|_)(prohibited|safety|recitation|blocklist|spii|moderation|moderated|nsfw|jailbreak|sensitive|harmful)(_|$)"
    r"|^(language|unsupported_language|blocked|flagged|filtered|model_armor|refusal|refused|invalid_prompt)$"
    r"|content_?(filter|polic|moderat|block|flag)|against_policy|policy_violation|(^|_)(hate|violence|sexual|self_harm)(_|$)"
    r"|responsible_?ai|(prompt|output|input)_?(blocked|flagged|filtered)",
    re.IGNORECASE,
)
"""Codes of content filters: Google's finish and block reasons, OpenAI's and Azure's error codes."""
_SAYS_FILTER: Final = _words(
    r"\b(prohibited_content|blocklist|spii|image_safety|content_filter\w*|content_policy_violation)\b"
    r"|\b(finish|block)[_ ]?reason\W{1,4}(\w+\.)?(safety|recitation|blocklist|spii|language|prohibited\w*)\b"
    r"|\b(prohibited|inappropriate|harmful|explicit|disallowed|unsafe)\s+(\w+\s+)?content\b"
    r"|\b(prompt|text|content|input|output|response|candidate|transcript)\s+(was|is|were|has been|got)\s+(\w+ly\s+)?"
    r"(blocked|flagged|filtered|moderated|prohibited)\b"
    r"|\b(content|safety|moderation|usage|acceptable use)\s+(polic\w+|filters?|guidelines|system|settings)\b.{0,60}"
    r"\b(block|flag|reject|violat|refus|trigger)"
    r"|\b(block|flag|reject|violat|refus|trigger|filtered|against)\w*\b.{0,60}"
    r"\b(content|safety|moderation|usage|acceptable use)\s+(polic\w+|filters?|guidelines|system|settings|reasons"
    r"|concerns)\b"
    r"|\b(block|flag|reject|refus|filtered)\w*\b.{0,40}\b(content )?moderation\b|\bprohibited (words?|terms?)\b"
    r"|\b(hate speech|sexual(ly explicit)? content|self-harm|profanity)\b"
    r"|\b(model|assistant|system) (has )?(declined|refused|refuses|declines) to\b|^\W*content policy\W*$"
)
"""Sentences of content filters."""

_BY_FILTER: Final = (
    Row(_CONTENT_BILLED, _2XX, _NO_SPEECH, codes=_FILTER_CODE),
    Row(_CONTENT_BILLED, _2XX, _NO_SPEECH, pattern=_SAYS_FILTER),
    Row(_CONTENT, failures={Failure.FAILED}, codes=_FILTER_CODE),
    Row(_CONTENT, failures={Failure.FAILED}, pattern=_SAYS_FILTER),
    Row(_SUSPENDED, {403}, pattern=_SAYS_SUSPENDED),
    Row(_CONTENT, _FILTERED, codes=_FILTER_CODE),
    Row(_CONTENT, _FILTERED - {500}, pattern=_SAYS_FILTER),
)
"""The text itself is refused: no retry helps, and other jobs aren't affected."""

_BY_RUN: Final = (
    Row(_RUN_UNBILLED, failures={Failure.FAILED}),
    Row(_EXPIRED, failures={Failure.EXPIRED}),
    Row(_UNFINISHED, failures={Failure.UNFINISHED}),
    Row(_INTERRUPTED, failures={Failure.INTERRUPTED}),
)
"""The outcome of a submitted request, under any HTTP status."""

_BY_HTTP: Final = (
    Row(_INVALID, {400}),
    Row(_BAD_KEY, {401}),
    Row(_CREDITS, {402}),
    Row(_FORBIDDEN, {403}),
    Row(_NOT_FOUND, {404}),
    Row(_WRONG_METHOD, {405}),
    Row(_INVALID, {406}, pattern=_NAMES_PARAMETER),
    Row(_SPEND_LIMIT, {406}, pattern=_SAYS_SPEND),
    Row(_OURS, {406}, pattern=_SAYS_CONTENT_TYPE),
    Row(_CREDITS, {406}, pattern=_SAYS_CREDITS),
    Row(_INVALID, {406}, pattern=_SAYS_PARAMETER),
    Row(_CREDITS, {406}),
    Row(_RETIRED, {410}),
    Row(_RUN_UNBILLED, {422}),
    Row(_RATE_LIMITED, {429}),
    Row(_SERVER_ERROR, {500}),
    Row(_BAD_GATEWAY, {502, 503}),
    Row(_GATEWAY_TIMEOUT, {504, 524}),
    Row(_UNCLEAR_SERVER_ERROR, range(500, 600)),
    Row(_REDIRECTED, _3XX),
)
"""Answers with a clear status."""

_RAN_BADLY: Final = {Failure.RUN_FAILED}
_BY_BODY: Final = (
    Row(_BAD_KEY, _2XX, _RAN_BADLY, _SAYS_KEY),
    Row(_INVALID, _2XX, _RAN_BADLY, _NAMES_PARAMETER),
    Row(_SPEND_LIMIT, _2XX, _RAN_BADLY, _SAYS_SPEND),
    Row(_CREDITS, _2XX, _RAN_BADLY, _SAYS_CREDITS),
    Row(_RATE_LIMITED, _2XX, _RAN_BADLY, _SAYS_RATE),
    Row(_RUN_FAILED, _2XX, _RAN_BADLY),
    Row(_NO_AUDIO, _2XX, {Failure.UNREADABLE}),
    Row(_UNREADABLE, _2XX, {Failure.GARBLED}),
    Row(_UNDECODABLE, _2XX, {Failure.UNDECODABLE}),
    Row(_BAD_AUDIO, _2XX, {Failure.EMPTY, Failure.CUT_OFF, Failure.TOO_LARGE}),
)
"""2xx answers that report or contain a failure."""

_BY_FAILURE: Final = (
    Row(_UNREACHABLE, failures={Failure.CONNECT, Failure.TIMEOUT_CONNECT}),
    Row(_TIMEOUT, failures={Failure.TIMEOUT_READ}),
    Row(_CONNECTION, failures={Failure.SEND, Failure.RESET, Failure.CUT_OFF}),
    Row(_UNREADABLE, failures={Failure.GARBLED}),
)
"""Missing or incomplete answers."""


TABLE: Final = (
    Row(_SUCCESS, _2XX, has_audio=True),
    *_BY_FILTER,
    *_BY_RUN,
    *_BY_HTTP,
    *_BY_BODY,
    *_BY_FAILURE,
    Row(_BAD_AUDIO, _2XX),
)
"""Every row, in order. Any other 2xx has no audio."""


class Poll(StrEnum):
    """What an error reply to a poll means. None of them says anything about the job."""

    AGAIN = "again"
    """Transient or unknown: poll again."""
    GONE = "gone"
    """The record is missing. Repeatedly, it means that the request expired."""
    STOP = "stop"
    """An account or address error: judged by its row like any other; the handle is kept."""


_POLLS: Final[dict[int, Poll]] = {404: Poll.GONE, 410: Poll.GONE} | dict.fromkeys(
    (401, 402, 403, 406, *_3XX), Poll.STOP
)


def poll_refused(status: int | None) -> Poll:
    return _POLLS.get(status or 0, Poll.AGAIN)
