"""A question to the person at the terminal, where there is one."""

from __future__ import annotations

import select
import sys
from typing import Final

from worker.cli.talk.terminal import Terminal

YES = frozenset({"y", "yes"})
NO = frozenset({"n", "no"})
LOOK_SECONDS: Final = 0.2


def can_ask() -> bool:
    """Whether someone sits there who can read a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(terminal: Terminal, question: str, *, enter: bool = True) -> bool:
    """Ask until the answer is yes or no; Enter is what `enter` says, the end of the input is no."""
    choices = "[Y/n]" if enter else "[y/N]"
    while True:
        terminal.errors.print(f"{question} {choices} ", end="", markup=False, highlight=False)
        answer = _line()
        if not answer:
            terminal.errors.print()
            return False
        word = answer.strip().lower()
        if not word:
            return enter
        if word in YES | NO:
            return word in YES


def _line() -> str:
    """What is typed. Nothing waits in the read itself: a Ctrl-C before it would be unnoticed until the next key."""
    while not select.select([sys.stdin], [], [], LOOK_SECONDS)[0]:
        continue
    return sys.stdin.readline()
