"""What was asked of `ttsq run` at the terminal, and the rows that it names."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from worker.cli.talk.terminal import Terminal
from worker.intake.judging import Defaults, Row
from worker.intake.reading import read_all
from worker.settings import Settings

STDIN: Final = "-"
STDIN_STEM: Final = "stdin"


@dataclass(frozen=True, slots=True)
class Order:
    """The command line, understood."""

    source: Path | None
    """None is standard input."""
    defaults: Defaults
    out: Path | None
    resume: bool
    rehearse: bool = False
    missing: bool = False
    """Whether audio that was bought and is gone is bought again."""
    max_cost: Decimal | None = None
    """US dollars; None leaves a limit as it is."""
    ask: bool = True
    """Whether a person at the terminal is asked before anything is bought."""

    @property
    def title(self) -> str:
        """What people call the input."""
        return "standard input" if self.source is None else self.source.name

    @property
    def stem(self) -> str:
        """What its folder is called."""
        return STDIN_STEM if self.source is None else self.source.stem

    @property
    def typed(self) -> str:
        """The input as it stands in the command."""
        return STDIN if self.source is None else str(self.source)


def read(order: Order, settings: Settings, terminal: Terminal) -> list[Row]:
    """Every row of the input.

    Raises:
        InvalidInputError: with every fault there is.
    """
    if order.source is None and sys.stdin.isatty():
        terminal.note("Reading texts from the terminal, one a line; Ctrl-D ends them.", style="dim")
    return read_all(
        sys.stdin.buffer if order.source is None else order.source,
        name=order.title if order.source is None else order.typed,
        defaults=order.defaults,
        max_text_bytes=settings.max_text_bytes,
    )
