"""The Dockerfile's steps without Docker: the same commands in the same order, in a folder that stands for the root.

A path of the image is a path below that folder. Each stage gets the folder empty, as in Docker, so that what one stage
leaves behind isn't there by accident in the next. Programs that would change this machine's users are stood in for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Final

from tests.distribution import dockerfile
from tests.distribution.dockerfile import Instruction, Stage
from tests.distribution.installation import Installation
from tests.distribution.interpreters import RUNNING, interpreter
from tests.distribution.uv import OPTIONS, ROOT, SECONDS, CommandFailedError, alone, clean, uv

DOCKERFILE: Final = ROOT / "Dockerfile"
EFFECTS: Final = ("RUN", "COPY", "ENV", "WORKDIR")
"""The instructions that do something while an image is built."""
STANDS_IN: Final = """#!/bin/sh
echo "${0##*/} $*" >> "$IMAGE_ROOT/did"
if [ "${0##*/}" = useradd ]; then for name; do :; done; mkdir -p "$IMAGE_ROOT/home/$name"; fi
"""
"""Notes what it was called with; a new user gets a home."""


@dataclass(slots=True)
class Image:
    """What came of it: the last stage."""

    root: Path
    stage: Stage
    environment: dict[str, str] = field(default_factory=dict)
    """As ENV has it; paths are real ones."""
    folder: Path = Path()
    """As WORKDIR has it."""

    @property
    def installation(self) -> Installation:
        """The environment that the image's PATH leads to."""
        settings = {name: value for name, value in self.environment.items() if name != "PATH"}
        return Installation(self.root / "venv", settings)

    @property
    def did(self) -> list[str]:
        """Each call of a program that was stood in for."""
        return (self.root / "did").read_text(encoding="utf-8").splitlines()

    def command(self, name: str) -> list[str]:
        """The words of CMD or HEALTHCHECK, with real paths."""
        return [real(word, self.root) for word in self.stage.last(name).command]


def build(folder: Path) -> Image:
    """All stages below `folder`, unless another process of this run has built them.

    Raises:
        CommandFailedError: a RUN did not succeed.
    """
    root, ready = folder / "root", folder / "ready"
    all_stages = dockerfile.stages(DOCKERFILE.read_text(encoding="utf-8"))
    with alone(folder):
        if not ready.exists():
            for stage in all_stages:
                root.mkdir(parents=True)
                _Building(folder, root, stage).carry_out(*EFFECTS)
                if stage is not all_stages[-1]:
                    root.rename(folder / stage.name)
            ready.touch()
    last = _Building(folder, root, all_stages[-1])
    last.carry_out("ENV", "WORKDIR")
    return last.image


def real(text: str, root: Path) -> str:
    """The same text, in which each path of the image is one below `root`.

    Raises:
        ValueError: it names a path of which that isn't known; nothing outside of `root` may be written.
    """
    mapped = re.sub(rf"(?<![\w./$\\-])/({'|'.join(_tops())})(?!\w)", rf"{root}/\1", text)
    for path in re.findall(r"(?:^|[\s=:])(/\w\S*)", mapped):
        if not Path(path).is_relative_to(root):
            raise ValueError(f"{path} is named by no WORKDIR, VOLUME, ENV or COPY of the Dockerfile")
    return mapped


@cache
def _tops() -> tuple[str, ...]:
    """The folders below the root that the Dockerfile creates."""
    steps = dockerfile.instructions(DOCKERFILE.read_text(encoding="utf-8"))
    named = " ".join(step.text for step in steps if step.name in {"WORKDIR", "VOLUME", "ENV", "COPY"})
    return tuple(sorted(set(re.findall(r"(?:^|[\s=:])/(\w+)", named))))


class _Building:
    """One stage that is being built."""

    def __init__(self, folder: Path, root: Path, stage: Stage) -> None:
        self._folder = folder
        self.image = Image(root, stage, folder=root)
        self._steps: dict[str, Callable[[Instruction], None]] = {
            "RUN": self._run,
            "COPY": self._copy,
            "ENV": self._set,
            "WORKDIR": self._enter,
        }
        self._base = folder / f"base-{stage.name or 'last'}"
        self._stands_in = folder / f"stands-in-{stage.name or 'last'}"
        self.image.environment["PATH"] = os.pathsep.join([str(self._stands_in), str(self._base / "bin"), os.defpath])

    def carry_out(self, *names: str) -> None:
        """Each instruction of these names, in order."""
        if "RUN" in names:
            self._make_programs()
        for instruction in self.image.stage.instructions:
            if instruction.name in names:
                self._steps[instruction.name](instruction)

    def _make_programs(self) -> None:
        """What the base image brings: its Python, and pip. Before them, what is stood in for."""
        version = re.fullmatch(r"python:(3\.\d+)-slim", self.image.stage.base)
        assert version, self.image.stage.base
        python = interpreter(version[1]) or interpreter(RUNNING)
        uv("venv", "--quiet", "--seed", "--python", str(python), str(self._base))
        self._stands_in.mkdir()
        for name in ("useradd", "chown"):
            (self._stands_in / name).write_text(STANDS_IN, encoding="ascii")
            (self._stands_in / name).chmod(0o755)
        # uv takes no interpreter of a virtual environment for another one.
        for name in ("python", "python3"):
            (self._stands_in / name).symlink_to(str(python))

    def _real(self, text: str) -> str:
        return real(text, self.image.root)

    def _run(self, instruction: Instruction) -> None:
        command = ["/bin/sh", "-e", "-c", self._real(instruction.text)]
        given = {"IMAGE_ROOT": str(self.image.root), **self.image.environment}
        done = subprocess.run(
            command,
            cwd=self.image.folder,
            env=clean(os.environ) | OPTIONS | given,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            raise CommandFailedError(command, done.stdout + done.stderr)

    def _copy(self, instruction: Instruction) -> None:
        *words, to = instruction.words
        origin = ROOT
        if words[0].startswith("--from="):
            origin = self._folder / words.pop(0).removeprefix("--from=")
        for name in words:
            source = origin / name.lstrip("/")
            target = Path(self._real(to)) if to.startswith("/") else self.image.folder / to
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, ignore=None if origin != ROOT else _ignored)
            else:
                assert not _is_ignored(source), f"{name} is kept out by .dockerignore"
                shutil.copy2(source, target)

    def _set(self, instruction: Instruction) -> None:
        mapped = Instruction(instruction.name, self._real(instruction.text))
        self.image.environment |= dockerfile.environment(mapped, self.image.environment)

    def _enter(self, instruction: Instruction) -> None:
        self.image.folder = Path(self._real(instruction.text.strip()))
        self.image.folder.mkdir(parents=True, exist_ok=True)


def _ignored(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if _is_ignored(Path(folder) / name)}


def _is_ignored(path: Path) -> bool:
    """Whether a line of .dockerignore keeps a path out; `**/` stands for any folders, and for none."""
    name = path.relative_to(ROOT).as_posix()
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    return any(fnmatch(name, pattern) or fnmatch(f"/{name}", pattern.replace("**/", "*/")) for pattern in patterns)
