"""Obtains espeak-ng, flite and festival with their voices: from PATH, else as Debian's packages unpacked into a folder.

Needs no root; where the machine has no apt-get, only what is on PATH is used.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(".tools/speech")
PROGRAMS: Final = ("espeak-ng", "flite", "festival")
VOICES: Final = (
    *("festvox-kallpc16k", "festvox-kdlpc16k", "festvox-us-slt-hts", "festlex-cmu", "festlex-poslex"),
    *("festvox-italp16k", "festvox-itapc16k", "festlex-ifd"),
    *("festival-czech", "festvox-czech-dita", "festvox-czech-krb", "festvox-czech-machac", "festvox-czech-ph"),
    *("festvox-suopuhe-common", "festvox-suopuhe-lj", "festvox-suopuhe-mv"),
    *("festival-ca", "festvox-ca-ona-hts"),
    *("festival-hi", "festvox-hi-nsk", "festival-te", "festvox-te-nsk"),
)
_INSTALLED: Final = re.compile(r"^Inst (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are; each is None where it can't be had."""

    espeak: Path | None
    flite: Path | None
    festival: Path | None
    root: Path | None
    """The folder of unpacked packages, if they were needed."""

    @property
    def environment(self) -> dict[str, str]:
        if self.root is None:
            return dict(os.environ)
        libraries = [*sorted(self.root.glob("usr/lib/*-linux-gnu")), *sorted(self.root.glob("lib/*-linux-gnu"))]
        libraries += [pulse for folder in libraries if (pulse := folder / "pulseaudio").is_dir()]
        data = next((str(folder) for folder in libraries if (folder / "espeak-ng-data").is_dir()), "")
        return os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, libraries)), "ESPEAK_DATA_PATH": data}

    @property
    def festival_data(self) -> list[str]:
        return [] if self.root is None else ["--datadir", str(self.root / "usr/share/festival")]


def obtain(say: Callable[[str], None] = lambda _: None, folder: Path = FOLDER) -> Programs:
    """The programs of PATH where all are there, else Debian's in `folder`, which is filled once."""
    on_path = {name: shutil.which(name) for name in PROGRAMS}
    if all(on_path.values()):
        return _programs({name: Path(str(path)) for name, path in on_path.items()}, None)
    folder = folder.resolve()
    if not (folder / ".ready").exists() and shutil.which("apt-get") and shutil.which("dpkg"):
        say(f"fetching espeak-ng, flite and festival as Debian packages into {folder}")
        _unpack(folder)
    return _programs({name: _program(name, folder, path) for name, path in on_path.items()}, folder)


def espeak_launcher(programs: Programs) -> str:
    """A path that starts espeak-ng whatever the environment, or nothing."""
    if programs.espeak is None or programs.root is None:
        return str(programs.espeak or "")
    script = programs.root / "espeak-ng"
    paths = {name: programs.environment[name] for name in ("LD_LIBRARY_PATH", "ESPEAK_DATA_PATH")}
    settings = " ".join(f"{name}='{value}'" for name, value in paths.items())
    script.write_text(f"#!/bin/sh\n{settings} exec '{programs.espeak}' \"$@\"\n")
    script.chmod(0o755)
    return str(script)


def _programs(found: Mapping[str, Path | None], root: Path | None) -> Programs:
    espeak, flite, festival = (found[name] for name in PROGRAMS)
    return Programs(espeak, flite, festival, root)


def _program(name: str, folder: Path, on_path: str | None) -> Path | None:
    unpacked = folder / "usr/bin" / name
    if unpacked.exists():
        return unpacked
    return Path(on_path) if on_path else None


def _unpack(folder: Path) -> None:
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    simulated = ["apt-get", "--simulate", "--no-install-recommends", "install", *PROGRAMS]
    planned = subprocess.run(simulated, capture_output=True, text=True, check=False).stdout
    for name in (*_INSTALLED.findall(planned), *VOICES):
        if not any(packages.glob(f"{name}_*.deb")):
            subprocess.run(["apt-get", "download", name], cwd=packages, capture_output=True, check=False)
    _extract(packages.glob("*.deb"), folder)
    _relocate(folder)
    (folder / ".ready").touch()


def _extract(archives: Iterable[Path], folder: Path) -> None:
    for archive in archives:
        subprocess.run(["dpkg", "--extract", str(archive), str(folder)], capture_output=True, check=False)


def _relocate(folder: Path) -> None:
    """Some voices name the folder that they expect to be installed in."""
    installed = folder / "usr/share/festival"
    for script in installed.glob("voices/*/*/festvox/*.scm"):
        content = script.read_bytes()
        script.write_bytes(content.replace(b'"/usr/share/festival', f'"{installed}'.encode()))
