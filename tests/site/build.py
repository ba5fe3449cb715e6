"""Gathers the pages into one folder and has Sphinx build them. Nothing is fetched."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.settings_page import page as settings_page
from tests.site import reference

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Tutorials": ("first-run",),
    "How-to": (
        *("sheets", "documents", "scripts", "lexicons", "listening", "models", "producers", "inbox", "console"),
        *("deployment", "administration", "restore", "automation/README", "runbooks/README"),
    ),
    "Reference": (
        *("commands", "reference/commands", "settings", "reference/errors", "gateway", "reference/http", "openai"),
        *("outputs", "metrics", "emulator"),
    ),
    "Explanation": ("architecture", "guarantees", "operations", "scaling", "decisions"),
}
"""The pages by kind. A page of docs/ that is not named here is a how-to."""
FOLDERS: Final = ("automation", "runbooks")
"""Folders whose README lists the other pages."""
UNSEARCHED: Final = ("decisions.md",)
"""Long pages for contributors that have every word, and answer no question of a user."""
INDEX: Final = """# ttsq

An asynchronous job queue for speech: texts in, spoken audio out, over Segmind's text-to-speech API.

Begin with [the first run](first-run.md), which needs no key and no server.
"""
OPTIONS: Final = {
    "project": "ttsq",
    "author": "the ttsq authors",
    "extensions": ["myst_parser"],
    "html_theme": "furo",
    "html_title": "ttsq",
    "html_copy_source": False,
    "html_show_sourcelink": False,
    "html_show_sphinx": False,
    "myst_heading_anchors": 4,
    "exclude_patterns": ["console/*.txt"],
    "suppress_warnings": ["misc.highlighting_failure"],
}
_LINK: Final = re.compile(r"\[([^]]*)\]\(((?:\.\./)+[^)]*)\)")


def build(into: Path, sources: Path) -> list[str]:
    """Build the site into a folder, by way of the folder `sources`. Returns Sphinx's warnings."""
    gather(sources)
    # Imported here, because it takes a second.
    from sphinx.application import Sphinx  # noqa: PLC0415
    from sphinx.util.docutils import docutils_namespace  # noqa: PLC0415

    warnings = sources.with_suffix(".warnings")
    with docutils_namespace(), warnings.open("w", encoding="utf-8") as written:
        app = Sphinx(
            srcdir=sources,
            confdir=None,
            outdir=into,
            doctreedir=sources.with_suffix(".doctrees"),
            buildername="html",
            confoverrides=OPTIONS,
            status=None,
            warning=written,
            freshenv=True,
        )
        app.build(force_all=True)
    return [line for line in warnings.read_text(encoding="utf-8").splitlines() if line.strip()]


def gather(sources: Path) -> None:
    """Copy the pages, and write those that are made from the code and the index."""
    shutil.rmtree(sources, ignore_errors=True)
    shutil.copytree(DOCS, sources)
    (sources / "settings.md").write_text(settings_page(), encoding="utf-8")
    (sources / "reference").mkdir(exist_ok=True)
    for name in ("commands", "errors", "http"):
        (sources / f"reference/{name}.md").write_text(getattr(reference, name)(), encoding="utf-8")
    for page in sources.rglob("*.md"):
        page.write_text(_within(page, sources), encoding="utf-8")
    for folder in FOLDERS:
        readme = sources / folder / "README.md"
        readme.write_text(readme.read_text(encoding="utf-8") + _tree("", _children(sources / folder)), encoding="utf-8")
    for name in UNSEARCHED:
        page = sources / name
        page.write_text(f"---\nnosearch: true\n---\n{page.read_text(encoding='utf-8')}", encoding="utf-8")
    (sources / "index.md").write_text(INDEX + "".join(_kind(kind, sources) for kind in KINDS), encoding="utf-8")


def _within(page: Path, sources: Path) -> str:
    """The page without links to files of the project that are no pages: their names stay."""

    def replaced(found: re.Match[str]) -> str:
        target = (page.parent / found[2].partition("#")[0]).resolve()
        return found[0] if target.is_relative_to(sources.resolve()) and target.exists() else f"`{found[1].strip('`')}`"

    return _LINK.sub(replaced, page.read_text(encoding="utf-8"))


def _kind(kind: str, sources: Path) -> str:
    named = [page for pages in KINDS.values() for page in pages]
    others = sorted(path.stem for path in sources.glob("*.md") if path.stem not in {*named, "index"})
    return _tree(kind, [*KINDS[kind], *(others if kind == "How-to" else ())])


def _tree(caption: str, pages: list[str]) -> str:
    title = f":caption: {caption}\n" if caption else ""
    return f"\n```{{toctree}}\n:hidden:\n{title}\n" + "\n".join(pages) + "\n```\n"


def _children(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.md") if path.stem != "README")
