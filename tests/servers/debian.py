"""Programs of Debian's packages, unpacked into a folder of their own: nothing is installed, and no root is needed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

from tests.servers.places import shared_folder

FETCH_SECONDS: Final = 120


def unpacked(name: str, *packages: str) -> Path:
    """The folder with these packages' files, found again by later runs. Skips the test where they can't be had."""
    folder = shared_folder() / f"ttsq-debian-{name}"
    if folder.is_dir():
        return folder
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        pytest.skip(f"{name} comes from Debian's packages, and this machine has no apt-get")
    fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    fetched = _run("apt-get", "download", *packages, folder=fresh)
    if fetched.returncode:  # a new machine has no lists of packages
        _run("apt-get", "update", folder=fresh)
        fetched = _run("apt-get", "download", *packages, folder=fresh)
    if fetched.returncode:
        shutil.rmtree(fresh)
        pytest.skip(f"Debian's packages can't be fetched: {fetched.stderr.strip()[-200:]}")
    for archive in fresh.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(archive), str(fresh)], check=True)
        archive.unlink()
    fresh.chmod(0o755)  # for the user that a server drops to
    try:
        fresh.rename(folder)
    except OSError:  # another process was quicker
        shutil.rmtree(fresh)
    return folder


def missing(*packages: str) -> list[str]:
    """These packages and what they need, without what this machine has. Skips the test where they can't be had."""
    if not shutil.which("apt-get"):
        pytest.skip(f"{packages[0]} comes from Debian's packages, and this machine has no apt-get")
    folder = Path(tempfile.gettempdir())
    asked = ("apt-get", "install", "--simulate", "--no-install-recommends", "--quiet", *packages)
    found = _run(*asked, folder=folder)
    if found.returncode:  # a new machine has no lists of packages
        _run("apt-get", "update", folder=folder)
        found = _run(*asked, folder=folder)
    if found.returncode:
        pytest.skip(f"Debian's packages can't be fetched: {found.stderr.strip()[-200:]}")
    return [line.split()[1] for line in found.stdout.splitlines() if line.startswith("Inst ")]


def _run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
