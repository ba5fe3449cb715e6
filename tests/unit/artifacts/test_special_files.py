"""What has a key in a folder and is no plain file: it is neither opened nor followed, replaced nor deleted."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.unit.artifacts.test_conformance import store_bytes
from worker.artifacts.errors import NameTakenError
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.ownership import Owner, remove
from worker.artifacts.store import Wanted

SHA256: Final = "0" * 64
SECRET: Final = b"a file outside"
pytestmark = pytest.mark.timeout(60)  # a pipe that is opened waits indefinitely


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's whole path may have some hundred bytes only
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_link_outside(path: Path) -> None:
    outside = path.parents[1] / "outside.wav"
    outside.write_bytes(SECRET)
    path.symlink_to(outside)


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.fixture(
    params=[a_pipe, a_socket, a_device, a_link_outside, a_link_to_nothing, a_link_to_itself, a_folder],
    ids=lambda make: make.__name__,
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FolderStore]:
    """A folder in which `a.wav` is something else."""
    (tmp_path / "folder").mkdir()
    make: Callable[[Path], None] = request.param
    make(tmp_path / "folder/a.wav")
    state = (tmp_path / "folder/a.wav").lstat()
    yield FolderStore(tmp_path / "folder")
    assert (tmp_path / "folder/a.wav").lstat().st_ino == state.st_ino
    outside = tmp_path / "outside.wav"
    assert not outside.exists() or outside.read_bytes() == SECRET


def test_it_is_no_object(store: FolderStore, tmp_path: Path) -> None:
    """Whatever is asked of it."""
    assert store.head("a.wav") is None
    assert store.read("a.wav") is None
    assert store.read("a.wav", sha256=SHA256) is None
    assert store.fetch("a.wav", tmp_path / "fetched") is None
    assert store.copy(store.uri("a.wav"), "b.wav", metadata={}) is None
    assert store.copy(store.uri("a.wav"), "b.wav", metadata={}, sha256=SHA256) is None
    assert store.unsound([Wanted("a.wav", SHA256)]) == {"a.wav": None}
    assert "a.wav" not in store.keys_in("x")
    assert not store.adopt("a.wav")
    assert not (tmp_path / "fetched").exists()


def test_it_is_neither_replaced_nor_deleted(store: FolderStore, tmp_path: Path) -> None:
    """It occupies the name, for everybody."""
    occupant = store.occupant("a.wav")
    assert occupant is not None
    assert not occupant.known
    with pytest.raises(NameTakenError):
        store_bytes(store, "a.wav", b"RIFF", tmp_path)
    store_bytes(store, "b.wav", b"RIFF", tmp_path)
    with pytest.raises(NameTakenError):
        store.copy(store.uri("b.wav"), "a.wav", metadata={})
    store.delete("a.wav")
    assert not remove(store, "a.wav", Owner(job="j"), sha256=SHA256)


def test_it_is_no_folder_for_others(store: FolderStore, tmp_path: Path) -> None:
    """A key below it is taken as well, unless it is a folder."""
    if (tmp_path / "folder/a.wav").is_dir():
        return
    assert store.head("a.wav/b.wav") is None
    with pytest.raises(NameTakenError):
        store_bytes(store, "a.wav/b.wav", b"RIFF", tmp_path)
