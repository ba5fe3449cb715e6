"""What the pages name exists: files of the project, pages they link to, and commands of the Makefile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FILE: Final = re.compile(r"`((?:worker|api_models|tests|migrations|benchmarks|examples|docs|clients)/[\w./-]*)`")
LINK: Final = re.compile(r"\]\((?!https?:|#)([^)#]+)")
COMMAND: Final = re.compile(r"`make ([a-z-]+)")
TARGETS: Final = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def missing(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    yield from (name for name in FILE.findall(text) if not (ROOT / name).exists())
    yield from (link for link in LINK.findall(text) if not (page.parent / link).exists())
    yield from (f"make {name}" for name in COMMAND.findall(text) if name not in TARGETS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    assert list(missing(page)) == []
