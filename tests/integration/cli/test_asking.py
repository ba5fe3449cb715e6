"""What `ttsq run` says and asks before it buys: on a terminal a question, elsewhere none. On the embedded default."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from tests.servers import forked
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator

END_SECONDS: Final = 60.0
QUESTION: Final = "Continue? [Y/n] "
ON_TERMINAL: Final = """
import fcntl, signal, termios
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell that runs tests in the background ignores
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that a typed Ctrl-C becomes a signal
from worker.cli.main import main
main()
"""
CTRL_C: Final = "\x03"
CTRL_D: Final = "\x04"


class AtATerminal:
    """A command whose input and standard error are a terminal."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self._process = forked.start(
            [sys.executable, "-c", ON_TERMINAL, *arguments],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env=os.environ | {"COLUMNS": "400", "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def read_until(self, words: str) -> None:
        """Read on until these words came."""
        while words not in self.shown:
            assert self._read(), f"it ended after: {self.shown}"

    def answer(self, words: str) -> None:
        """Type it."""
        os.write(self._ours, words.encode())

    def end(self) -> int:
        """Read to the end, and wait for it. The exit code."""
        while self._read():
            pass
        return self._process.wait(END_SECONDS)

    def close(self) -> None:
        """End it if it still runs."""
        self._process.kill()
        self._process.wait(END_SECONDS)
        os.close(self._ours)

    def _read(self) -> bool:
        try:
            new = os.read(self._ours, 4_096)
        except OSError:  # on Linux: the other end is closed
            return False
        self.shown += new.decode()
        return bool(new)


@contextmanager
def at_a_terminal(*arguments: str) -> Iterator[AtATerminal]:
    """The command, which never outlives the block."""
    command = AtATerminal(*arguments)
    try:
        yield command
    finally:
        command.close()


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An account with ten cents, and the settings that lead to it."""
    with Emulator(EmulatorConfig(credits=Decimal("0.10"))) as running:
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", running.key)
        yield running


@pytest.fixture(autouse=True)
def texts() -> Path:
    """Three different texts."""
    path = Path("texts.txt")
    path.write_text("".join(f"This is text number {number}.\n" for number in range(3)), encoding="utf-8")
    return path


@pytest.mark.parametrize("answer", ["n\n", "No\n", "what?\nn\n", CTRL_D, CTRL_C])
def test_a_no_leaves_everything_as_it_was(emulator: Emulator, answer: str) -> None:
    """In any form, the end of the input and Ctrl-C included: nothing is stored, nothing is bought."""
    with at_a_terminal("run", "texts.txt") as command:
        command.read_until(QUESTION)
        command.answer(answer)
        assert command.end() == 130
    assert emulator.state().calls == 0
    listed = forked.run([sys.executable, "-m", "worker.cli", "jobs", "list", "--json"], check=True, timeout=60)
    assert listed.stdout == ""


@pytest.mark.parametrize("answer", ["\n", "y\n", "YES\n"])
def test_a_yes_buys(emulator: Emulator, answer: str) -> None:
    """And so does Enter. What it will cost and what is there stands before the question."""
    with at_a_terminal("run", "texts.txt") as command:
        command.read_until(QUESTION)
        assert "About $0.0201 for 3 calls" in command.shown
        assert "the balance is $0.1000" in command.shown
        assert emulator.state().calls == 0
        command.answer(answer)
        assert command.end() == 0
    assert emulator.state().billed_calls == 3


def test_what_is_said_once_is_not_asked_again(emulator: Emulator) -> None:
    """`--yes` skips the question; a run taken up again with nothing to buy has none; `--fresh` has one."""
    for arguments in (["--yes"], []):
        with at_a_terminal("run", "texts.txt", *arguments) as command:
            assert command.end() == 0
            assert QUESTION not in command.shown
    assert emulator.state().billed_calls == 3
    with at_a_terminal("run", "texts.txt", "--fresh") as command:
        command.read_until(QUESTION)
        assert "About $0.0201 for 3 calls" in command.shown
        command.answer("n\n")
        assert command.end() == 130
    assert emulator.state().billed_calls == 3


def test_a_rehearsal_is_not_asked_about() -> None:
    """It costs nothing."""
    with at_a_terminal("run", "texts.txt", "--rehearse") as command:
        assert command.end() == 0
    assert QUESTION not in command.shown
    assert "About $" not in command.shown


def test_a_quiet_run_is_asked_about_all_the_same(emulator: Emulator) -> None:
    """A question needs its figures; without a terminal there are neither."""
    with at_a_terminal("run", "texts.txt", "--quiet") as command:
        command.read_until(QUESTION)
        assert "About $0.0201" in command.shown
        command.answer("y\n")
        assert command.end() == 0
    assert emulator.state().billed_calls == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "About $0.0201 for 3 calls, about"),
        (("--max-cost", "0.01"), "the budget leaves $0.0100, which covers about 1: the rest will be held"),
    ],
)
def test_without_a_terminal_nothing_is_asked(emulator: Emulator, arguments: Sequence[str], words: str) -> None:
    """The figures are on standard error, for the log."""
    done = forked.run(
        [sys.executable, "-m", "worker.cli", "run", "texts.txt", *arguments],
        timeout=END_SECONDS,
    )
    assert words in done.stderr
    assert QUESTION not in done.stderr
    assert emulator.state().billed_calls >= 1


def test_too_small_a_balance_is_reported_beforehand(emulator: Emulator) -> None:
    """With how far it goes."""
    emulator.admin.account(credits=Decimal("0.0135"))
    with at_a_terminal("run", "texts.txt") as command:
        command.read_until(QUESTION)
        assert "the balance of $0.0135 covers about 2: the rest is held until it is topped up" in " ".join(
            command.shown.split()
        )
        command.answer("n\n")
        assert command.end() == 130
