"""Renders `docs/settings.md` from `worker/settings.py`: `python -m tests.settings_page > docs/settings.md`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from pydantic_core import PydanticUndefined

from worker.settings import Settings

ROOT: Final = Path(__file__).parents[1]
HEAD: Final = """# Settings

Read from the environment, from a `.env` file in the working directory, and from files named like settings in the folder
`CREDENTIALS_DIRECTORY` ([secrets as files](deployment.md#secrets-as-files)); the earlier wins. Unknown names are
refused, in `.env` too. An address there (`SEGMIND_BASE_URL`) gets no API key from the environment, and may not refer to
variables. In addresses, percent-encode passwords (`%23` for `#`, `%2F` for `/`, `%5B` for `[`).
`python -m tests.settings_page` writes this page from [worker/settings.py](../worker/settings.py), which also has the
bounds.

| setting | default | meaning |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"| `{name}` | {default} | {meaning} |\n" for name, default, meaning in rows())


def rows() -> Iterator[tuple[str, str, str]]:
    """Each setting's name in the environment, default, and sentence."""
    sentences = _sentences()
    for attribute, field in Settings.model_fields.items():
        name = str(field.validation_alias.choices[0])  # type: ignore[union-attr]
        default = field.default
        shown = "" if default in (None, PydanticUndefined, "") else f"`{default}`"
        yield name, shown, sentences[attribute].replace("|", "\\|")


def _sentences() -> dict[str, str]:
    """The text below each attribute of the class, on one line."""
    tree = ast.parse((ROOT / "worker/settings.py").read_text(encoding="utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    found = {}
    for one, after in pairwise(body):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(after, ast.Expr):
            assert isinstance(after.value, ast.Constant)
            found[one.target.id] = " ".join(str(after.value.value).split())
    return found


if __name__ == "__main__":
    print(page(), end="")
