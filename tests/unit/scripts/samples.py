"""The twelve scripts of `tests/data/scripts`, and who speaks in each, turn by turn."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from worker.scripts.readers.files import read_script
from worker.scripts.script import Script

FOLDER: Final = Path(__file__).parents[2] / "data" / "scripts"
_COUNCIL: Final = [f"Member {number}" for number in range(1, 21)]

SPEAKERS: Final[dict[str, list[str]]] = {
    "ferry.txt": [
        *("", "Anna", "Old Ben", "Anna", "Old Ben", "Anna"),
        *("Old Ben", "Old Ben", "Anna", "Anna", "Old Ben", ""),
    ],
    "duel.fountain": [
        *("", "CAPTAIN GREY", "ÉLODIE", "LORD ASH", "McLeod", "CAPTAIN GREY", "CAPTAIN GREY"),
        *("", "DR. LEE", ""),
    ],
    "kitchen.json": ["Jörg", "Mia", "Jörg", "Mia", "Jörg"],
    "market.csv": ["Carmen", "Vendedor", "Carmen", "Niño", "Vendedor"],
    "two-columns.tsv": ["Ana", "Rui", "Ana"],
    "lesson.md": ["Professeur", "Zoé", "Professeur", "Hugo", "Zoé"],
    "station.srt": ["MARTA", "GUARD", "MARTA", "GUARD"],
    "harbour.vtt": ["Ines", "Tom", "Ines"],
    "rooftop.ass": ["Lena", "Paul", "Lena"],
    "teahouse.txt": ["李雷", "韩梅梅", "李雷", "韩梅梅"],
    "council.txt": [*_COUNCIL, *reversed(_COUNCIL)],
    "dacha.txt": ["Рассказчик", "Анна Петровна", "Иван", "Анна Петровна", "Иван"],
}


def script(name: str) -> Script:
    return read_script(FOLDER / name)
