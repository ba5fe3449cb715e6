"""The Pythons of this machine: those that the package says it runs on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from tests.distribution.uv import ROOT, clean
from tests.thorough import thorough

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNNING: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
SECONDS: Final = 60.0


def tried() -> list[str]:
    """All supported versions for `make proof`; else the oldest and the newest, and the one that runs the tests."""
    versions = supported()
    return thorough(versions, [one for one in versions if one in {RUNNING, min(versions, key=_number), versions[-1]}])


def supported() -> list[str]:
    """The versions in the package's classifiers, such as 3.12; the one that runs the tests comes first."""
    named = re.findall(r"Programming Language :: Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    return sorted({*named, RUNNING}, key=lambda version: (version != RUNNING, _number(version)))


def _number(version: str) -> int:
    return int(version.partition(".")[2])


@cache
def interpreter(version: str) -> Path | None:
    """The program of this version, or None where the machine has none."""
    if version == RUNNING:
        return Path(sys._base_executable)  # type: ignore[attr-defined]
    return next((found for candidate in _candidates(version) if (found := _itself(candidate, version))), None)


def _candidates(version: str) -> Iterator[Path]:
    """On the PATH; and pyenv's own, whose stand-ins on the PATH refuse versions that aren't chosen."""
    name = f"python{version}"
    if found := shutil.which(name):
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/*/bin/{name}"))


def _itself(candidate: Path, version: str) -> Path | None:
    """Where the interpreter behind a name really is, if it runs and is of that version."""
    question = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys._base_executable)"
    asked = subprocess.run(
        [str(candidate), "-I", "-c", question],
        env=clean(os.environ),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    found, _, program = asked.stdout.strip().partition("\n")
    return Path(program) if found == version and program else None
