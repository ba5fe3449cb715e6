"""Plain technical English: phrases that the project does not use in docstrings, comments, messages, help and documents.

`make check` runs it. An exception stands in `ALLOWED`, with its reason.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PHRASES: Final = {
    "whoever": "name the thing: the worker, the caller",
    "somebody": "name the thing: another worker, another process",
    "nobody": "name the thing, or say what is missing",
    "is told": "is notified, receives, is passed",
    "tells": "says, returns, reports",
    "gives": "returns",
    "so many": "say how many, or `N`",
    "trouble": "error, outage",
    "hand in": "submit",
    "hands in": "submits",
    "handed in": "submitted",
    "goes on": "continues",
    "is over": "has finished",
    "for ever": "forever, indefinitely",
}
ALLOWED: Final[dict[str, str]] = {
    "api_models/http_problems.py": "`store-trouble` is a wire value",
    "tests/wording.py": "lists the phrases",
    "tests/servers/installation.py": "names the system user `nobody`",
}
"""Files that are not read, each with its reason."""
UNCHANGEABLE: Final = "migrations/versions/"
"""Released revisions are held by checksum."""
SUFFIXES: Final = (".py", ".md", ".html", ".toml", ".yml", ".yaml")

PATTERN: Final = re.compile(rf"\b({'|'.join(PHRASES)})\b".replace(" ", r"\s+"), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hit:
    """One phrase at one line."""

    path: Path
    line: int
    phrase: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: "{self.phrase}": {PHRASES[self.phrase.lower()]}'


def main() -> int:
    """Print every hit; exit status 1 where there are any."""
    hits = [hit for path in files() for hit in in_file(path)]
    for hit in hits:
        print(hit)
    return 1 if hits else 0


def files() -> Iterator[Path]:
    """Every text file of the checkout that git tracks, but for the exceptions."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
    for name in listed:
        path = Path(name)
        if name not in ALLOWED and not name.startswith(UNCHANGEABLE) and path.suffix in SUFFIXES and path.is_file():
            yield path


def in_file(path: Path) -> Iterator[Hit]:
    """Hits in the prose of a file: in Python its strings and comments, elsewhere every line."""
    text = path.read_text(encoding="utf-8")
    for line, prose in prose_of(text) if path.suffix == ".py" else [(1, text)]:
        for found in PATTERN.finditer(prose):
            yield Hit(path, line + prose.count("\n", 0, found.start()), " ".join(found[0].split()))


def prose_of(source: str) -> Iterator[tuple[int, str]]:
    """The strings and comments of Python source, each with the line it begins on."""
    kinds = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in kinds:
            yield token.start[0], token.string


if __name__ == "__main__":
    sys.exit(main())
