"""What a benchmark stands on: PostgreSQL, Valkey, an S3 and the emulator, each a process that isn't counted."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks import light_s3, texts
from tests.cluster.processes import EmulatorProcess
from tests.cluster.services import Place, Services, new_place
from tests.servers.moto import Moto
from tests.servers.postgres import Postgres
from tests.servers.s3 import Bucket, S3Server
from tests.servers.valkey import Valkey
from worker.emulator.config import EmulatorConfig
from worker.results.files import CONTENT_TYPES

CHECKOUT: Final = Path(__file__).resolve().parents[1]
BIN: Final = Path(sys.executable).parent
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", texts.CHARACTERS)


class LightS3(S3Server):
    """The S3 for races, in a process of its own."""

    name = "light-s3"
    ready_line = light_s3.READY

    def command(self) -> Sequence[str]:
        """The program as a file: it needs nothing of this project."""
        return [sys.executable, "-I", light_s3.__file__, str(self.port)]


def environment(**more: str) -> dict[str, str]:
    """The environment of a measured process: none of the developer's own settings, and no proxy for local calls."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, "PYTHONPATH": str(CHECKOUT), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **more}


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A working directory that is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="ttsq-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def emulator(config: EmulatorConfig, folder: Path) -> Iterator[EmulatorProcess]:
    """A fresh emulator in a process of its own."""
    process = EmulatorProcess(config, folder)
    try:
        yield process
    finally:
        process.stop()


@dataclass(frozen=True, slots=True)
class Scene:
    """Empty servers for one round, and a folder to work in."""

    folder: Path
    place: Place
    bucket: Bucket
    emulator: EmulatorProcess

    def stored(self) -> dict[str, int]:
        """Every object in the bucket but batches' result files, with its size in bytes."""
        with closing(self.bucket.client()) as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket.name)
            found = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", ())}
        return {key: size for key, size in found.items() if not key.endswith(tuple(CONTENT_TYPES))}


@contextmanager
def services() -> Iterator[Services]:
    """The servers that all rounds share. The S3 server is not among them: moto keeps its objects in memory."""
    with Postgres() as postgres, Valkey() as valkey:
        yield Services(valkey, postgres)


@contextmanager
def scene(shared: Services, config: EmulatorConfig, *, light: bool = False) -> Iterator[Scene]:
    """A new database, an empty broker, a new S3 server, moto's or the light one, and a new emulator."""
    with (
        temporary_folder() as folder,
        LightS3() if light else Moto() as s3,
        emulator(config, folder) as emulated,
        new_place(replace(shared, s3=s3), folder) as place,
    ):
        assert place.bucket is not None
        yield Scene(folder, place, place.bucket, emulated)
