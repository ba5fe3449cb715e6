"""Debian's Chromium, unpacked into a folder of its own, for tests of pages."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import Final

from tests.servers.debian import missing, unpacked
from tests.servers.places import shared_folder

ARGUMENTS: Final = (
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
)


def program() -> tuple[Path, dict[str, str]]:
    """The program, and the environment that it needs. Skips the test where it can't be had."""
    if found := shutil.which("chromium"):
        return Path(found), {}
    folder = shared_folder() / "ttsq-debian-chromium"
    if not folder.is_dir():
        folder = unpacked("chromium", *missing("chromium"))
    libraries = folder / "usr/lib" / f"{platform.machine()}-linux-gnu"
    return folder / "usr/lib/chromium/chromium", {"LD_LIBRARY_PATH": f"{libraries}:{libraries / 'pulseaudio'}"}
