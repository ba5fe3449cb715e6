"""How long commands of `ttsq` take at a terminal, from the start of their process."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import harness
from benchmarks.texts import text
from worker.emulator.config import EmulatorConfig

TTSQ: Final = str(harness.BIN / "ttsq")
PATIENCE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.002


def help_seconds(rounds: int) -> list[float]:
    """`ttsq --help`, process start to end."""
    return _timed(rounds, lambda: _run([TTSQ, "--help"], Path.cwd(), {}))


def one_line_seconds(rounds: int) -> list[float]:
    """`ttsq run` of one line over an API that answers at once, each in a fresh folder: process start to the file."""
    with harness.temporary_folder() as folder, harness.emulator(EmulatorConfig(latency_seconds=0), folder) as emulator:
        settings = {"SEGMIND_BASE_URL": emulator.base_url, "SEGMIND_API_KEY": emulator.key}
        found = []
        for number in range(rounds):
            place = folder / f"run-{number}"
            place.mkdir()
            (place / "lines.txt").write_text(f"{text(number)}\n", encoding="utf-8")
            found.append(_until_file(place, settings))
        return found


def _until_file(place: Path, settings: dict[str, str]) -> float:
    began = time.perf_counter()
    with subprocess.Popen(
        [TTSQ, "run", "lines.txt", "--out", "audio", "--json"],
        cwd=place,
        env=harness.environment(**settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not any((place / "audio").glob("*.wav")):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE_SECONDS:
                process.kill()
                raise RuntimeError("`ttsq run` ended, or took too long, without its file")
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - began
        process.wait(PATIENCE_SECONDS)
    return seconds


def _timed(rounds: int, work: Callable[[], object]) -> list[float]:
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return found


def _run(command: list[str], folder: Path, settings: dict[str, str]) -> None:
    subprocess.run(
        command,
        cwd=folder,
        env=harness.environment(**settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
