"""The commands of the README, run in separate processes with an empty home."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import wave
from pathlib import Path
from typing import Any, Final

from tests.cluster.cluster import TTSQ
from tests.cluster.shape import Shape
from tests.e2e.conftest import StartCluster
from worker.emulator.config import EmulatorConfig

ROOT: Final = Path(__file__).parents[2]
SAMPLE: Final = ROOT / "examples/welcome.csv"
SECONDS: Final = 100

KEYS: Final = {
    *("batch", "total", "succeeded", "failed", "cached", "cancelled"),
    *("held", "hold", "cost", "seconds"),
}
"""What a script may rely on."""


def test_the_sample_is_spoken_with_no_key_and_no_server(tmp_path: Path) -> None:
    """`ttsq run examples/welcome.csv --rehearse` ends with 0 and leaves one playable WAV a line; again is free."""
    out = tmp_path / "spoken"

    first = _at_a_terminal(tmp_path, "run", str(SAMPLE), "--rehearse", "--out", str(out))
    written = _times(out)
    again = _at_a_terminal(tmp_path, "run", str(SAMPLE), "--rehearse", "--out", str(out), "--json")

    assert first.returncode == 0, first.stderr
    names = _custom_ids(SAMPLE)
    assert len(names) >= 40
    assert _frames(out).keys() == names
    assert all(frames > 0 for frames in _frames(out).values())
    assert again.returncode == 0, again.stderr
    assert _last_line(again)["succeeded"] == len(names)
    assert _times(out) == written, "the second run spoke again what was there"


def test_the_production_shape_is_run_from_a_terminal(start_cluster: StartCluster, tmp_path: Path) -> None:
    """`ttsq migrate`, two workers, `ttsq run --json --out`: every line is spoken, and copied to the folder."""
    shape = Shape(workers=0, migrated=False, emulator=EmulatorConfig(audio_bytes=24_044))
    cluster = start_cluster(shape)
    out = tmp_path / "copies"

    too_early = cluster.ttsq("run", str(SAMPLE), "--json")
    migrated = cluster.ttsq("migrate")
    for _ in range(2):
        cluster.add_worker()
    run = cluster.ttsq("run", str(SAMPLE), "--json", "--out", str(out))

    names = _custom_ids(SAMPLE)
    assert too_early.returncode == 2
    assert "ttsq migrate" in too_early.stderr
    assert migrated.returncode == 0, migrated.stderr
    assert run.returncode == 0, run.stderr
    figures = _last_line(run)
    assert figures.keys() == KEYS
    assert (figures["total"], figures["succeeded"], figures["failed"]) == (len(names), len(names), 0)
    assert figures["cost"] == str(cluster.emulator.state.billed.normalize())
    assert _frames(out).keys() == names
    status = cluster.ttsq("status", figures["batch"], "--json")
    assert _last_line(status) | {"seconds": 0} == figures | {"seconds": 0}


def _at_a_terminal(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command without any prior setup."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run(
        [str(TTSQ), *arguments], env=environment, cwd=home, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def _custom_ids(sample: Path) -> set[str]:
    with sample.open(encoding="utf-8", newline="") as file:
        return {row["custom_id"] for row in csv.DictReader(file)}


def _frames(folder: Path) -> dict[str, int]:
    """How many frames each WAV of a folder has, by its name."""
    found = {}
    for path in folder.glob("*.wav"):
        with wave.open(str(path)) as sound:
            found[path.stem] = sound.getnframes()
    return found


def _times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.wav")}


def _last_line(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return figures
