"""`ttsq emulator` with a scenario: what it says and does, and what it says of a file that means nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cluster.waiting import wait_for
from tests.servers import forked
from tests.terminal import Ttsq
from worker.emulator.admin import Admin
from worker.emulator.scenario import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "rough-evening.toml"
END_SECONDS = 60.0


@contextmanager
def emulator(*arguments: str) -> Iterator[tuple[str, Admin]]:
    """The command in a separate process: its output until it accepts calls, and a client for it."""
    process = forked.start(
        [sys.executable, "-m", "worker.cli", "emulator", "--port", "0", *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        said = ""
        while "Press Ctrl-C to stop" not in said:
            line = process.stdout.readline()
            assert line, "it ended without a word"
            said += line
        with Admin(said.split()[3].rstrip(".")) as admin:
            yield said, admin
    finally:
        process.terminate()
        process.communicate(timeout=END_SECONDS)


def test_a_scenario_changes_in_its_time(tmp_path: Path) -> None:
    """The account is topped up by itself."""
    scenario = tmp_path / "evening.toml"
    scenario.write_text('credits = 0.10\n[[changes]]\nat_seconds = 0.2\naccount = { credits = "5.00" }\n')
    with emulator("--scenario", str(scenario)) as (said, admin):
        assert "1 change scheduled, the last after 0.2 s" in said
        wait_for(lambda: admin.state().credits == Decimal("5.00"), seconds=30, what="the money")


def test_options_win_over_the_scenario(tmp_path: Path) -> None:
    """What isn't given stays as the file has it."""
    scenario = tmp_path / "evening.json"
    scenario.write_text('{"credits": 0.10, "free_credits": "0.05"}')
    with emulator("--scenario", str(scenario), "--credits", "0.30") as (said, admin):
        assert "scheduled" not in said
        assert (admin.state().credits, admin.state().free_credits) == (Decimal("0.30"), Decimal("0.05"))


def test_the_example_is_a_sound_scenario() -> None:
    """Everything that the documentation promises of it happens in it."""
    scenario = load(EXAMPLE)
    assert scenario.credits == Decimal("0.10")
    kinds = [name for change in scenario.timeline() for name in ("account", "limit", "model") if getattr(change, name)]
    assert kinds == ["account", "limit", "model", "model"]
    assert len(scenario.rules) == 2


@pytest.mark.parametrize(
    ("name", "content", "faults"),
    [
        ("a.toml", b"latencyseconds = 3\n", ['latencyseconds: is not a known field; did you mean "latency_seconds"?']),
        ("a.toml", b"rpm = = 3\n", ["at line 1, column 7"]),
        ("a.json", b'{"rpm": 3,\n "window" 4}', ["line 2 column 11"]),
        ("a.json", b"[1]", ["must be an object"]),
        ("a.json", b"\xff\xfe", ["codec can't decode"]),
        (
            "a.toml",
            b"rpm = 0\n[[changes]]\nat_seconds = -1\nlimit = {}\n[[changes]]\nat_seconds = 1\n",
            ["rpm: must be over 0", "changes.0.at_seconds: must be at least 0", "changes.1: set exactly one of"],
        ),
        (
            "a.toml",
            b'[[rules]]\nmatch = { probabilty = 1 }\neffect = { take = "short" }\n',
            [
                'rules.0.match.probabilty: is not a known field; did you mean "probability"?',
                "rules.0.effect.take: must",
            ],
        ),
    ],
)
def test_a_scenario_that_means_nothing_is_refused(ttsq: Ttsq, name: str, content: bytes, faults: Sequence[str]) -> None:
    """Every fault with its field or line, and where the form is written down."""
    Path(name).write_bytes(content)
    shown = ttsq("emulator", "--scenario", name)
    assert shown.code == 2
    assert f"invalid scenario {name}" in shown.err
    for fault in faults:
        assert fault in shown.err
    assert "docs/emulator.md" in shown.err


def test_a_missing_scenario_is_an_error(ttsq: Ttsq) -> None:
    """By its name."""
    shown = ttsq("emulator", "--scenario", "none.toml")
    assert (shown.code, "invalid scenario none.toml" in shown.err, "No such file" in shown.err) == (2, True, True)


def test_options_out_of_their_bounds_are_named_together(ttsq: Ttsq) -> None:
    """Nothing listens."""
    shown = ttsq("emulator", "--rpm", "0", "--window", "round", "--credits", "much")
    assert shown.code == 2
    for words in ("rpm: must be over 0", "window: must be", "credits: must be a number"):
        assert words in shown.err
