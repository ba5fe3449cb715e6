"""Faults as data: an ordered list of rules, and the script that picks the rule for a call.

The first matching rule wins. A rule sees only calls that would otherwise succeed and that no earlier rule took.
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
    """The audio returned with a 200."""

    GOOD = "good"
    TRUNCATED = "truncated"
    """A valid file that stops after `share` of the speech."""
    REPEATED = "repeated"
    """The speech `repeats` times over."""
    SILENT = "silent"
    SILENT_TAIL = "silent_tail"
    """The speech, then `repeats` times its length of silence."""
    SENTENCE_MISSING = "sentence_missing"
    HALF_MISSING = "half_missing"
    """Half of a sentence is left out."""
    SENTENCE_REPEATED = "sentence_repeated"
    WORDS_SWAPPED = "words_swapped"
    OTHER_TEXT = "other_text"
    OTHER_LANGUAGE = "other_language"
    SILENCE_INSERTED = "silence_inserted"
    """Three seconds in the middle."""
    DRIFTING = "drifting"
    """Dull from the middle on."""
    BABBLE = "babble"
    """Pieces in another order from the middle on."""
    CLIPPED_START = "clipped_start"
    EMPTY = "empty"
    HEADER_ONLY = "header_only"
    """The 44 bytes of a WAV header without frames."""
    HEADERLESS = "headerless"
    HUGE = "huge"
    """A WAV of `size_bytes`, most of it zeros."""
    JSON_URL = "json_url"
    """JSON with the URL of the file on this emulator."""
    JSON_DATA_URI = "json_data_uri"
    JSON_BASE64 = "json_base64"
    """JSON with plain base64."""
    JSON_ERROR = "json_error"
    """JSON with an `error` and status 200, billed."""
    JSON_BODY = "json_body"
    """The JSON in `json_body` with status 200, billed."""


class Step(StrEnum):
    CALL = "call"
    """A speech request: a whole v1 call, or a v2 submission and its run."""
    POLL = "poll"
    """A v2 poll for status or result."""
    FILE = "file"


class Match(BaseModel):
    """Which calls a rule applies to. All conditions must hold; no condition matches every call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step = Step.CALL
    """Conditions and counts apply to requests of this kind only."""
    text_contains: str | None = None
    model: str | None = None
    nth: tuple[int, ...] = ()
    """Ordinals, from 1, among the calls with this text and model."""
    every: Annotated[int | None, Field(ge=1)] = None
    """Every Nth of those calls: 3 takes the third, the sixth, …"""
    nth_of_text: tuple[int, ...] = ()
    """Ordinals, from 1, among calls with the same text: (1,) fails the first attempt of each."""
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0


class Effect(BaseModel):
    """What happens to a matching call. `status` replaces the audio; the other fields change the response."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Annotated[int | None, Field(ge=400, le=599)] = None
    """Respond with this error status, unbilled and without the model's latency."""
    shape: BodyShape = BodyShape.ERROR
    message: str | None = None
    """None uses the status's reason phrase."""
    take: Take = Take.GOOD
    ending: Ending = Ending.WHOLE
    delay_seconds: Annotated[float, Field(ge=0)] = 0.0
    """Added to the latency."""
    content_type: str | None = None
    """Overrides the Content-Type header."""
    headers: dict[str, str] = {}
    """Additional headers."""
    without_headers: tuple[str, ...] = ()
    """Standard headers to omit, such as `x-cost`."""
    share: Annotated[float, Field(ge=0, le=1)] = 0.3
    """The share of truncated speech, or of a cut body, that is sent."""
    repeats: Annotated[int, Field(ge=2)] = 4
    size_bytes: Annotated[int, Field(ge=64)] = 80 * 1024 * 1024
    body_seconds: Annotated[float, Field(ge=0)] = 5.0
    json_key: str = "audio"
    """v1: the key of the audio in a JSON response."""
    json_body: str = "{}"
    """The body for the take `json_body`. In v2 an object's fields are merged into the run."""

    output: OutputShape | None = None
    """v2: the form of the run's output; None uses the configuration's."""
    run_fails: bool = False
    """The run ends without audio, unbilled, with `message`: FAILED in v2, status 500 in v1."""
    failed_status: Annotated[int, Field(ge=200, le=599)] = 422
    """v2: the HTTP status of a FAILED run."""
    word: str | None = None
    """Polls: report this state instead of the true one, without output."""

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if self.status is not None and self.take is not Take.GOOD:
            raise ValueError("set either status or take: an error response carries no audio")
        return self


class Rule(BaseModel):
    """One fault: which calls, how often, and the effect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect: Effect
    match: Match = Match()
    times: Annotated[int | None, Field(ge=0)] = None
    """Maximum number of firings; None is unlimited."""


class Script:
    """Rules with their counters. The same rules, seed and order of calls produce the same faults."""

    def __init__(self, rules: Iterable[Rule], seed: int) -> None:
        self._seed = seed
        self._rules: list[_CountedRule] = []
        self._texts: Counter[tuple[Step, str]] = Counter()
        self.append(rules)

    def append(self, rules: Iterable[Rule]) -> None:
        """Append rules; existing counters continue."""
        for rule in rules:
            self._rules.append(_CountedRule(rule, random.Random(f"{self._seed}/{len(self._rules)}")))  # noqa: S311  # repeatable on purpose

    def effect(self, slug: str, text: str, step: Step = Step.CALL) -> Effect | None:
        """Return the effect for the next call, or None if it succeeds."""
        self._texts[step, text] += 1
        nth_of_text = self._texts[step, text]
        lines = (line for line in self._rules if line.rule.match.step is step)
        return next((line.rule.effect for line in lines if line.fires(slug, text, nth_of_text)), None)


class _CountedRule:
    def __init__(self, rule: Rule, rng: random.Random) -> None:
        self.rule = rule
        self._rng = rng
        self._seen = 0
        self._fired = 0

    def fires(self, slug: str, text: str, nth_of_text: int) -> bool:
        match = self.rule.match
        if (match.text_contains or "") not in text or match.model not in {None, slug}:
            return False
        self._seen += 1
        fires = (
            (self.rule.times is None or self._fired < self.rule.times)
            and (not match.nth or self._seen in match.nth)
            and (match.every is None or self._seen % match.every == 0)
            and (not match.nth_of_text or nth_of_text in match.nth_of_text)
            and (match.probability >= 1 or self._rng.random() < match.probability)
        )
        self._fired += fires
        return fires
