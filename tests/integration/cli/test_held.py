"""A run whose budget covers only part of it, in single-process mode: it ends, names the remedy, and resumes."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from tests.servers import forked
from tests.terminal import Shown, Ttsq
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule
from worker.emulator.server import Emulator

END_SECONDS: Final = 90.0
LINES: Final = 30
PRICE: Final = Decimal("0.0067")


def run(*arguments: str) -> Shown:
    """`ttsq run …`, in a separate process."""
    done = forked.run(
        [sys.executable, "-m", "worker.cli", "run", *arguments],
        timeout=END_SECONDS,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )
    return Shown(done.returncode, done.stdout, done.stderr)


def proposed(shown: Shown) -> list[list[str]]:
    """The commands that go on, as it names them; each without the program's own name."""
    words = [line.split("   (")[0].strip() for line in shown.err.splitlines()]
    return [shlex.split(line)[1:] for line in words if line.startswith("ttsq ")]


@pytest.fixture
def emulator(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An API, and the settings that lead to it."""
    assert ttsq is not None  # its settings are set first
    with Emulator(EmulatorConfig(latency_seconds=0.02)) as running:
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", running.key)
        yield running


@pytest.fixture(autouse=True)
def texts() -> Path:
    """Thirty different texts."""
    path = Path("texts.txt")
    path.write_text("".join(f"This is text number {number}.\n" for number in range(LINES)), encoding="utf-8")
    return path


def test_a_run_held_by_its_budget_ends_and_resumes_when_it_is_raised(emulator: Emulator) -> None:
    """At or under the budget; exit code 3; the command that it proposes does the rest, and nothing is bought twice."""
    shown = run("texts.txt", "--out", "my audio", "--max-cost", "0.10", "--json")
    found = shown.data
    assert shown.code == 3, shown.err
    assert (found["succeeded"], found["failed"], found["held"]) == (14, 0, LINES - 14)
    assert found["hold"]["code"] == "budget_used_up"
    assert Decimal(found["cost"]) == emulator.state().billed == 14 * PRICE
    assert "14 of 30 texts spoken, 16 held by the budget" in shown.err
    (command,) = proposed(shown)
    assert command[:5] == ["run", "texts.txt", "--out", "my audio", "--max-cost"]
    shown = run(*command[1:], "--json")
    assert (shown.code, shown.data["succeeded"]) == (0, LINES), shown.err
    state = emulator.state()
    assert (state.billed_calls, set(state.billed_texts.values())) == (LINES, {1})


def test_a_budget_stays_until_it_is_changed(ttsq: Ttsq, emulator: Emulator) -> None:
    """The same command without one keeps it; `ttsq budget batch` raises it as well."""
    first = run("texts.txt", "--max-cost", "0.05")
    assert first.code == 3, first.err
    again = run("texts.txt")
    assert (again.code, emulator.state().billed_calls) == (3, 7), again.err
    assert "Budget unchanged: $0.0469 of $0.0500 spent" in again.err
    raised = ttsq("budget", "batch", "texts", "1")
    assert (raised.code, "to start held jobs" in raised.out) == (0, True)
    assert (run("texts.txt").code, emulator.state().billed_calls) == (0, LINES)


def test_a_month_that_is_used_up_ends_the_run_too(ttsq: Ttsq, emulator: Emulator) -> None:
    """Both ways on are named: the month's budget, and then the same command."""
    assert run("texts.txt", "--max-cost", "0.02").code == 3
    assert ttsq("budget", "clear", "--batch", "texts").code == 0
    assert ttsq("budget", "set", "default", "0.05", "--monthly").code == 0
    shown = run("texts.txt")
    assert (shown.code, emulator.state().billed_calls) == (3, 7), shown.err
    raise_month, run_again = proposed(shown)
    assert raise_month[:3] == ["budget", "set", "default"]
    assert run_again == ["run", "texts.txt"]
    assert ttsq(*raise_month).code == 0
    assert (run(*run_again[1:]).code, emulator.state().billed_calls) == (0, LINES)


def test_failed_jobs_are_reported_beside_held_ones(emulator: Emulator) -> None:
    """The budget's own exit code wins: the run isn't over."""
    refused = Effect(status=400, message="text is rude")
    emulator.admin.rules([Rule(effect=refused, match=Match(text_contains="number 0."))])
    shown = run("texts.txt", "--max-cost", "0.02", "--json")
    assert shown.code == 3
    assert (shown.data["failed"], shown.data["succeeded"], shown.data["held"]) == (1, 2, LINES - 3)
    assert "text is rude" in shown.err


def test_a_rehearsal_shows_how_a_budget_holds(texts: Path) -> None:
    """With the emulator's prices; going on stays a rehearsal."""
    shown = run(str(texts), "--rehearse", "--max-cost", "0.05")
    assert (shown.code, "held by the budget" in shown.out) == (3, True), shown.err
    (command,) = proposed(shown)
    assert command[:3] == ["run", "texts.txt", "--rehearse"]
    assert run(*command[1:]).code == 0


@pytest.mark.parametrize("amount", ["0", "-1", "much", "1,50", ""])
def test_a_bad_budget_is_refused_at_once(ttsq: Ttsq, emulator: Emulator, tmp_path: Path, amount: str) -> None:
    """Before anything is read, stored or bought."""
    shown = ttsq("run", "texts.txt", f"--max-cost={amount}")
    assert (shown.code, f'--max-cost: "{amount}" is not' in shown.err) == (2, True)
    assert not (tmp_path / ".ttsq").exists()
    assert emulator.state().calls == 0
