"""A rehearsal as a file: read exactly, its faults named, its changes in their time."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from api_models.problems import InvalidInputError
from worker.emulator.account import AccountChange
from worker.emulator.api.refusals import ModelState
from worker.emulator.faults import Effect, Match, Rule
from worker.emulator.latency import Latency
from worker.emulator.limits import Limit, WindowKind
from worker.emulator.scenario import Change, ModelSwitch, Scenario, load

TOML = """
rpm = 60
window = "sliding"
credits = 0.10000000000000000000000001
latency_seconds = 2
output = "list"

[[rules]]
match = { text_contains = "storm", nth_of_text = [1] }
effect = { status = 500 }

[[changes]]
at_seconds = 30
account = { credits = 5.10 }

[[changes]]
at_seconds = 10.5
limit = { rpm = 30, retry_after = true }

[[changes]]
at_seconds = 40
latency = { seconds = 9, jitter = 0.3 }

[[changes]]
at_seconds = 40
rules = []

[[changes]]
at_seconds = 50
model = { slug = "gemini-2.5-flash-tts", state = "retired" }
"""

JSON = """{
  "rpm": 60, "window": "sliding", "credits": 0.10000000000000000000000001, "latency_seconds": 2, "output": "list",
  "rules": [{"match": {"text_contains": "storm", "nth_of_text": [1]}, "effect": {"status": 500}}],
  "changes": [
    {"at_seconds": 30, "account": {"credits": 5.10}},
    {"at_seconds": 10.5, "limit": {"rpm": 30, "retry_after": true}},
    {"at_seconds": 40, "latency": {"seconds": 9, "jitter": 0.3}},
    {"at_seconds": 40, "rules": []},
    {"at_seconds": 50, "model": {"slug": "gemini-2.5-flash-tts", "state": "retired"}}
  ]
}"""


def written(folder: Path, text: str, name: str = "rehearsal.json") -> Path:
    """A file with this in it."""
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"), [("rehearsal.toml", TOML), ("rehearsal.json", JSON), ("REHEARSAL.TOML", TOML)]
)
def test_both_notations_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    """A configuration with its changes; amounts written as numbers lose no digit."""
    scenario = load(written(tmp_path, text, name))
    assert (scenario.rpm, scenario.window) == (60, WindowKind.SLIDING)
    assert scenario.credits == Decimal("0.10000000000000000000000001")
    assert scenario.rules == (Rule(match=Match(text_contains="storm", nth_of_text=(1,)), effect=Effect(status=500)),)
    assert scenario.timeline() == [
        Change(at_seconds=10.5, limit=Limit(rpm=30, retry_after=True)),
        Change(at_seconds=30, account=AccountChange(credits=Decimal("5.10"))),
        Change(at_seconds=40, latency=Latency(seconds=9, jitter=0.3)),
        Change(at_seconds=40, rules=()),
        Change(at_seconds=50, model=ModelSwitch(slug="gemini-2.5-flash-tts", state=ModelState.RETIRED)),
    ]


def test_a_scenario_without_changes_is_a_configuration(tmp_path: Path) -> None:
    """Every field may be left out."""
    assert load(written(tmp_path, "{}")) == Scenario()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"rmp": 60}', "rmp"),
        ('{"rpm": -1}', "rpm"),
        ('{"credits": NaN}', "credits"),
        ('{"changes": [{"at_seconds": 1}]}', "exactly one of account, limit, latency, rules, model; found none"),
        ('{"changes": [{"at_seconds": 1, "rules": [], "limit": {}}]}', "found limit, rules"),
        ('{"changes": [{"at_seconds": -1, "rules": []}]}', "changes.0.at_seconds"),
        ('{"changes": [{"at_seconds": Infinity, "rules": []}]}', "changes.0.at_seconds"),
        ('{"changes": [{"at_seconds": 1, "model": {"slug": "gemini-3.1-flash-ttt", "state": "ok"}}]}', "did you mean"),
        ('{"changes": [{"at_seconds": 1, "account": {"credit": 1}}]}', "changes.0.account.credit"),
        ("[]", "rehearsal.json"),
        ("{", "rehearsal.json"),
        ("[" * 100_000, "rehearsal.json"),
    ],
)
def test_what_means_nothing_is_named(tmp_path: Path, text: str, words: str) -> None:
    """The file, the place in it, and what would be right."""
    with pytest.raises(InvalidInputError) as caught:
        load(written(tmp_path, text))
    assert words in f"{caught.value} {[str(fault) for fault in caught.value.faults]}"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_files_that_cant_be_read(tmp_path: Path, content: bytes | None) -> None:
    """A missing file, and one that is no text."""
    path = tmp_path / "rehearsal.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"rehearsal\.toml"):
        load(path)
