"""What is particular to audio in a local folder: what a user sees in it, and what happens when it is disturbed."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.artifacts.test_conformance import store_bytes
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.folder.errors import fault_of
from worker.artifacts.folder.store import STALE_SECONDS, FolderStore

NOBODY = 65_534


def visible(root: Path) -> list[str]:
    """What a user sees below the folder."""
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


def left_on_the_way(root: Path) -> list[Path]:
    """Files that were being written and did not arrive."""
    return list((root / ".ttsq" / "incoming").iterdir())


def test_a_user_sees_the_audio_and_nothing_else(tmp_path: Path) -> None:
    """After puts, copies and checks the folder shows the audio files; all else is in one hidden folder."""
    root = tmp_path / "out"
    store = FolderStore(root)
    store.check()
    put = store_bytes(store, "hello.wav", b"sound", tmp_path)
    store.copy(put.uri, "t/jobs/copy.wav", metadata={})
    assert visible(root) == ["hello.wav", "t/jobs/copy.wav"]
    assert sorted(path.name for path in root.iterdir()) == [".ttsq", "hello.wav", "t"]
    assert left_on_the_way(root) == []


def test_the_folder_is_made_at_the_check(tmp_path: Path) -> None:
    """The check of a new store leaves a folder to write to."""
    FolderStore(tmp_path / "a" / "b").check()
    assert (tmp_path / "a" / "b").is_dir()


def test_a_refused_put_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither an audio file nor a part of one stays when the checksum doesn't fit."""
    store = FolderStore(tmp_path / "out")
    with pytest.raises(ArtifactsError):
        store_bytes(store, "a.wav", b"sound", tmp_path, sha256="0" * 64)
    assert visible(tmp_path / "out") == []
    assert left_on_the_way(tmp_path / "out") == []


def test_a_folder_that_vanishes_is_not_created_again(tmp_path: Path) -> None:
    """Without its folder (an unmounted volume) the store accepts and finds nothing; it recovers with the folder."""
    root = tmp_path / "out"
    store = FolderStore(root)
    store.check()
    root.rename(tmp_path / "elsewhere")
    calls: tuple[Callable[[], object], ...] = (
        store.check,
        lambda: store_bytes(store, "a.wav", b"sound", tmp_path),
        lambda: store.head("a.wav"),
        lambda: store.fetch("a.wav", tmp_path / "into"),
        lambda: store.copy(store.uri("a.wav"), "b.wav", metadata={}),
        lambda: store.delete("a.wav"),
    )
    for call in calls:
        with pytest.raises(ArtifactsError, match=r"has gone.*mkdir -p") as caught:
            call()
        assert caught.value.code == "not_writable"
    assert not root.exists()
    root.mkdir()
    store_bytes(store, "a.wav", b"sound", tmp_path)
    assert visible(root) == ["a.wav"]


def test_subfolders_that_vanish_are_made_again(tmp_path: Path) -> None:
    """A user may tidy up within the folder, even its hidden part, while the store is in use."""
    root = tmp_path / "out"
    store = FolderStore(root)
    store_bytes(store, "t/b/a.wav", b"sound", tmp_path)
    for folder in (root / ".ttsq", root / "t"):
        folder.rename(tmp_path / f"away{folder.name}")
    put = store_bytes(store, "t/b/b.wav", b"sound", tmp_path)
    assert store.head("t/b/b.wav") == put


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    """A path that is a file can't be a store, and the message says which."""
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ArtifactsError, match=str(tmp_path / "out")) as caught:
        FolderStore(tmp_path / "out").check()
    assert caught.value.code == "not_writable"


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has no users to become")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    """A folder that this user may not write to is found by the check."""
    root = tmp_path / "out"
    root.mkdir(mode=0o500)
    user = os.geteuid()
    os.seteuid(user or NOBODY)  # The superuser may write anywhere, so the test drops its rights.
    try:
        with pytest.raises(ArtifactsError, match=str(root)) as caught:
            FolderStore(root).check()
    finally:
        os.seteuid(user)
    assert caught.value.code == "not_writable"


def test_audio_edited_by_hand_is_no_longer_ours(tmp_path: Path) -> None:
    """Its current checksum is reported, its old description isn't, and it is no source for copies."""
    store = FolderStore(tmp_path / "out")
    put = store_bytes(store, "a.wav", b"sound", tmp_path, metadata={"cost": "1"})
    (tmp_path / "out" / "a.wav").write_bytes(b"trimmed")
    found = store.head("a.wav")
    assert found is not None
    assert (found.sha256, found.metadata) == (hashlib.sha256(b"trimmed").hexdigest(), {})
    assert store.copy(put.uri, "b.wav", metadata={}) is None


def test_a_take_outlives_the_file_that_showed_it(tmp_path: Path) -> None:
    """Another take has the source's name by now: the wanted one is still found by its checksum, never the wrong one."""
    store = FolderStore(tmp_path / "out")
    wanted = store_bytes(store, "a.wav", b"sound", tmp_path)
    store_bytes(store, "a.wav", b"another", tmp_path)
    copied = store.copy(wanted.uri, "b.wav", metadata={}, sha256=wanted.sha256)
    assert copied is not None
    assert (copied.sha256, (tmp_path / "out" / "b.wav").read_bytes()) == (wanted.sha256, b"sound")


def test_a_take_is_copied_from_another_folder(tmp_path: Path) -> None:
    """A second run elsewhere needs not buy again what the first one bought, as long as the content is the same."""
    first, second = FolderStore(tmp_path / "first"), FolderStore(tmp_path / "second")
    put = store_bytes(first, "a.wav", b"sound", tmp_path)
    copied = second.copy(put.uri, "b.wav", metadata={"n": "1"}, sha256=put.sha256)
    assert copied is not None
    assert (copied.sha256, copied.metadata) == (put.sha256, {"n": "1"})
    (tmp_path / "first" / "a.wav").write_bytes(b"edited")
    assert FolderStore(tmp_path / "third").copy(put.uri, "c.wav", metadata={}, sha256=put.sha256) is None


def test_a_broken_sidecar_costs_the_description_only(tmp_path: Path) -> None:
    """After a power cut a sidecar may be empty: the audio is still there, with its checksum."""
    store = FolderStore(tmp_path / "out")
    put = store_bytes(store, "a.wav", b"sound", tmp_path, metadata={"cost": "1"})
    for sidecar in (tmp_path / "out" / ".ttsq" / "sidecars").iterdir():
        sidecar.write_bytes(b"")
    found = store.head("a.wav")
    assert found is not None
    assert (found.sha256, found.metadata) == (put.sha256, {})


def test_the_check_sweeps_what_dead_processes_left(tmp_path: Path) -> None:
    """A file that has been on its way for a day is removed; one that another process may be writing stays."""
    store = FolderStore(tmp_path / "out")
    store.check()
    old, young = (tmp_path / "out" / ".ttsq" / "incoming" / name for name in (".old.part", ".young.part"))
    for path in (old, young):
        path.write_bytes(b"half")
    past = old.stat().st_mtime - STALE_SECONDS - 60
    os.utime(old, (past, past))
    store.check()
    assert left_on_the_way(tmp_path / "out") == [young]


@pytest.mark.parametrize(
    ("number", "code", "transient", "remedy"),
    [
        (errno.ENOSPC, "no_space", False, "free some"),
        (errno.EDQUOT, "no_space", False, "free some"),
        (errno.EACCES, "not_writable", False, "owner or mode"),
        (errno.EROFS, "not_writable", False, "read-only"),
        (errno.ENOTDIR, "not_writable", False, "file stands"),
        (errno.EMFILE, "unexpected", True, "Too many open files"),
        (errno.ENAMETOOLONG, "unexpected", False, "too long"),
    ],
)
def test_errors_of_the_file_system_are_classified(number: int, code: str, transient: bool, remedy: str) -> None:
    """Each error names the folder, the remedy and, for operators, the system's own word."""
    fault = fault_of(OSError(number, os.strerror(number), "/srv/audio/a.wav"), Path("/srv/audio"))
    assert (fault.code, fault.transient) == (code, transient)
    assert "/srv/audio" in fault.message
    assert remedy in fault.message
    assert errno.errorcode[number] in fault.detail
