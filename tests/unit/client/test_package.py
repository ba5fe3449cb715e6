"""The client as a distribution of its own."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

import ttsq_client

ROOT: Final = Path(__file__).parents[3]
CLIENT: Final = ROOT / "clients" / "python"
PROJECT: Final = tomllib.loads((CLIENT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES: Final = sorted((CLIENT / "src" / "ttsq_client").glob("*.py"))


def imported(path: Path) -> set[str]:
    """The packages that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(str(node.module).partition(".")[0])
    return found


@pytest.mark.parametrize("path", [*MODULES, *sorted(CLIENT.glob("examples/*.py"))], ids=lambda path: path.name)
def test_it_imports_nothing_of_the_server(path: Path) -> None:
    """Python's own library, urllib3 and itself."""
    assert imported(path) <= set(sys.stdlib_module_names) | {"urllib3", "ttsq_client"}


def test_it_has_one_dependency() -> None:
    """A light one."""
    assert len(PROJECT["dependencies"]) == 1
    assert PROJECT["dependencies"][0].startswith("urllib3")


def test_its_versions_and_licences_agree() -> None:
    """What it sends as User-Agent is what is installed."""
    assert ttsq_client.__version__ == PROJECT["version"]
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (CLIENT / "src" / "ttsq_client" / "py.typed").exists()


def test_everything_public_is_named_in_order() -> None:
    """And exists."""
    names = [name for name in ttsq_client.__all__ if name != "__version__"]
    assert names == sorted(names)
    assert all(hasattr(ttsq_client, name) for name in names)
