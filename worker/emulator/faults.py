"""Misbehaviour as data: an ordered list of rules, and the script that says which of them a call meets.

The first rule that fires decides. A rule sees only calls that would otherwise succeed and that no rule before it took.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from worker.emulator.api.responses import BodyShape, Ending, OutputShape


class Take(StrEnum):
    """What the audio under a 200 is like."""

    GOOD = "good"
    """As it should be."""
    TRUNCATED = "truncated"
    """A valid file that stops after `share` of the speech."""
    REPEATED = "repeated"
    """The speech `repeats` times over."""
    SILENT = "silent"
    """The right length of silence."""
    SILENT_TAIL = "silent_tail"
    """The speech, then `repeats` times its length of silence."""
    EMPTY = "empty"
    """A body of no bytes."""
    HEADER_ONLY = "header_only"
    """The 44 bytes of a WAV header and no frame."""
    HEADERLESS = "headerless"
    """Bare PCM."""
    HUGE = "huge"
    """A WAV of `size_bytes`, most of it zeros."""
    JSON_URL = "json_url"
    """JSON with the address of the file on this emulator."""
    JSON_DATA_URI = "json_data_uri"
    """JSON with a data URI."""
    JSON_BASE64 = "json_base64"
    """JSON with bare base64."""
    JSON_ERROR = "json_error"
    """JSON with an `error`, under a 200, billed."""
    JSON_BODY = "json_body"
    """The JSON in `json_body`, under a 200, billed."""


class Step(StrEnum):
    """What a rule speaks of."""

    CALL = "call"
    """A request for speech: the whole of a v1 call; of a v2 one the submission and what comes of its run."""
    POLL = "poll"
    """A question of v2 how a run stands, or for its result."""
    FILE = "file"
    """The fetch of a result file."""


class Match(BaseModel):
    """Which calls a rule takes. Every condition given must hold; none given takes every call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step = Step.CALL
    """Conditions and counts speak of requests of this kind only, by the text that they are about."""
    text_contains: str | None = None
    model: str | None = None
    nth: tuple[int, ...] = ()
    """By count, from 1, among the calls with this text and model."""
    every: Annotated[int | None, Field(ge=1)] = None
    """Every so many of those calls: 3 takes the third, the sixth, …"""
    nth_of_text: tuple[int, ...] = ()
    """By count, from 1, among the calls with one and the same text: (1,) fails the first try of each."""
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0


class Effect(BaseModel):
    """What happens to a call that a rule takes. A status replaces the audio; the rest changes the reply's course."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Annotated[int | None, Field(ge=400, le=599)] = None
    """Answer with this instead of audio, unbilled, without the model's latency."""
    shape: BodyShape = BodyShape.ERROR
    message: str | None = None
    """The error's words; None takes the status's own."""
    take: Take = Take.GOOD
    ending: Ending = Ending.WHOLE
    delay_seconds: Annotated[float, Field(ge=0)] = 0.0
    """Waited on top of the latency."""
    content_type: str | None = None
    """Announced instead of the true one."""
    headers: dict[str, str] = {}
    """Sent beside the usual ones."""
    without_headers: tuple[str, ...] = ()
    """Names of usual headers that are left out, such as `x-cost`."""
    share: Annotated[float, Field(ge=0, le=1)] = 0.3
    """What is left of truncated speech, or of a body that is cut."""
    repeats: Annotated[int, Field(ge=2)] = 4
    size_bytes: Annotated[int, Field(ge=64)] = 80 * 1024 * 1024
    """Length of a huge body."""
    body_seconds: Annotated[float, Field(ge=0)] = 5.0
    """Time over which a slow body is sent."""
    json_key: str = "audio"
    """The key under which a JSON answer of v1 holds its audio."""
    json_body: str = "{}"
    """The body of the take `json_body`; in v2, where it is an object, its fields beside those of the run."""

    output: OutputShape | None = None
    """v2: the form of the run's output; None takes the configuration's."""
    run_fails: bool = False
    """The run ends without audio, unbilled, with `message`: in v2 as FAILED, in v1 as a 500."""
    failed_status: Annotated[int, Field(ge=200, le=599)] = 422
    """The HTTP status under which v2 says FAILED."""
    word: str | None = None
    """Of a poll: the state that it is told instead of the true one, without any output."""

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if self.status is not None and self.take is not Take.GOOD:
            raise ValueError("give a status or a take: an error answer carries no audio")
        return self


class Rule(BaseModel):
    """One fault: whom it meets, how often, and what it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect: Effect
    match: Match = Match()
    times: Annotated[int | None, Field(ge=0)] = None
    """How often it may fire; None without end."""


class Script:
    """The rules with their counts. The same rules, seed and order of calls give the same faults."""

    def __init__(self, rules: Iterable[Rule], seed: int) -> None:
        self._seed = seed
        self._lines: list[_Line] = []
        self._texts: Counter[tuple[Step, str]] = Counter()
        self.append(rules)

    def append(self, rules: Iterable[Rule]) -> None:
        """Adds rules behind the present ones, whose counts go on."""
        for rule in rules:
            self._lines.append(_Line(rule, random.Random(f"{self._seed}/{len(self._lines)}")))  # noqa: S311  # repeatable on purpose

    def effect(self, slug: str, text: str, step: Step = Step.CALL) -> Effect | None:
        """What happens to this call, the next in order; None lets it succeed."""
        self._texts[step, text] += 1
        nth_of_text = self._texts[step, text]
        lines = (line for line in self._lines if line.rule.match.step is step)
        return next((line.rule.effect for line in lines if line.fires(slug, text, nth_of_text)), None)


class _Line:
    """One rule and how often it was asked and has fired."""

    def __init__(self, rule: Rule, rng: random.Random) -> None:
        self.rule = rule
        self._rng = rng
        self._asked = 0
        self._fired = 0

    def fires(self, slug: str, text: str, nth_of_text: int) -> bool:
        match = self.rule.match
        if (match.text_contains or "") not in text or match.model not in {None, slug}:
            return False
        self._asked += 1
        fires = (
            (self.rule.times is None or self._fired < self.rule.times)
            and (not match.nth or self._asked in match.nth)
            and (match.every is None or self._asked % match.every == 0)
            and (not match.nth_of_text or nth_of_text in match.nth_of_text)
            and (match.probability >= 1 or self._rng.random() < match.probability)
        )
        self._fired += fires
        return fires
