"""Queue, spool and logs are the user's alone, whatever the umask, and earlier ones are tightened."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from worker import settings
from worker.environment import private_files
from worker.execution.spool import Spool
from worker.store.database import Database
from worker.telemetry import logs


@pytest.fixture(params=[0o000, 0o002, 0o022, 0o077, 0o177], ids=oct, autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """A umask of the user's shell."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """The permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def loosened(path: Path) -> Path:
    """As an earlier version left it."""
    path.chmod(0o755 if path.is_dir() else 0o644)
    return path


def test_a_queue_is_private(tmp_path: Path) -> None:
    """Folder, file, and what SQLite puts beside it."""
    database = Database(f"sqlite:///{tmp_path}/.ttsq/deep/ttsq.db")
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE secrets (secret)")
        found = {path.name: mode(path) for path in (tmp_path / ".ttsq").rglob("*")}
    database.close()
    assert found == {"deep": 0o700, "ttsq.db": 0o600, "ttsq.db-wal": 0o600, "ttsq.db-shm": 0o600}
    assert mode(tmp_path / ".ttsq") == 0o700


def test_an_earlier_queue_is_tightened(tmp_path: Path) -> None:
    """With the log of changes that a crash left."""
    folder = tmp_path / ".ttsq"
    folder.mkdir()
    file = folder / "ttsq.db"
    with closing(sqlite3.connect(file)) as crashed:
        crashed.execute("PRAGMA journal_mode=WAL")
        crashed.execute("CREATE TABLE secrets (secret)")
        for path in (folder, *folder.iterdir()):
            loosened(path)
        Database(f"sqlite:///{file}").close()
        assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert mode(folder) == 0o700


def test_a_spool_is_private_and_an_earlier_one_is_tightened(tmp_path: Path) -> None:
    """Answers, receipts and conversions; a foreign file in it is left as it is."""
    spool = Spool(tmp_path / "a" / "spool", 0)
    spool.prepare()
    assert mode(spool.folder) == mode(spool.folder.parent) == 0o700
    names = ["x.1.audio", "x.1.receipt", "x.1.wav", "x.1.judging", "x.1.audio.part", "database.seen", "notes.txt"]
    for name in names:
        (spool.folder / name).touch()
        loosened(spool.folder / name)
    loosened(spool.folder)
    spool.prepare()
    assert mode(spool.folder) == 0o700
    assert {name for name in names if mode(spool.folder / name) != 0o600} == {"notes.txt"}


def test_a_log_is_private(tmp_path: Path) -> None:
    """Texts and errors stand in it."""
    root, file = logging.getLogger(), tmp_path / ".ttsq" / "ttsq.log"
    before, level = root.handlers[:], root.level
    try:
        logs.configure(settings.load(), file)
        (handler,) = root.handlers
        assert isinstance(handler, logging.StreamHandler)
        handler.stream.close()
    finally:
        root.handlers[:], root.level = before, level
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)


def test_a_shared_folder_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory, a home, a folder such as /tmp: others use them too."""
    for name in ("here", "home", "tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o1777 if name == "tmp" else 0o755)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("here", "home", "tmp"):
        private_files.make_folder(tmp_path / name, is_own=True)
    assert [mode(tmp_path / name) for name in ("here", "home", "tmp")] == [0o755, 0o755, 0o1777]


def test_the_folder_of_a_database_elsewhere_keeps_its_mode(tmp_path: Path) -> None:
    """Another program may serve files from it; the database in it is private."""
    folder = tmp_path / "data"
    folder.mkdir()
    loosened(folder)
    Database(f"sqlite:///{folder}/ttsq.db").close()
    assert (mode(folder), mode(folder / "ttsq.db")) == (0o755, 0o600)


def test_a_folder_of_ours_is_tightened_whatever_is_made_in_it(tmp_path: Path) -> None:
    """An earlier version, or the audio in it, may have made it."""
    folder = tmp_path / ".ttsq"
    folder.mkdir()
    loosened(folder)
    Spool(folder / "spool", 0).prepare()
    assert mode(folder) == 0o700


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Its target is another's matter."""
    target = tmp_path / "target"
    target.touch()
    loosened(target)
    (tmp_path / "link").symlink_to(target)
    private_files.tighten(tmp_path / "link")
    assert mode(target) == 0o644


def test_looking_whether_a_folder_can_be_written_changes_nothing(tmp_path: Path) -> None:
    """Not even its time."""
    before = tmp_path.stat()
    assert private_files.unwritable(tmp_path / "absent" / "deeper", b"x") is None
    assert tmp_path.stat() == before
    (tmp_path / "file").touch()
    assert isinstance(private_files.unwritable(tmp_path / "file" / "below"), NotADirectoryError)
