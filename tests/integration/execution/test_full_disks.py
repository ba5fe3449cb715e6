"""A local disk that is really full, or a folder that can't be written: the run says so, waits, and ends well."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import pytest

from tests import small_disk
from tests.cluster.waiting import wait_for
from tests.servers import forked
from tests.small_disk import MEBIBYTE, SmallDisk
from worker.emulator.config import EmulatorConfig
from worker.emulator.latency import Latency
from worker.emulator.server import Emulator

END_SECONDS: Final = 90.0
HELD_SECONDS: Final = 40.0
AUDIO_BYTES: Final = 240_000
LINES: Final = 12
SLOTS: Final = 4

needs_disks = pytest.mark.skipif(not small_disk.available(), reason="no right to make namespaces here")


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished run."""

    code: int
    data: dict[str, Any]
    told: str


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An API whose audio fills disks, and a file of texts for it in the working directory."""
    with Emulator(EmulatorConfig(latency_seconds=0.1, audio_bytes=AUDIO_BYTES)) as running:
        for name, value in {
            "SEGMIND_BASE_URL": running.base_url,
            "SEGMIND_API_KEY": running.key,
            "TTSQ_PROBE_SECONDS": "0.3",
            "TTSQ_CONCURRENCY": str(SLOTS),
            "TTSQ_SPOOL_MIN_FREE_MB": "1",
            "TTSQ_TAKE_CHECKS": "off",
        }.items():
            monkeypatch.setenv(name, value)
        texts = [f"The {number}th shelf is full of books." for number in range(4, 4 + LINES)]
        Path("texts.txt").write_text("\n".join(texts), encoding="utf-8")
        yield running


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that doesn't outlive the block, nor does what it starts: that would hold its output open."""
    process = forked.start(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "error"},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def run(out: Path) -> list[str]:
    """The command under test."""
    return [sys.executable, "-m", "worker.cli", "run", "texts.txt", "--out", str(out), "--json"]


def end(process: subprocess.Popen[str]) -> Ended:
    """Wait for it."""
    out, err = process.communicate(timeout=END_SECONDS)
    return Ended(process.returncode, json.loads(out.splitlines()[-1]) if out else {}, err)


def hold() -> dict[str, Any] | None:
    """What `ttsq status` says holds the queue."""
    command = [sys.executable, "-m", "worker.cli", "status", "texts", "--json"]
    shown = forked.run(command, timeout=END_SECONDS)
    found: dict[str, Any] = json.loads(shown.stdout.splitlines()[-1]) if shown.returncode == 0 else {}
    return found.get("hold")


def held(name: str) -> dict[str, Any]:
    """The same, once it is this."""

    def look() -> dict[str, Any] | None:
        found = hold()
        return found if found and found["name"] == name else None

    return wait_for(look, seconds=HELD_SECONDS, what=f"held by {name}")


def assert_spoken(ended: Ended, emulator: Emulator, out: Path) -> None:
    """Everything is there, everything that was paid is in the books, and the spool is empty."""
    assert (ended.code, ended.data["succeeded"]) == (0, LINES), ended.told
    assert len(list(out.glob("*.wav"))) == LINES
    assert {path.stat().st_size for path in out.glob("*.wav")} == {AUDIO_BYTES}
    assert Decimal(ended.data["cost"]) == emulator.state().billed


@needs_disks
def test_a_full_spool_buys_nothing_until_space_is_free(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The hold names folder, free and needed space and the remedy; with the space back the run ends by itself."""
    disk, out = SmallDisk(tmp_path / "small", size_bytes=6 * MEBIBYTE, left_bytes=MEBIBYTE // 2), tmp_path / "out"
    monkeypatch.setenv("TTSQ_SPOOL_DIR", str(disk.folder))
    with running(disk.command(*run(out))) as process:
        found = held("workers")
        calls = emulator.state().calls
        disk.free(process.pid)
        ended = end(process)

    assert str(disk.folder) in found["message"]
    assert "needs 1; free some space" in found["message"]
    assert calls == 0, "something was bought that could not be kept"
    assert_spoken(ended, emulator, out)
    assert set(emulator.state().billed_texts.values()) == {1}


@needs_disks
def test_no_more_is_bought_at_once_than_the_spool_can_keep(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each call sees room for one more answer, and there isn't room for those of all slots: fewer start at once."""
    emulator.admin.latency(Latency(seconds=1.0))
    disk, out = SmallDisk(tmp_path / "small", size_bytes=3 * MEBIBYTE, left_bytes=3 * MEBIBYTE - 4096), tmp_path / "out"
    monkeypatch.setenv("TTSQ_SPOOL_DIR", str(disk.folder))
    monkeypatch.setenv("TTSQ_CONCURRENCY", str(LINES))
    with running(disk.command(*run(out))) as process:
        ended = end(process)
    assert_spoken(ended, emulator, out)
    assert emulator.state().calls == LINES
    assert 1 < emulator.state().max_in_flight < LINES


@needs_disks
def test_a_spool_that_fills_up_in_the_middle_of_answers_loses_no_job(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Answers that no longer fit are in the books, and bought again when there is space; none counts as an attempt."""
    emulator.admin.latency(Latency(seconds=1.0))
    disk, out = SmallDisk(tmp_path / "small", size_bytes=8 * MEBIBYTE, left_bytes=8 * MEBIBYTE - 4096), tmp_path / "out"
    monkeypatch.setenv("TTSQ_SPOOL_DIR", str(disk.folder))
    monkeypatch.setenv("TTSQ_CONCURRENCY", str(LINES))
    monkeypatch.setenv("TTSQ_MAX_ATTEMPTS", "1")
    with running(disk.command(*run(out))) as process:
        wait_for(lambda: emulator.state(detail=False).in_flight == LINES, seconds=30, what="all calls in flight")
        filler = disk.seen_by(process.pid) / "more"
        filler.write_bytes(bytes(shutil.disk_usage(filler.parent).free - AUDIO_BYTES * 2))
        wait_for(lambda: emulator.state(detail=False).billed_calls >= LINES, seconds=30, what="all calls answered")
        found = held("workers")
        filler.unlink()
        ended = end(process)

    assert "free some space" in found["message"]
    assert_spoken(ended, emulator, out)
    assert max(emulator.state().billed_texts.values()) == 2


@needs_disks
def test_an_audio_folder_without_space_keeps_what_was_bought(emulator: Emulator, tmp_path: Path) -> None:
    """What is paid for waits in the spool; the hold says which folder is full; nothing is paid twice."""
    disk = SmallDisk(tmp_path / "small", size_bytes=6 * MEBIBYTE, left_bytes=MEBIBYTE)
    out, rescued = disk.folder / "out", tmp_path / "rescued"
    with running(disk.command(*run(out), rescued_to=rescued)) as process:
        found = held("storage")
        wait_for(lambda: emulator.state(detail=False).in_flight == 0, seconds=30, what="calls in flight answered")
        bought = emulator.state().billed_calls
        disk.free(process.pid)
        ended = end(process)

    assert found["code"] == "no_space"
    assert str(out) in found["message"]
    assert log(tmp_path).count('"account.held"') == 1, "there was room for a probe, and it was taken for good news"
    assert bought <= MEBIBYTE // AUDIO_BYTES + SLOTS, "more was bought than could be stored or kept in hand"
    assert_spoken(ended, emulator, rescued / "out")
    assert set(emulator.state().billed_texts.values()) == {1}


@needs_disks
def test_everything_on_one_full_disk_is_waited_out(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Database, spool and audio on it: nothing can even be written down. With the space back nothing is lost."""
    emulator.admin.latency(Latency(seconds=1.0))
    disk = SmallDisk(tmp_path / "small", size_bytes=16 * MEBIBYTE, left_bytes=16 * MEBIBYTE - 4096)
    monkeypatch.setenv("TTSQ_DATABASE_URL", f"sqlite:///{disk.folder}/queue.db")
    monkeypatch.setenv("TTSQ_SPOOL_DIR", str(disk.folder / "spool"))
    out, rescued = disk.folder / "out", tmp_path / "rescued"
    with running(disk.command(*run(out), rescued_to=rescued)) as process:
        wait_for(lambda: emulator.state(detail=False).in_flight == SLOTS, seconds=30, what="all slots busy")
        filler = disk.seen_by(process.pid) / "more"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            file.writelines(repeat(bytes(4096)))
        wait_for(lambda: "disk is full" in log(tmp_path), seconds=30, what="the log says that the disk is full")
        wait_for(lambda: emulator.state(detail=False).in_flight == 0, seconds=30, what="calls in flight answered")
        bought = emulator.state().billed_calls
        filler.unlink()
        ended = end(process)

    assert bought <= SLOTS, "a call was begun that could not be recorded"
    assert_spoken(ended, emulator, rescued / "out")


def test_a_spool_folder_that_vanishes_in_mid_run_is_reported(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file stands where it was: nothing more is bought until it is mended."""
    emulator.admin.latency(Latency(seconds=0.5))
    spool, aside, out = tmp_path / "spool", tmp_path / "aside", tmp_path / "out"
    monkeypatch.setenv("TTSQ_SPOOL_DIR", str(spool))
    with running(run(out)) as process:
        wait_for(lambda: emulator.state(detail=False).billed_calls >= SLOTS, seconds=30, what="a few calls billed")
        spool.rename(aside)
        spool.touch()
        found = held("workers")
        wait_for(lambda: emulator.state(detail=False).in_flight == 0, seconds=30, what="calls in flight answered")
        calls = emulator.state().calls
        spool.unlink()
        aside.rename(spool)
        ended = end(process)

    assert calls < LINES, "it was bought on without a spool"
    assert f"the spool folder {spool} can't be written" in found["message"]
    assert "TTSQ_SPOOL_DIR" in found["message"]
    assert_spoken(ended, emulator, out)


def log(folder: Path) -> str:
    """What the run wrote down for operators."""
    path = folder / ".ttsq" / "ttsq.log"
    return path.read_text(encoding="utf-8") if path.exists() else ""
