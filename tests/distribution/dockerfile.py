"""A Dockerfile, read into its instructions and stages. Only what ours uses is understood; all else is refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Final

KNOWN: Final = frozenset(
    {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "VOLUME", "USER", "STOPSIGNAL", "HEALTHCHECK", "CMD"}
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One line, with those that continue it."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """What stands in it, by spaces."""
        return self.text.split()

    @property
    def command(self) -> list[str]:
        """The words of the form in brackets, which no shell looks at.

        Raises:
            ValueError: it is in the other form.
        """
        words: list[str] = json.loads(self.text[self.text.index("[") :])
        return words


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands between one FROM and the next."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, name: str) -> Instruction:
        """The one that counts, where one replaces another."""
        return [instruction for instruction in self.instructions if instruction.name == name][-1]


def stages(text: str) -> list[Stage]:
    """Every stage, in order."""
    found: list[Stage] = []
    for instruction in instructions(text):
        if instruction.name == "FROM":
            base, *named = instruction.words
            found.append(Stage(named[-1] if named else "", base))
        else:
            found[-1].instructions.append(instruction)
    return found


def instructions(text: str) -> list[Instruction]:
    """Every instruction, in order.

    Raises:
        ValueError: one that isn't known here.
    """
    without_comments = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    joined = re.sub(r"\\\n", " ", without_comments)
    found = [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]
    unknown = {instruction.name for instruction in found} - KNOWN
    if unknown:
        raise ValueError(f"the rehearsal of the Dockerfile doesn't know {', '.join(sorted(unknown))}")
    return found


def environment(instruction: Instruction, known: dict[str, str]) -> dict[str, str]:
    """What an ENV sets, `known` being set already."""
    pairs = dict(word.split("=", 1) for word in instruction.words)
    return {name: re.sub(r"\$(\w+)", lambda found: known[found[1]], value) for name, value in pairs.items()}
