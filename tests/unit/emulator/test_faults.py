"""The emulator's scripted faults: which calls a rule takes, and that the same seed takes the same ones."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from worker.emulator.faults import Effect, Match, Rule, Script, Take

FAILS = Effect(status=500)


def taken(rule: Rule, calls: list[tuple[str, str]], seed: int = 0) -> list[int]:
    """The numbers, from 1, of the calls (model, text) that the rule takes."""
    script = Script([rule], seed)
    return [number for number, (slug, text) in enumerate(calls, 1) if script.effect(slug, text)]


CALLS = [("a", "one"), ("b", "two"), ("a", "two"), ("b", "one"), ("a", "one"), ("a", "three")]


@pytest.mark.parametrize(
    ("match", "numbers"),
    [
        (Match(), [1, 2, 3, 4, 5, 6]),
        (Match(text_contains="w"), [2, 3]),
        (Match(model="a"), [1, 3, 5, 6]),
        (Match(model="a", text_contains="o"), [1, 3, 5]),
        (Match(nth=(2, 4)), [2, 4]),
        (Match(model="a", nth=(2,)), [3]),
        (Match(every=3), [3, 6]),
        (Match(nth_of_text=(1,)), [1, 2, 6]),
        (Match(nth_of_text=(2, 3)), [3, 4, 5]),
        (Match(probability=0), []),
    ],
)
def test_a_rule_takes_the_calls_that_meet_all_its_conditions(match: Match, numbers: list[int]) -> None:
    """Counts run over the calls with the rule's text and model."""
    assert taken(Rule(match=match, effect=FAILS), CALLS) == numbers


def test_times_ends_a_rule() -> None:
    """A rule that has fired as often as it may lets calls pass."""
    assert taken(Rule(effect=FAILS, times=2), CALLS) == [1, 2]


def test_chance_follows_the_seed() -> None:
    """The same seed takes the same calls, another one others; the share is about the probability."""
    rule = Rule(match=Match(probability=0.3), effect=FAILS)
    calls = [("a", str(i)) for i in range(2_000)]
    first = taken(rule, calls, seed=1)
    assert first == taken(rule, calls, seed=1)
    assert first != taken(rule, calls, seed=2)
    assert 500 < len(first) < 700


def test_the_first_rule_that_fires_decides() -> None:
    """Rules are asked in order; what one takes, those behind it neither see nor count."""
    script = Script(
        [
            Rule(match=Match(text_contains="x"), effect=Effect(status=502)),
            Rule(match=Match(every=2), effect=Effect(take=Take.SILENT)),
        ],
        0,
    )
    effects = [script.effect("a", text) for text in ("x", "y", "x", "y")]
    assert effects == [Effect(status=502), None, Effect(status=502), Effect(take=Take.SILENT)]


def test_appended_rules_leave_the_counts_of_the_others() -> None:
    """A rule that was used up stays so when another is added behind it."""
    script = Script([Rule(effect=FAILS, times=1)], 0)
    assert script.effect("a", "one") == FAILS
    script.append([Rule(effect=Effect(status=504), times=1)])
    assert script.effect("a", "one") == Effect(status=504)
    assert script.effect("a", "one") is None


def test_a_rule_is_plain_data() -> None:
    """A scenario written as JSON yields the same rule."""
    rule = Rule(match=Match(text_contains="x", nth=(1, 2)), effect=Effect(status=429, headers={"a": "b"}), times=3)
    assert Rule.model_validate_json(rule.model_dump_json()) == rule


@pytest.mark.parametrize("content", [{"status": 500, "take": "silent"}, {"status": 200}, {"statsu": 500}])
def test_a_rule_that_means_nothing_is_refused(content: dict[str, object]) -> None:
    """Contradictions, statuses that are no errors and misspelt names are found when the rule is written."""
    with pytest.raises(ValidationError):
        Effect.model_validate(content)
