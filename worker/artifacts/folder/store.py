"""Audio in a local folder: files a user can open, each visible only when whole, descriptions out of sight in `.ttsq/`.

Weakness: after a power cut the description of the newest files may be missing (the audio itself is flushed to disk).
"""

from __future__ import annotations

import errno
import mimetypes
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from worker.artifacts.addresses import path_of
from worker.artifacts.errors import ArtifactsError, ArtifactsFault, NameTakenError
from worker.artifacts.folder import history
from worker.artifacts.folder.errors import fault_of, gone
from worker.artifacts.folder.files import ABSENT, give_name, is_file, is_taken, one_writer, take_away
from worker.artifacts.folder.sidecar import FOLDER as SIDECARS
from worker.artifacts.folder.sidecar import Sidecar
from worker.artifacts.keys import OWN_FOLDER, checked_key
from worker.artifacts.metadata import checked_metadata
from worker.artifacts.ownership import ADOPTED, REPLACEABLE, Standing, standing
from worker.artifacts.partial import PARTIAL_SUFFIX, arriving, sha256_of
from worker.artifacts.store import ArtifactStore, StoredObject, Wanted
from worker.concurrency.futures import wait_for
from worker.concurrency.reactor import Reactor
from worker.environment.private_files import unwritable

STALE_SECONDS: Final = 24 * 3600
"""A file still on its way after this long belongs to a process that died."""
BLOCK_BYTES: Final = 256 * 1024
WRITERS: Final = 3
"""Files written at a time. A disk does more of them no sooner, and all would be late instead of the last ones."""
READERS: Final = 4
"""Files hashed at a time; hashing works without the interpreter's lock."""
UNKNOWN_TYPE: Final = "application/octet-stream"


class FolderStore:
    """An `ArtifactStore` below one folder, which is created when the store is first used and never again."""

    def __init__(self, root: Path, reactor: Reactor | None = None, *, remembers: bool = True) -> None:
        """`root` is absolute. Where a folder holds copies only, it need not remember replaced contents."""
        self._reactor = reactor or Reactor()
        self._root = root.resolve()  # one place, by whatever path it is reached
        self.url = self._root.as_uri()
        self._remembers = remembers
        self._incoming = self._root / OWN_FOLDER / "incoming"
        self._opened = False
        self._writers = threading.BoundedSemaphore(WRITERS)

    @property
    def was_written(self) -> bool:
        """Whether any audio has ever been stored here: a folder of this name may be another machine's."""
        return (self._root / OWN_FOLDER / SIDECARS).is_dir()

    def uri(self, key: str) -> str:
        return self._path(key).as_uri()

    def check(self) -> None:
        with self._using(), self._arriving() as probe:
            probe.write_bytes(b"ttsq" * 1024)
            visible = self._root / f"{OWN_FOLDER}-check-{probe.name}"
            probe.replace(visible)
            visible.unlink()
            self._sweep()

    def forecast(self) -> None:
        if error := unwritable(self._root, b"ttsq" * 1024):
            raise fault_of(error, self._root) from error

    def put(
        self, key: str, source: Path, *, content_type: str, sha256: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        self._path(key)
        sidecar = Sidecar(content_type, checked_metadata(metadata))
        source.stat()  # A source that can't be read is the caller's error, not the folder's.
        with self._using(), self._arriving() as audio:
            with self._writers:
                shutil.copyfile(source, audio)
                if sha256_of(audio) != sha256:
                    raise ArtifactsError(
                        ArtifactsFault.BAD_CHECKSUM,
                        f"the audio for {self._path(key)} isn't the one that was accepted; nothing was stored",
                    )
            _flush(audio)  # as many at once as there are: the file system makes one of them
            with self._writers:
                return self._reveal(audio, key, sha256, sidecar)

    async def put_async(
        self, key: str, source: Path, *, content_type: str, sha256: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        put = partial(self.put, key, source, content_type=content_type, sha256=sha256, metadata=metadata)
        return await wait_for(self._reactor.offload(put))

    def receive(self, key: str, other: ArtifactStore, source: Wanted, *, metadata: Mapping[str, str]) -> bool:
        """Copy an object of any store to here, as `put` does. False where it isn't there with this content. Raises
        NameTakenError: what has the name may not be replaced.
        """
        self._path(key)
        with self._using(), self._arriving() as audio:
            found = other.fetch(source.key, audio, sha256=source.sha256)
            if found is None or sha256_of(audio) != source.sha256:
                return False
            self._reveal(audio, key, source.sha256, Sidecar(found.content_type, checked_metadata(metadata)))
        return True

    def restate(self, key: str, sha256: str, metadata: Mapping[str, str]) -> bool:
        """Whether a file has this content. One of ours is described anew, unless its owner is a later one."""
        target = self._path(key)
        with self._using(), suppress(*ABSENT), one_writer(target.parent):
            found = self._seen(key)
            if found is None or found.sha256 != sha256:
                return False
            if found.known and standing(found, metadata, sha256) in REPLACEABLE:
                self._describe(key, sha256, Sidecar(found.content_type, checked_metadata(metadata)))
            return True
        return False

    def adopt(self, key: str) -> bool:
        """Allow a file of the user's to be replaced, as it is now. False for what is no plain file."""
        with self._using():
            if not is_file(self._path(key)):
                return False
            self._describe(key, sha256_of(self._path(key)), Sidecar(UNKNOWN_TYPE, {ADOPTED: "yes"}))
        return True

    def head(self, key: str) -> StoredObject | None:
        with self._using():
            return self._seen(key)

    def occupant(self, key: str) -> StoredObject | None:
        with self._using():
            found = self._seen(key)
            if found is None and is_taken(self._path(key)):
                return StoredObject(key, self.uri(key), 0, None, UNKNOWN_TYPE, {}, known=False)
            return found

    def keys_in(self, folder: str) -> list[str]:
        with self._using():
            try:
                with os.scandir(self._path(folder)) as entries:
                    return [f"{folder}/{entry.name}" for entry in entries if entry.is_file(follow_symlinks=False)]
            except ABSENT:
                return []

    def unsound(self, wanted: Sequence[Wanted]) -> dict[str, StoredObject | None]:
        with ThreadPoolExecutor(READERS, thread_name_prefix="ttsq-verify") as pool:
            found = pool.map(lambda one: self.head(one.key), wanted)
            return {one.key: it for one, it in zip(wanted, found, strict=True) if it is None or it.sha256 != one.sha256}

    def copy(
        self, source_uri: str, key: str, *, metadata: Mapping[str, str], sha256: str | None = None
    ) -> StoredObject | None:
        self._path(key)
        source = path_of(source_uri)
        if source is None:
            return None
        source = _real(source)
        with self._using(), self._arriving() as audio:
            found = self._taken(source, audio, sha256)
            content_type = self._content_type_of(source, found, wanted=sha256) if found else None
            if found is None or content_type is None:
                return None
            return self._reveal(audio, key, found, Sidecar(content_type, checked_metadata(metadata)))

    def fetch(self, key: str, into: Path, *, sha256: str | None = None) -> StoredObject | None:
        with self._using():
            source = self._holding(key, sha256)
        if source is None:
            return None
        with arriving(into.parent) as copy:
            shutil.copyfile(source, copy)
            size, found = copy.stat().st_size, sha256_of(copy)
            copy.replace(into)
        return self._described(key, size, found)

    def key_of(self, uri: str) -> str | None:
        path = path_of(uri)
        if path is None:
            return None
        path = path if path.is_relative_to(self._root) else _real(path)
        try:
            return checked_key(path.relative_to(self._root).as_posix())
        except ValueError:
            return None

    def read(
        self, key: str, *, start: int = 0, length: int | None = None, sha256: str | None = None
    ) -> Iterator[bytes] | None:
        with self._using():
            source = self._holding(key, sha256)
            try:
                content = None if source is None else source.open("rb")
            except ABSENT:
                content = None
        return None if content is None else self._blocks(content, start, length)

    def _blocks(self, content: BinaryIO, start: int, length: int | None) -> Iterator[bytes]:
        with content, self._using():
            content.seek(start)
            left = length
            while block := content.read(BLOCK_BYTES if left is None else min(left, BLOCK_BYTES)):
                left = None if left is None else left - len(block)
                yield block

    def link(self, key: str, *, seconds: int, name: str | None = None) -> str | None:  # noqa: ARG002 - as every store's
        checked_key(key)
        return None

    def delete(self, key: str, *, sha256: str | None = None, forget: bool = True) -> None:
        target = self._path(key)
        with self._using():
            if not is_file(target):
                return
            with suppress(*ABSENT), self._arriving() as aside, one_writer(target.parent):
                found = take_away(target, aside, sha256)
                if found is not None and forget:
                    self._forget(key, found)

    def forget(self, key: str, sha256: str) -> None:
        with self._using():
            found = self._seen(key)
            if found is not None and found.sha256 == sha256:
                history.forget_content(self._root, sha256)  # its sidecar describes what another job has there
            else:
                self._forget(key, sha256)

    def close(self) -> None:
        """A folder holds nothing open."""

    def _forget(self, key: str, sha256: str) -> None:
        history.forget_content(self._root, sha256)
        with suppress(*ABSENT):
            self._sidecar_path(key, sha256).unlink()

    def _seen(self, key: str) -> StoredObject | None:
        path = self._path(key)
        if not is_file(path):
            return None
        try:
            return self._described(key, path.stat().st_size, sha256_of(path))
        except ABSENT:
            return None

    def _holding(self, key: str, sha256: str | None) -> Path | None:
        """The file that has the object's content, or this one; where another has its name, among replaced contents."""
        path = self._path(key)
        if sha256 is None or not is_taken(path):
            return path if is_file(path) else None
        for candidate in (path, *self._remembered(_real(path), sha256)):
            with suppress(*ABSENT):
                if is_file(candidate) and sha256_of(candidate) == sha256:
                    return candidate
        return None

    def _remembered(self, source: Path, sha256: str | None) -> Iterator[Path]:
        yield from history.remembered(source, sha256)
        yield from history.remembered(self._root / "here", sha256)

    def _taken(self, source: Path, audio: Path, wanted: str | None) -> str | None:
        """Copy the source, or what the folders remember of it; returns the checksum of what was taken."""
        for candidate in (source, *self._remembered(source, wanted)):
            if not is_file(candidate):
                continue
            try:
                shutil.copyfile(candidate, audio)
            except ABSENT:
                continue
            found = sha256_of(audio)
            if wanted is None or found == wanted:
                _flush(audio)
                return found
        return None

    def _content_type_of(self, source: Path, sha256: str, *, wanted: str | None) -> str | None:
        """What the source's description says. A file in another folder has none here, but its checksum can vouch."""
        sidecar = Sidecar.find(source, sha256) if source.is_relative_to(self._root) else None
        if sidecar is not None:
            return sidecar.content_type
        return mimetypes.guess_type(source.name)[0] if sha256 == wanted else None

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Make the folder on first use, miss it later, and turn errors of the file system into the store's."""
        try:
            if not self._opened:
                self._root.mkdir(parents=True, exist_ok=True)
                self._opened = True
            elif not self._root.is_dir():
                raise gone(self._root)
            yield
        except OSError as error:
            vanished = error.errno == errno.ENOENT and self._opened and not self._root.is_dir()
            raise (gone(self._root) if vanished else fault_of(error, self._root)) from error

    @contextmanager
    def _arriving(self) -> Iterator[Path]:
        self._incoming.mkdir(parents=True, exist_ok=True)
        with arriving(self._incoming) as path:
            yield path

    def _reveal(self, audio: Path, key: str, sha256: str, sidecar: Sidecar) -> StoredObject:
        """Put the sidecar, then the audio in place: at no moment is there audio without its description."""
        target, size = self._path(key), audio.stat().st_size
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise NameTakenError(target.parent.as_uri()) from None
        with one_writer(target.parent):
            occupant = self.occupant(key)
            found = standing(occupant, sidecar.metadata, sha256)
            if found is Standing.NEWER and self._remembers:
                if occupant is not None and occupant.sha256 != sha256:
                    self._describe(key, sha256, sidecar)
                history.keep(self._root, audio, sha256)
            elif found in REPLACEABLE:
                self._describe(key, sha256, sidecar)
                _show(audio, target, is_free=found is Standing.FREE)
            else:
                raise NameTakenError(target.as_uri())
        if found is not Standing.NEWER and self._remembers:
            history.remember(self._root, target, sha256)
        return StoredObject(key, self.uri(key), size, sha256, sidecar.content_type, dict(sidecar.metadata))

    def _describe(self, key: str, sha256: str, sidecar: Sidecar) -> None:
        with self._arriving() as description:
            sidecar.write(description)
            path = self._sidecar_path(key, sha256)
            path.parent.mkdir(parents=True, exist_ok=True)
            description.replace(path)

    def _sidecar_path(self, key: str, sha256: str) -> Path:
        """In this store; beside the file itself where a link leads out of it, so that others find it by any path."""
        file = _real(self._path(key))
        home = self._root if file.is_relative_to(self._root) else file.parent
        return Sidecar.path(home / OWN_FOLDER / SIDECARS, file.relative_to(home).as_posix(), sha256)

    def _described(self, key: str, size: int, sha256: str) -> StoredObject:
        sidecar = Sidecar.find(_real(self._path(key)), sha256)
        if sidecar is None:
            return StoredObject(key, self.uri(key), size, sha256, UNKNOWN_TYPE, {}, known=False)
        return StoredObject(key, self.uri(key), size, sha256, sidecar.content_type, dict(sidecar.metadata))

    def _sweep(self) -> None:
        """Remove what processes left behind that died while writing."""
        dead_before = time.time() - STALE_SECONDS
        for path in self._incoming.glob(f".*{PARTIAL_SUFFIX}"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < dead_before:
                    path.unlink()
        history.forget(self._root)


def _real(path: Path) -> Path:
    """The path without links among its folders; the name itself is not followed."""
    return path.parent.resolve() / path.name


def _show(audio: Path, target: Path, *, is_free: bool) -> None:
    if not is_free:
        audio.replace(target)
        return
    try:
        give_name(audio, target)
    except FileExistsError:  # another program was quicker
        raise NameTakenError(target.as_uri()) from None


def _flush(path: Path) -> None:
    """Sync the content to disk before its storage is reported."""
    with path.open("rb") as content:
        os.fsync(content.fileno())
