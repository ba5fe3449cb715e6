"""How long a lexicon takes: 5,000 rules on a megabyte of text, as the clock of the process counts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api_models.lexicons import LexiconRule
from benchmarks.report import Report
from worker.text.lexicon.lexicon import Lexicon

SEED: Final = 20
_LETTERS: Final = "etaoinshrdlucmfwypvbgkjqxz"
_WORDS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Knobs:
    rules: int = 5_000
    megabytes: float = 1.0


FULL = Knobs(rules=20_000, megabytes=4.0)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    chance = random.Random(SEED)
    words = ["".join(chance.choices(_LETTERS, range(26, 0, -1), k=chance.randint(2, 11))) for _ in range(_WORDS)]
    text = " ".join(chance.choices(words, k=round(knobs.megabytes * 160_000)))[: round(knobs.megabytes * 1e6)]
    texts = {"Latin": text, "accented": text.replace("a", "é"), "Chinese": "".join(map(_chinese, text))}
    rows: list[tuple[str, float, str]] = []
    for name, endless in texts.items():
        say(name)
        whole = endless.encode()[: round(knobs.megabytes * 1e6)].decode(errors="ignore")
        matches = dict.fromkeys(_match(chance, whole) for _ in range(2 * knobs.rules))
        rules = [LexiconRule(match=match, say="say it so") for match in [*matches][: knobs.rules]]
        began = time.process_time()
        lexicon = Lexicon(rules)
        changed = lexicon.apply(whole)
        rows.append((name, time.process_time() - began, f"{len(changed.edits):,}"))
    title = f"A lexicon of {knobs.rules:,} rules, made ready and applied to {knobs.megabytes:g} MB of text"
    return Report("lexicon", title, ("text", "CPU seconds", "places"), rows, [])


def _match(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text) - 40)
    return " ".join(text[at : at + chance.randint(3, 24)].split()) or "x"


def _chinese(character: str) -> str:
    return "" if character == " " else chr(0x4E00 + ord(character) * 37 % 3_000)
