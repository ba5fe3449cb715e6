"""Runs whose paid takes are refused, in single-process mode: held, explained, resumed, never bought again unasked."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from tests.integration.cli.test_asking import AtATerminal
from tests.servers import forked
from tests.terminal import Shown, Ttsq
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Rule, Take
from worker.emulator.server import Emulator

END_SECONDS: Final = 120.0
PRICE: Final = Decimal("0.0067")
LINES: Final = 40
QUESTION: Final = "Buy them again? [y/N] "


def run(*arguments: str) -> Shown:
    """`ttsq …`, in a separate process."""
    done = forked.run(
        [sys.executable, "-m", "worker.cli", *arguments],
        timeout=END_SECONDS,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )
    return Shown(done.returncode, done.stdout, done.stderr)


def commands(shown: Shown) -> list[list[str]]:
    """The commands that are proposed, each without the program's own name."""
    words = [line.split("   (")[0].strip() for line in shown.err.splitlines()]
    return [shlex.split(line)[1:] for line in words if line.startswith("ttsq ")]


@pytest.fixture
def emulator(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An API of which every take is silent, and the settings that lead to it."""
    assert ttsq is not None  # its settings are set first
    with Emulator(EmulatorConfig(rules=(Rule(effect=Effect(take=Take.SILENT)),))) as running:
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", running.key)
        monkeypatch.setenv("TTSQ_CONCURRENCY", "4")
        yield running


def sheet(lines: int) -> Path:
    """`lines` distinct texts."""
    path = Path("texts.txt")
    path.write_text("".join(f"The ferry number {line} leaves at noon.\n" for line in range(lines)), encoding="utf-8")
    return path


def test_a_run_is_held_explained_and_resumed(emulator: Emulator) -> None:
    """At most 20 takes are paid; after the remedy it tries three more; once they pass, it runs to its end."""
    sheet(LINES)
    shown = run("run", "texts.txt", "--json")
    assert shown.code == 3, shown.err
    assert (shown.data["succeeded"], shown.data["hold"]["code"]) == (0, "takes_refused")
    assert emulator.state().billed == Decimal(shown.data["cost"]) == 20 * PRICE
    assert "held by refused takes" in shown.err
    assert "The last 20 paid takes of gemini-3.1-flash-tts were all refused" in shown.err
    assert "a peak of -120 dBFS" in shown.err
    assert "TTSQ_HOLD_AFTER_REFUSED=0" in shown.err
    takes = [Path(line.strip()) for line in shown.err.splitlines() if line.strip().endswith(".wav")]
    assert len(takes) == 3
    assert all(take.read_bytes()[:4] == b"RIFF" for take in takes)
    show, resume, again = commands(shown)
    assert "flaw silent" in run(*show).out

    asked = run(*again)  # without a resume nothing more is bought
    assert (asked.code, emulator.state().billed) == (3, 20 * PRICE)
    assert "held by refused takes" in asked.err

    assert "is resumed" in run(*resume).out
    assert run(*again).code == 3
    assert emulator.state().billed == 23 * PRICE

    emulator.admin.rules([])
    assert run(*resume).code == 0
    shown = run(*again, "--json")
    assert shown.data["succeeded"] >= LINES - 8, shown.err
    shown = run(*again, "--yes", "--json")
    assert (shown.code, shown.data["succeeded"]) == (0, LINES), shown.err


def test_the_hold_is_seen_everywhere(emulator: Emulator) -> None:
    """In the status, the batch, the gates and the events; `gates open` resumes as well."""
    sheet(LINES)
    assert run("run", "texts.txt").code == 3
    assert emulator.state().billed == 20 * PRICE
    for command in (["status"], ["batch", "show", "texts.txt"], ["gates"]):
        assert "20 paid takes refused in a row" in run(*command).out
    gate = json.loads(run("gates", "--json").out)
    assert (gate["scope"], gate["code"], gate["closed"]) == ("takes", "takes_refused", True)
    assert "takes.held" in run("events").out
    assert f"{gate['name']} is open" in run("gates", "open", gate["name"]).out
    assert "No gate is closed" in run("gates").out
    assert "is not closed" in run("gates", "open", gate["name"]).out


def test_refused_takes_are_not_bought_again_unasked(emulator: Emulator) -> None:
    """Without a terminal: what it would cost is said, and nothing is bought; `--yes` buys."""
    sheet(2)
    assert run("run", "texts.txt").code == 1
    assert emulator.state().billed == 6 * PRICE
    shown = run("run", "texts.txt")
    assert (shown.code, emulator.state().billed) == (1, 6 * PRICE)
    assert "2 texts of an earlier run finished without accepted audio, $0.0402 paid." in shown.err
    assert "up to 6 more calls and costs at most about $0.0402. Not bought again; add --yes to buy them." in shown.err
    assert run("run", "texts.txt", "--yes").code == 1
    assert emulator.state().billed == 12 * PRICE


def test_what_cost_nothing_is_tried_again_unasked(emulator: Emulator) -> None:
    """A text that was refused unpaid may be tried again, as before."""
    sheet(1)
    emulator.admin.rules([Rule(effect=Effect(status=400), times=1)])
    assert run("run", "texts.txt").code == 1
    shown = run("run", "texts.txt")
    assert (shown.code, emulator.state().billed) == (0, PRICE), shown.err


@pytest.mark.parametrize(("answer", "billed"), [("n\n", 6), ("\n", 6), ("y\n", 12)])
def test_on_a_terminal_the_question_is_asked(emulator: Emulator, answer: str, billed: int) -> None:
    """Enter is no; a yes is asked for once."""
    sheet(2)
    assert run("run", "texts.txt").code == 1
    command = AtATerminal("run", "texts.txt")
    try:
        command.read_until(QUESTION)
        command.answer(answer)
        assert command.end() == 1, command.shown
    finally:
        command.close()
    assert "Continue?" not in command.shown
    assert emulator.state().billed == billed * PRICE


def test_a_filtered_text_is_bought_once(emulator: Emulator) -> None:
    """Its code is shown."""
    body = {"status": "error", "error": {"code": "PROHIBITED_CONTENT", "message": "Try another prompt"}}
    emulator.admin.rules([Rule(effect=Effect(take=Take.JSON_BODY, json_body=json.dumps(body)))])
    sheet(2)
    shown = run("run", "texts.txt")
    assert (shown.code, emulator.state().billed) == (1, 2 * PRICE)
    assert "content_refused: The API refuses to speak this text: PROHIBITED_CONTENT: Try another prompt" in shown.err


def test_answers_without_audio_are_bounded_by_the_takes(emulator: Emulator) -> None:
    """Three each, not five; then the text has failed, with the API's own code."""
    body = {"candidates": [{"finishReason": "OTHER"}]}
    emulator.admin.rules([Rule(effect=Effect(take=Take.JSON_BODY, json_body=json.dumps(body)))])
    sheet(1)
    shown = run("run", "texts.txt")
    assert (shown.code, emulator.state().billed) == (1, 3 * PRICE)
    assert "its answer holds no audio: OTHER" in shown.err
