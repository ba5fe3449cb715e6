"""The command in a process of its own, and the files it reads and makes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.servers import forked
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator

END_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:  # noqa: ANN401 - whatever the command printed
        """The JSON of its last line."""
        return json.loads(self.out.splitlines()[-1])


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a separate process, in the folder and environment of the test. It never outlives the block."""
    process = forked.start(
        [sys.executable, "-m", "worker.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def end(process: subprocess.Popen[str]) -> Shown:
    """Wait for it."""
    out, err = process.communicate(timeout=END_SECONDS)
    return Shown(process.returncode, out, err)


def ttsq(*arguments: str) -> Shown:
    """One command, from its start to its end."""
    with running(*arguments) as process:
        return end(process)


def write_texts(name: str, texts: Sequence[str], *, prefix: str = "job") -> Path:
    """A CSV with a name for each text."""
    path = Path(name)
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["custom_id", "text"])
        rows.writerows([f"{prefix}-{index}", text] for index, text in enumerate(texts))
    return path


def lines(count: int) -> list[str]:
    """`count` distinct texts."""
    return [f"This is text number {index}, spoken for a test." for index in range(count)]


def seconds_of(path: Path) -> float:
    """The duration of a WAV file; reading it proves that it is playable."""
    with wave.open(str(path)) as sound:
        return float(sound.getnframes() / sound.getframerate())


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An API, and the settings that lead to it."""
    with Emulator(EmulatorConfig(latency_seconds=0.02)) as running:
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", running.key)
        monkeypatch.setenv("TTSQ_PROBE_SECONDS", "0.3")
        yield running
