"""`ttsq doctor`: a line for each part, what is wrong with it, and how to mend it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tests.factories import a_gate, add_gate, add_job
from tests.servers.s3 import Bucket
from worker.cli.main import main
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store.database import Database

KEY = "SG_0123456789abcdef"
WRONG_KEY = "SG_" + "f" * 16


@dataclass(frozen=True, slots=True)
class Report:
    """What the doctor found."""

    code: int
    checks: dict[str, tuple[str, str, str]]
    """By name: level, message, remedy."""
    text: str

    def level(self, name: str) -> str:
        """How bad a part is."""
        return self.checks[name][0]

    def words(self, name: str) -> str:
        """What is said of a part, the remedy included."""
        return " → ".join(self.checks[name][1:])


class Doctor:
    """The command, once for machines."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self) -> Report:
        """Examine."""
        with pytest.raises(SystemExit) as ended:
            main(["doctor", "--json"])
        shown = self._capsys.readouterr()
        found = json.loads(shown.out)
        assert found["ok"] == (ended.value.code == 0)
        assert KEY not in shown.out + shown.err
        checks = {check["name"]: (check["level"], check["message"], check["remedy"]) for check in found["checks"]}
        return Report(int(ended.value.code or 0), checks, shown.out)


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """The command."""
    return Doctor(capsys)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An API that takes the key of the settings."""
    with Emulator(EmulatorConfig(credits=Decimal("0.67"))) as running:
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", running.key)
        yield running


@pytest.mark.usefixtures("emulator")
def test_the_embedded_default_is_sound_before_its_first_run(doctor: Doctor) -> None:
    """With nothing but a key: no server is reported missing, and the balance is shown."""
    found = doctor()
    assert found.code == 0
    assert {name: level for name, (level, _, _) in found.checks.items()} == dict.fromkeys(
        ("settings", "database", "broker", "artifacts", "spool", "listening", "key"), "ok"
    )
    assert "$0.6700" in found.words("key")
    assert "at least 100 calls" in found.words("key")


def test_each_part_has_a_line_for_people(
    emulator: Emulator, on_sqlite: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name, level, what was found."""
    monkeypatch.setenv("TTSQ_DATABASE_URL", on_sqlite.url.render_as_string())
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    names = ["settings", "database", "broker", "artifacts", "spool", "listening", "key"]
    names += ["clock", "workers", "objects", "restore"]
    assert lines == [[name, "ok"] for name in names]
    assert emulator.state().calls == 0


def test_a_missing_key_fails_with_a_way_round_it(doctor: Doctor) -> None:
    """The remedy names the setting and the rehearsal."""
    found = doctor()
    assert (found.code, found.level("key")) == (2, "fail")
    assert "SEGMIND_API_KEY" in found.words("key")
    assert "--rehearse" in found.words("key")


@pytest.mark.usefixtures("emulator")
def test_a_wrong_key_fails_in_the_apis_words(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not shown itself."""
    monkeypatch.setenv("SEGMIND_API_KEY", WRONG_KEY)
    found = doctor()
    assert (found.code, found.level("key")) == (2, "fail")
    assert "doesn't accept the API key" in found.words("key")
    assert WRONG_KEY not in found.text


def test_an_empty_account_is_a_warning(doctor: Doctor, emulator: Emulator) -> None:
    """It works; it just can't buy anything."""
    emulator.admin.account(credits=Decimal("0.001"))
    found = doctor()
    assert (found.code, found.level("key")) == (0, "warning")
    assert "$0.0010" in found.words("key")


def test_every_error_has_a_line(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An error in one part doesn't keep the others from being checked."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEGMIND_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    monkeypatch.setenv("TTSQ_DATABASE_URL", "postgresql://someone:hidden@127.0.0.1:9/queue")
    monkeypatch.setenv("TTSQ_BROKER_URL", "redis://:hidden@127.0.0.1:9/0")
    monkeypatch.setenv("TTSQ_ARTIFACTS_URL", (tmp_path / "file" / "folder").as_uri())
    monkeypatch.setenv("TTSQ_SPOOL_DIR", str(tmp_path / "file" / "spool"))
    found = doctor()
    assert found.code == 2
    assert [name for name in found.checks if found.level(name) == "fail"] == [
        "database",
        "broker",
        "artifacts",
        "spool",
        "key",
    ]
    assert "TTSQ_DATABASE_URL" in found.words("database")
    assert "TTSQ_BROKER_URL" in found.words("broker")
    assert "TTSQ_SPOOL_DIR" in found.words("spool")
    assert "SEGMIND_BASE_URL" in found.words("key")
    assert "hidden" not in found.text


def test_bad_settings_are_named_and_nothing_else_is_tried(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other check runs until the settings are valid."""
    monkeypatch.setenv("SEGMIND_RMP", "60")
    found = doctor()
    assert found.code == 2
    assert "did you mean SEGMIND_RPM?" in found.words("settings")
    assert found.level("the rest") == "warning"


@pytest.mark.usefixtures("emulator")
def test_what_holds_the_queue_is_a_warning(
    doctor: Doctor, on_sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its reason: the installation is sound, and yet nothing moves."""
    monkeypatch.setenv("TTSQ_DATABASE_URL", on_sqlite.url.render_as_string())
    with on_sqlite.begin() as connection:
        add_job(connection)
        add_gate(connection, a_gate())
    found = doctor()
    assert (found.code, found.level("workers")) == (0, "warning")
    assert "out of credit" in found.words("workers")


@pytest.mark.usefixtures("emulator")
def test_the_production_services_are_looked_at(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, postgres_database: str, redis_url: str, s3: Bucket
) -> None:
    """PostgreSQL, Redis and the bucket; tables that are missing are named with the command that makes them."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TTSQ_DATABASE_URL", postgres_database)
    monkeypatch.setenv("TTSQ_BROKER_URL", redis_url)
    monkeypatch.setenv("TTSQ_ARTIFACTS_URL", s3.url)
    found = doctor()
    assert (found.code, found.level("database"), found.level("broker"), found.level("artifacts")) == (
        2,
        "fail",
        "ok",
        "ok",
    )
    assert "ttsq migrate" in found.words("database")
    with pytest.raises(SystemExit):
        main(["migrate"])
    doctor._capsys.readouterr()
    found = doctor()
    assert (found.code, found.level("database"), found.level("clock")) == (0, "ok", "ok")
    assert (found.level("workers"), "ttsq worker" in found.words("workers")) == ("warning", True)
    monkeypatch.setenv("TTSQ_ARTIFACTS_URL", "s3://no-such-bucket-here")
    found = doctor()
    assert (found.code, found.level("artifacts")) == (2, "fail")
    assert "no-such-bucket-here" in found.words("artifacts")


def test_it_says_what_listens_and_why_the_rest_does_not(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off is no fault; a rung that lacks something is named with it."""
    assert doctor().words("listening").startswith("off; TTSQ_TAKE_RUNGS=auto")
    monkeypatch.setenv("TTSQ_TAKE_RUNGS", "rate,shape")
    monkeypatch.setenv("TTSQ_ESPEAK", "/nowhere/espeak-ng")
    report = doctor()
    assert report.level("listening") == "warning"
    assert "rate, shape on" in report.words("listening")
    assert "rate: espeak-ng not found" in report.words("listening")
    assert "signal off" in report.words("listening")
    monkeypatch.setenv("TTSQ_TAKE_RUNGS", "signal")
    assert doctor().level("listening") == "ok"
    monkeypatch.setenv("TTSQ_TAKE_RUNGS", "rates")
    assert 'did you mean "rate"' in doctor().words("settings")
