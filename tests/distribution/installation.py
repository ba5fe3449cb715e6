"""The product in a separate environment that holds its declared dependencies only."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.distribution.uv import ROOT, alone, uv
from tests.servers.process import Account, Process

SECONDS: Final = 300.0
"""Bound for a command, many times what it takes: the machine may be busy with others."""
LOOPBACK_WITHOUT_PROXY: Final = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Installation:
    """A virtual environment with the product."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    """What its commands always have in their environment."""

    @property
    def bin(self) -> Path:
        """Where its commands are."""
        return self.folder / "bin"

    def environment(self, home: Path, settings: Mapping[str, str]) -> dict[str, str]:
        """What a stranger's process knows: a home, the system's programs, and these settings."""
        system = {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8", "COLUMNS": "120"}
        return {**system, **LOOPBACK_WITHOUT_PROXY, **self.settings, **settings}

    def run(
        self, home: Path, *words: str, stdin: str = "", settings: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command of this environment, in `home` and with it as the home folder."""
        return subprocess.run(
            [str(self.bin / words[0]), *words[1:]],
            cwd=home,
            env=self.environment(home, settings or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def start(self, folder: Path, *words: str, settings: Mapping[str, str] | None = None) -> Process:
        """A command of this environment that stays, in a new folder which goes with it."""
        folder.mkdir()
        command = [str(self.bin / words[0]), *words[1:]]
        return Process(words[0], command, folder, Account.own(), self.environment(folder, settings or {}))


def install(folder: Path, python: Path, package: Path, extras: Sequence[str]) -> Installation:
    """The package in a new environment of that interpreter, unless another process of this run has made it."""
    ready = folder / "ready"
    with alone(folder):
        if not ready.exists():
            uv("venv", "--quiet", "--clear", "--python", str(python), str(folder))
            constraints = folder / "constraints.txt"
            constraints.write_text(pinned(), encoding="utf-8")
            wanted = f"{package}[{','.join(extras)}]" if extras else str(package)
            uv("pip", "install", "--quiet", "--python", str(folder / "bin/python"), "-c", str(constraints), wanted)
            ready.touch()
    return Installation(folder)


def pinned() -> str:
    """The versions of requirements.txt, which hold those of what is installed and install nothing by themselves."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return "\n".join(line.rstrip(" \\") for line in text.splitlines() if re.match(r"\w", line))
