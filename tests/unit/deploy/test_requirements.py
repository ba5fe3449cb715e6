"""The two files of pinned packages agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]


def blocks(name: str) -> set[str]:
    """Each pinned package with its version, marker and hashes."""
    found = re.split(r"(?m)^(?=[A-Za-z0-9])", (ROOT / name).read_text(encoding="utf-8"))
    return {block for block in found if block.strip()}


def test_the_runtime_packages_are_those_of_development() -> None:
    """Same version, same hashes; and no more of them than a run needs."""
    runtime, everything = blocks("requirements-runtime.txt"), blocks("requirements.txt")
    assert runtime < everything


def test_each_declared_package_is_among_them() -> None:
    """The demo's environment can run whatever the wheel can."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    pinned = {re.match(r"[\w.-]+", block)[0] for block in blocks("requirements-runtime.txt")}  # type: ignore[index]
    assert {Requirement(line).name for line in declared} <= pinned
    assert not {"pytest", "moto", "ruff"} & pinned
