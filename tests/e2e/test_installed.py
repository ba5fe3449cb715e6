"""The wheel in an environment without any development package, on each Python of this machine, outside the checkout.

Home, working folder and PATH are a stranger's: nothing of the checkout or of the developer can be reached from them.
"""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any, Final

import pytest
from openpyxl import Workbook

from tests.cluster.services import Place
from tests.distribution.inside import everything, helping
from tests.distribution.installation import Installation
from tests.distribution.running import SERVES, WORKS, audio_of_a_job, emulator, said, started
from tests.distribution.uv import ROOT, uv
from tests.receiver import Receiver

SAMPLE: Final = ROOT / "examples/welcome.csv"
WORKER: Final = ("celery", "-A", "worker.app", "worker")
LEAST_COMMANDS: Final = 30

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder but for the sample, which comes from outside."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "welcome.csv").write_bytes(SAMPLE.read_bytes())
    return folder


def names() -> set[str]:
    """Of the files that the sample makes."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return {f"{row['custom_id']}.wav" for row in csv.DictReader(file)}


def test_it_is_not_the_checkout_that_is_tested(installed: Installation, home: Path) -> None:
    """The modules lie in the environment, and so do the migrations."""
    where = "import worker, api_models; from worker.store.schema import migrations_folder as folder"
    asked = installed.run(home, "python", "-c", f"{where}; print(worker.__file__, api_models.__file__, folder())")
    assert asked.returncode == 0, asked.stderr
    assert len(asked.stdout.split()) == 3
    for place in asked.stdout.split():
        assert Path(place).is_relative_to(installed.folder)


def test_everything_can_be_imported(installed: Installation, home: Path) -> None:
    """Each module of the product, and what is reached by names: brokers, databases, servers, pools, time zones."""
    done = installed.run(home, "python", "-I", everything.__file__)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_what_is_installed_fits_together(installed: Installation, home: Path) -> None:
    """Nothing that a package declares is absent or of another version."""
    uv("pip", "check", "--quiet", "--python", str(installed.bin / "python"))
    done = installed.run(home, "ttsq", "--version")
    assert done.stdout.startswith("ttsq "), done.stderr


def test_each_command_has_help(installed: Installation, home: Path) -> None:
    """`--help` of every command and of every group of commands."""
    done = installed.run(home, "python", "-I", helping.__file__)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert int(done.stderr) > LEAST_COMMANDS


def test_the_sample_is_rehearsed(installed: Installation, home: Path) -> None:
    """With no key and no server."""
    done = installed.run(home, "ttsq", "run", "welcome.csv", "--rehearse", "--out", "spoken")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (home / "spoken").glob("*.wav")} == names()


def test_a_wrong_input_is_named_in_a_line(installed: Installation, home: Path) -> None:
    """A voice that doesn't exist: the line, the column, what was meant. No traceback, and nothing is stored."""
    (home / "wrong.csv").write_text("text,voice_1\nThe ferry is in.,Koré\n", encoding="utf-8")
    done = installed.run(home, "ttsq", "run", "wrong.csv", "--rehearse", "--out", "spoken")
    assert done.returncode == 2
    assert "Koré" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / "spoken").exists()


def test_two_workers_speak_the_sample_over_the_services(
    installed: Installation, home: Path, tmp_path: Path, place: Place
) -> None:
    """`ttsq migrate`, two workers over PostgreSQL, Redis and S3, `ttsq run`, `ttsq serve` with a key, and all leave."""
    with emulator(installed, tmp_path / "emulator") as api:
        settings = {**place.environment(), **api}

        def ttsq(*words: str) -> str:
            done = installed.run(home, "ttsq", *words, settings=settings)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        ttsq("migrate")
        with (
            started(installed, tmp_path / "one", WORKS, *WORKER, settings=settings) as one,
            started(installed, tmp_path / "two", WORKS, *WORKER, settings=settings) as two,
        ):
            ttsq("doctor")
            figures: dict[str, Any] = json.loads(
                ttsq("run", "welcome.csv", "--out", "spoken", "--json", "--yes").splitlines()[-1]
            )
            assert (figures["succeeded"], figures["failed"]) == (len(names()), 0)
            assert {path.name for path in (home / "spoken").glob("*.wav")} == names()
            key = json.loads(ttsq("keys", "add", "test", "--json"))["key"]
            serve = ("ttsq", "serve", "--port", "0")
            with started(installed, tmp_path / "gateway", SERVES, *serve, settings=settings) as gateway:
                assert audio_of_a_job(said(gateway, SERVES), key)[:4] == b"RIFF"
            for worker in (one, two):
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0, worker.log
                assert "Traceback" not in worker.whole_log


def test_one_process_serves_and_speaks(installed: Installation, tmp_path: Path) -> None:
    """`ttsq serve --all-in-one`: a request in, audio out, and Ctrl-C ends it."""
    words = ("ttsq", "serve", "--port", "0", "--all-in-one")
    with (
        emulator(installed, tmp_path / "emulator") as api,
        started(installed, tmp_path / "gateway", SERVES, *words, settings=api) as gateway,
    ):
        assert audio_of_a_job(said(gateway, SERVES))[:4] == b"RIFF"
        gateway.signal(signal.SIGINT)
        assert gateway.wait() == 0, gateway.log


def test_a_workbook_is_read_without_an_extra(bare: Installation, home: Path) -> None:
    """Written by another environment's openpyxl, which the installed product lacks."""
    book = Workbook()
    for row in (["text"], ["The ferry is in."], ["The bus is late."]):
        book.worksheets[0].append(row)
    book.save(home / "a.xlsx")
    assert bare.run(home, "python", "-c", "import openpyxl").returncode == 1
    done = bare.run(home, "ttsq", "run", "a.xlsx", "--rehearse", "--out", "spoken")
    assert done.returncode == 0, done.stderr
    assert len(list((home / "spoken").glob("*.wav"))) == 2


def test_a_damaged_workbook_is_refused_in_a_line(bare: Installation, home: Path) -> None:
    """No extra is asked for, and no traceback is printed."""
    (home / "a.xlsx").write_bytes(b"PK\x03\x04")
    done = bare.run(home, "ttsq", "run", "a.xlsx", "--rehearse")
    assert done.returncode == 2
    assert "a.xlsx" in done.stderr
    assert "pip install" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_absent_extra_is_refused_with_the_remedy(bare: Installation, home: Path) -> None:
    """The command that installs it; no traceback."""
    done = bare.run(home, "ttsq", "serve", "--port", "0", settings={"TTSQ_TRACING": "otlp"})
    assert done.returncode == 2
    assert "pip install 'ttsq[otel]'" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_traces_are_sent_with_their_extra_alone(traced: Installation, tmp_path: Path) -> None:
    """With `[otel]` a collector receives a job's spans."""
    words = ("ttsq", "serve", "--port", "0", "--all-in-one")
    with Receiver() as collector, emulator(traced, tmp_path / "emulator") as api:
        settings = {"TTSQ_TRACING": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/hook")}
        with started(traced, tmp_path / "gateway", SERVES, *words, settings={**api, **settings}) as gateway:
            assert audio_of_a_job(said(gateway, SERVES))[:4] == b"RIFF"
            gateway.signal(signal.SIGTERM)
            assert gateway.wait() == 0, gateway.log
        assert collector.messages
