"""`ttsq doctor` on broken set-ups: each is named with its remedy, fails, and nothing is changed on disk."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from api_models.status import JobStatus
from tests.factories import add_attempt, add_job
from tests.integration.cli.broken_setups import BROKEN, PASSWORD, Break, Installation
from tests.servers.moto import Moto
from tests.servers.postgres import Postgres
from tests.servers.valkey import Valkey
from worker.cli.main import main
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store import schema
from worker.store.database import Database


@pytest.fixture
def installation(
    *,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    on_postgresql: Database,
    postgres: Postgres,
    valkey: Valkey,
    redis_url: str,
    moto: Moto,
) -> Iterator[Installation]:
    """One that a worker could work with."""
    bucket = moto.create_bucket(f"test-{uuid.uuid4().hex}")
    with Emulator(EmulatorConfig()) as emulator:
        for name, value in bucket.environment().items():
            monkeypatch.setenv(name, value)
        made = Installation(monkeypatch, tmp_path, on_postgresql, postgres, valkey, moto, emulator)
        made.set(
            SEGMIND_BASE_URL=emulator.base_url,
            SEGMIND_API_KEY=emulator.key,
            TTSQ_DATABASE_URL=on_postgresql.url.render_as_string(hide_password=False),
            TTSQ_BROKER_URL=redis_url,
            TTSQ_ARTIFACTS_URL=bucket.url,
        )
        yield made
        for undo in made.undo:
            undo()


def on_disk(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Every file and folder with its mode, its time and its content."""
    return {
        str(path): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in (folder, *folder.rglob("*"))
    }


def kept(valkey: Valkey) -> set[str]:
    """The broker's keys."""
    with closing(valkey.client()) as client:
        return set(map(str, client.keys()))


def report(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, list[str]], str]:
    """The exit code, the failed checks with what is said of them, and all that was printed."""
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json", *options])
    shown = capsys.readouterr()
    failed: dict[str, list[str]] = {}
    for check in json.loads(shown.out)["checks"]:
        if check["level"] == "fail":
            assert check["remedy"], check
            failed.setdefault(check["name"], []).append(f"{check['message']} → {check['remedy']}")
    return int(ended.value.code or 0), failed, shown.out + shown.err


@pytest.mark.parametrize(("broken", "name", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_set_up_is_named_with_its_remedy(
    *,
    broken: Break,
    name: str,
    words: str,
    installation: Installation,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The doctor fails, names the part that is broken and no other, shows no password, and leaves no trace."""
    if words == "TTSQ_CONCURRENCY":
        monkeypatch.setattr("resource.getrlimit", lambda _limit: (1024, 1024))
        # The hard limit, once lowered, would stay so for the tests after this one.
        monkeypatch.setattr("resource.setrlimit", lambda _limit, _limits: None)
    broken(installation)
    before, keys = on_disk(installation.folder), kept(installation.valkey)
    code, failed, shown = report(capsys)
    assert code == 2
    assert list(failed) == [name]
    assert words in "\n".join(failed[name])
    assert PASSWORD not in shown
    assert on_disk(installation.folder) == before
    assert kept(installation.valkey) == keys


def test_a_sound_set_up_fails_in_nothing_and_is_left_as_it_is(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the disk nor broker or bucket keep anything of it."""
    before = on_disk(installation.folder)
    code, failed, _ = report(capsys)
    assert failed == {}
    assert code == 0
    assert on_disk(installation.folder) == before
    assert kept(installation.valkey) == set()


@pytest.mark.parametrize("files", [("x.db",), ("x.db", "x.db-wal", "x.db-shm")])
def test_an_sqlite_file_is_read_without_a_trace(
    files: tuple[str, ...], installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether a worker has it open or not."""
    worker = Database(f"sqlite:///{installation.folder}/x.db")
    schema.upgrade(worker)
    if len(files) == 1:
        worker.close()
    assert {path.name for path in installation.folder.glob("x.db*")} == set(files)
    installation.set(TTSQ_DATABASE_URL=worker.url.render_as_string(), TTSQ_BROKER_URL="memory://")
    before = on_disk(installation.folder)
    code, failed, _ = report(capsys)
    assert failed == {}
    assert code == 0
    assert {name: state for name, state in on_disk(installation.folder).items() if not name.endswith("-shm")} == {
        name: state for name, state in before.items() if not name.endswith("-shm")
    }
    worker.close()


def test_a_new_folder_stays_empty(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the first run: neither queue nor spool are created by looking for them."""
    for name in ("TTSQ_DATABASE_URL", "TTSQ_BROKER_URL", "TTSQ_ARTIFACTS_URL"):
        installation.monkeypatch.delenv(name)
    code, failed, _ = report(capsys)
    assert failed == {}
    assert code == 0
    assert list(installation.folder.iterdir()) == []


def test_a_broker_whose_user_has_no_info_is_sound(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker doesn't ask for it."""
    installation.acl("~*", "+@all", "-info", "-config", "-acl")
    code, failed, _ = report(capsys)
    assert failed == {}
    assert code == 0


def test_a_role_with_the_documented_grants_is_sound(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """As docs/operations.md lists them."""
    installation.role(
        "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public", "USAGE ON ALL SEQUENCES IN SCHEMA public"
    )
    code, failed, _ = report(capsys)
    assert failed == {}
    assert code == 0


def test_a_machine_without_a_worker_needs_no_key(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor a spool."""
    installation.monkeypatch.delenv("SEGMIND_API_KEY")
    installation.set(TTSQ_SPOOL_MIN_FREE_MB="999999999")
    assert report(capsys, "--no-worker")[:2] == (0, {})


def test_an_audio_folder_that_has_gone_is_named_and_not_made_anew(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker's disk may be missing: a folder in its place would hide that."""
    gone = installation.folder / "gone"
    installation.set(TTSQ_ARTIFACTS_URL=gone.as_uri(), TTSQ_BROKER_URL="memory://")
    with installation.database.begin() as connection:
        sound = {"uri": (gone / "a.wav").as_uri(), "sha256": "0" * 64, "audio_bytes": 4}
        job = add_job(connection, status=JobStatus.SUCCEEDED, **sound)
        add_attempt(connection, job_id=job)
    code, failed, shown = report(capsys)
    assert failed == {}
    assert code == 0
    assert "1 missing or changed, such as file://" in shown
    assert not gone.exists()
