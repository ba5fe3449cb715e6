"""uv, found as the Makefile finds it: on the PATH, in `.tools`, or fetched once for all test processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SECONDS: Final = 300.0
"""Bound for one command, which may have to download all that it installs."""
OPTIONS: Final = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1", "UV_LINK_MODE": "hardlink"}
"""The system's certificates, as in the Makefile; and an environment takes no room but in uv's cache."""
DEVELOPERS_OWN: Final = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")


class CommandFailedError(Exception):
    """A command that prepares a test did not succeed; the message has what it wrote."""

    def __init__(self, command: list[str], output: str) -> None:
        super().__init__(f"{' '.join(command)}\n{output}")


def uv(*words: str, **environment: str) -> str:
    """One uv command, from the checkout; what it printed.

    Raises:
        CommandFailedError: it ended with another status than 0.
    """
    return checked([str(program()), *words], clean(os.environ) | OPTIONS | environment)


def checked(command: list[str], environment: Mapping[str, str]) -> str:
    """A command that has to succeed.

    Raises:
        CommandFailedError: it ended with another status than 0.
    """
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise CommandFailedError(command, done.stdout + done.stderr)
    return done.stdout


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment that leads to the same package index, and to no environment of the developer."""
    return {name: value for name, value in environment.items() if name not in DEVELOPERS_OWN}


@cache
def program() -> Path:
    """The program."""
    found = shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".tools/bin")]))
    return Path(found) if found else _fetched(Path(tempfile.gettempdir()) / f"ttsq-tools-{os.geteuid()}")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other test process is in a block for the same folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetched(tools: Path) -> Path:
    fetched = tools / "bin/uv"
    with alone(tools):
        if not fetched.exists():
            # The environment of the tests has no pip of its own.
            pip = [sys._base_executable, "-m", "pip", "install", "--quiet", "--target", str(tools)]  # type: ignore[attr-defined]
            checked([*pip, "--no-warn-script-location", "--root-user-action=ignore", "uv"], clean(os.environ))
    return fetched
