"""`ttsq run` and `ttsq worker` with the services of production: the same commands, only settings changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cluster.waiting import wait_for
from tests.servers import forked
from tests.servers.s3 import Bucket
from tests.servers.swift import Swift
from worker.emulator.config import EmulatorConfig
from worker.emulator.latency import Latency
from worker.emulator.server import Emulator

END_SECONDS: Final = 180.0
pytestmark = pytest.mark.timeout(400)  # several processes a test
TEXTS: Final = [f"This is text number {number}." for number in range(1, 7)]


class Command:
    """One `ttsq …` in a separate process, which ends with the test."""

    def __init__(self, *arguments: str) -> None:
        log = Path(f"{arguments[0]}.log").open("w", encoding="utf-8")  # noqa: SIM115 - closed right after the start
        with log:
            self._process = forked.start(
                [sys.executable, "-m", "worker.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=dict(os.environ),
            )
        self._log = Path(log.name)

    @property
    def err(self) -> str:
        """What it wrote to standard error so far."""
        return self._log.read_text(encoding="utf-8")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for it: its exit code, and what it printed."""
        out, _ = self._process.communicate(timeout=END_SECONDS)
        return self._process.returncode, out

    def close(self) -> None:
        """End it if it still runs."""
        self._process.kill()
        self._process.communicate(timeout=END_SECONDS)


def ttsq(*arguments: str) -> tuple[int, Any]:
    """One command, from its start to its end: its exit code, and the JSON of its last line if it has any."""
    with closing(Command(*arguments)) as command:
        code, out = command.end()
    return code, json.loads(out.splitlines()[-1]) if "--json" in arguments else out


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An API, and the settings that lead to it."""
    with Emulator(EmulatorConfig(latency_seconds=0.02)) as running:
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", running.key)
        yield running


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch, postgres_database: str, redis_url: str, swift: Swift) -> Bucket:
    """The settings that lead to PostgreSQL, Redis and a bucket; the bucket itself. Stores differ in other tests."""
    s3 = swift.create_bucket(f"test-{uuid.uuid4().hex}")
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TTSQ_DATABASE_URL", postgres_database)
    monkeypatch.setenv("TTSQ_BROKER_URL", redis_url)
    monkeypatch.setenv("TTSQ_ARTIFACTS_URL", f"{s3.url}/audio")
    Path("texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return s3


@pytest.fixture
def worker(services: Bucket, emulator: Emulator) -> Iterator[Command]:
    """A worker, signed on; the tables are there."""
    assert services.name
    assert emulator.key
    assert ttsq("migrate")[0] == 0
    with closing(Command("worker", "--concurrency", "3")) as command:
        wait_for(lambda: "worker_started" in command.err, seconds=120, what="the worker", instead=lambda: command.err)
        yield command


def test_without_tables_the_run_says_what_makes_them(services: Bucket, emulator: Emulator) -> None:
    """A run never migrates a shared database implicitly. Nothing is stored."""
    assert services.name
    with closing(Command("run", "texts.txt")) as command:
        assert command.end() == (2, "")
        assert "ttsq migrate" in command.err
    assert emulator.state().calls == 0


def test_a_run_into_a_bucket_says_where_its_audio_is_and_how_to_fetch_it(worker: Command, services: Bucket) -> None:
    """The batch's own prefix, not the bucket that all share; the printed command downloads it."""
    assert worker.err
    with closing(Command("run", "texts.txt", "--yes")) as command:
        code, out = command.end()
    assert code == 0, command.err
    batch = ttsq("batch", "list", "--json")[1]["id"]
    assert f"{services.url}/audio/default/{batch}/" in out
    (line,) = [line for line in command.err.splitlines() if "To download it:" in line]
    words = line.partition("ttsq ")[2].replace("DIR", "fetched").split()
    assert ttsq(*words)[0] == 0
    assert len(list(Path("fetched").glob("*.wav"))) == 6


def test_the_run_submits_and_watches_and_downloads(
    worker: Command, services: Bucket, emulator: Emulator, tmp_path: Path
) -> None:
    """The worker speaks into the bucket; with `--out` the folder gets the same bytes. Stopped, it exits well."""
    code, found = ttsq("run", "texts.txt", "--out", "copies", "--json")
    assert (code, found["succeeded"], found["failed"]) == (0, 6, 0)
    assert emulator.state().max_in_flight <= 3
    with_names = sorted(path.name for path in (tmp_path / "copies").glob("[!.]*"))
    assert with_names == [f"{number:04}.wav" for number in range(1, 7)]
    client = services.client()
    for number in range(1, 7):
        key = f"audio/default/{found['batch']}/{number:04}.wav"
        stored = client.get_object(Bucket=services.name, Key=key)["Body"].read()
        assert (tmp_path / "copies" / f"{number:04}.wav").read_bytes() == stored
    client.close()
    worker.signal(signal.SIGTERM)
    assert worker.end()[0] == 0
    assert emulator.state().billed_calls == 6


@pytest.mark.usefixtures("worker")
def test_copies_that_are_missing_or_changed_are_brought_again_for_nothing(emulator: Emulator, tmp_path: Path) -> None:
    """The audio is in the bucket: the same command restores the folder and buys nothing; an edit needs consent."""
    assert ttsq("run", "texts.txt", "--out", "copies", "--json")[0] == 0
    copies = tmp_path / "copies"
    sound = (copies / "0001.wav").read_bytes()
    (copies / "0001.wav").unlink()
    (copies / "0002.wav").write_bytes(b"\0" * (copies / "0002.wav").stat().st_size)
    untouched = (copies / "0003.wav").stat().st_mtime_ns
    with closing(Command("run", "texts.txt", "--out", "copies")) as refused:
        assert refused.end()[0] != 0
        assert "copies/0002.wav" in refused.err
    assert (copies / "0002.wav").read_bytes()[:4] == b"\0" * 4
    code, found = ttsq("run", "texts.txt", "--out", "copies", "--overwrite", "--json")
    assert (code, found["succeeded"], emulator.state().billed_calls) == (0, 6, 6)
    assert (copies / "0001.wav").read_bytes() == sound
    assert (copies / "0002.wav").read_bytes()[:4] == b"RIFF"
    assert (copies / "0003.wav").stat().st_mtime_ns == untouched


@pytest.mark.usefixtures("worker")
def test_ctrl_c_stops_watching_and_not_the_work(emulator: Emulator) -> None:
    """The jobs go on; how to watch them and how to call them off is said."""
    emulator.admin.latency(Latency(seconds=0.5))
    with closing(Command("run", "texts.txt", "--json")) as command:
        wait_for(lambda: emulator.state().billed_calls, seconds=30, what="a call billed", instead=lambda: command.err)
        command.signal(signal.SIGINT)
        code, out = command.end()
    assert code == 130
    batch = json.loads(out)["batch"]
    assert "Workers continue" in command.err
    assert f"ttsq status {batch[:13]} --watch" in command.err
    code, found = ttsq("status", batch, "--watch", "--json")
    assert (code, found["succeeded"], emulator.state().billed_calls) == (0, 6, 6)


@pytest.mark.usefixtures("worker")
def test_a_run_held_by_its_budget_stops_watching_and_the_workers_resume_once_it_is_raised(emulator: Emulator) -> None:
    """The run needn't be started again: `ttsq budget batch` is enough."""
    code, found = ttsq("run", "texts.txt", "--max-cost", "0.02", "--json")
    assert (code, found["succeeded"], found["held"], found["hold"]["code"]) == (3, 2, 4, "budget_used_up")
    assert ttsq("budget", "batch", found["batch"], "1")[0] == 0
    code, found = ttsq("status", found["batch"], "--watch", "--json")
    assert (code, found["succeeded"], emulator.state().billed_calls) == (0, 6, 6)
