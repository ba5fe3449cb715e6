"""`ttsq lexicon try`: candidates for a pronunciation, spoken for the ear by way of `ttsq run`."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from api_models.lexicons import MAX_MATCH_CHARACTERS, MAX_SAY_CHARACTERS, LexiconRule
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.exits import Exit
from worker.cli.console.terminal import Terminal
from worker.cli.run.order import DEFAULT_FOLDER, Order
from worker.cli.run.run import run
from worker.intake.validation import Defaults
from worker.text.lexicon.lexicon import Lexicon, characters

MAX_CANDIDATES: Final = 10
_OTHER: Final = re.compile(r"[^\w-]+")
_NAME_CHARACTERS: Final = 40


@dataclass(frozen=True, slots=True)
class Trial:
    word: str
    candidates: Sequence[str]
    """What is said in place of the word; the word itself is always spoken too."""
    text: str | None
    """A sentence with the word; None to say it twice."""
    voice: str | None = None
    model: str | None = None
    out: Path | None = None
    ask: bool = True
    rehearse: bool = False

    def sheet(self) -> list[tuple[str, str]]:
        """Return name and text of each candidate. Raises CliError."""
        word = " ".join(self.word.split())
        if not 0 < len(word) <= MAX_MATCH_CHARACTERS or not any(map(str.isalnum, word)):
            raise CliError(f"{word or 'nothing'} is no word to try", "name the word as it is written")
        said = list(dict.fromkeys((word, *(self.candidates or [characters(word)]))))
        if len(said) > MAX_CANDIDATES:
            raise CliError(f"there are {len(said)} candidates; {MAX_CANDIDATES} is the limit", "leave some out")
        if long := next((one for one in said if len(one) > MAX_SAY_CHARACTERS), None):
            raise BadOptionError("--say", long, f"exceeds {MAX_SAY_CHARACTERS} characters", "shorten it")
        return [(_name(number, one), self._spoken(word, one)) for number, one in enumerate(said, 1)]

    def _spoken(self, word: str, said: str) -> str:
        if self.text is None:
            return f"{said}, {said}."  # bare words may yield no audio
        if said == word:
            return self.text
        changed = Lexicon([LexiconRule(match=word, say=said)]).apply(self.text)
        if not changed.edits:
            raise BadOptionError("--text", self.text, f"doesn't hold {word}", "write a sentence with the word")
        return changed.text


def _name(number: int, said: str) -> str:
    return f"{number}-{_OTHER.sub('-', said).strip('-')[:_NAME_CHARACTERS] or 'candidate'}"


def try_word(trial: Trial, terminal: Terminal) -> Exit:
    """Speak the candidates at the price that is confirmed before, one file each."""
    rows = trial.sheet()
    stem = f"try-{_OTHER.sub('-', trial.word).strip('-')[:_NAME_CHARACTERS] or 'word'}"
    with TemporaryDirectory(prefix="ttsq-try-") as folder:
        sheet = Path(folder) / f"{stem}.csv"
        with sheet.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("custom_id", "text"), *rows])
        order = Order(
            source=sheet,
            defaults=Defaults(model=trial.model, voice_1=trial.voice),
            out=trial.out or DEFAULT_FOLDER / stem,
            resume=True,
            ask=trial.ask,
            rehearse=trial.rehearse,
        )
        found = run(order, terminal)
    if found is Exit.DONE:
        terminal.note(f"Keep one: ttsq lexicon set NAME {trial.word!r} --say …", style="dim")
    return found
