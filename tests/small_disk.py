"""A disk of a few megabytes for one command: a file system in memory, in a mount namespace that ends with the command.

Needs Linux and the right to make namespaces, which ordinary users have on most machines.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from shlex import quote
from typing import Final

from tests.servers.places import is_root

MEBIBYTE: Final = 2**20
FILLER: Final = "filler"
TRIAL_SECONDS: Final = 10.0


class SmallDisk:
    """A folder that is a small disk for processes started through `command`, and an empty folder for others."""

    def __init__(self, folder: Path, *, size_bytes: int, left_bytes: int) -> None:
        """`left_bytes` are free from the start; one file takes the rest."""
        folder.mkdir(parents=True)
        self.folder: Final = folder
        self._size_bytes = size_bytes
        self._taken_bytes = size_bytes - left_bytes

    def command(self, *words: str, rescued_to: Path | None = None) -> list[str]:
        """What starts `words` with the disk in place. In the end all that it holds is copied to `rescued_to`."""
        mount = f'mount -t tmpfs -o size={self._size_bytes} small "$0" && cd "$PWD"'
        fill = f'head -c {self._taken_bytes} /dev/zero > "$0/{FILLER}"'
        then = f'{{ "$@"; code=$?; cp -r "$0" {quote(str(rescued_to))}; exit $code; }}' if rescued_to else 'exec "$@"'
        return [*_namespace(), "sh", "-c", f"{mount} && {fill} && {then}", str(self.folder), *words]

    def seen_by(self, pid: int) -> Path:
        """The disk as the process with this id sees it."""
        return Path(f"/proc/{pid}/root{self.folder}")

    def free(self, pid: int) -> None:
        """Delete the file that takes the space, as the process `pid` sees it."""
        (self.seen_by(pid) / FILLER).unlink()


def available() -> bool:
    """Whether this machine lets us make such disks."""
    if not shutil.which("unshare"):
        return False
    trial = [*_namespace(), "mount", "-t", "tmpfs", "small", "/mnt"]
    return subprocess.run(trial, capture_output=True, check=False, timeout=TRIAL_SECONDS).returncode == 0


def _namespace() -> list[str]:
    """Without a fork, the process that is started is the command itself, to which signals are sent."""
    user = [] if is_root() else ["--user", "--map-root-user"]
    return [shutil.which("unshare") or os.devnull, *user, "--mount"]
