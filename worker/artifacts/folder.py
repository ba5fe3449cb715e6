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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from worker.artifacts.addresses import path_of
from worker.artifacts.errors import ArtifactsError, ArtifactsTrouble
from worker.artifacts.folder_faults import fault_of, gone
from worker.artifacts.hindsight import forget, forget_content, remember, remembered
from worker.artifacts.keys import OWN_FOLDER, checked_key
from worker.artifacts.metadata import checked_metadata
from worker.artifacts.partial import PARTIAL_SUFFIX, arriving, sha256_of
from worker.artifacts.sidecar import Sidecar
from worker.artifacts.store import StoredObject
from worker.waiting.awaiting import until
from worker.waiting.switchboard import Switchboard

STALE_SECONDS: Final = 24 * 3600
"""A file still on its way after this long belongs to a process that died."""
BLOCK_BYTES: Final = 256 * 1024
WRITERS: Final = 3
"""Files written at a time. A disk does more of them no sooner, and all would be late instead of the last ones."""
_ABSENT: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class FolderStore:
    """An `ArtifactStore` below one folder, which is created when the store is first used and never again."""

    def __init__(self, root: Path, switchboard: Switchboard | None = None) -> None:
        """`root` is absolute."""
        self._switchboard = switchboard or Switchboard()
        self.url = root.as_uri()
        self._root = root
        self._incoming = root / OWN_FOLDER / "incoming"
        self._sidecars = root / OWN_FOLDER / "sidecars"
        self._opened = False
        self._writers = threading.BoundedSemaphore(WRITERS)

    def uri(self, key: str) -> str:
        return self._path(key).as_uri()

    def check(self) -> None:
        with self._using(), self._arriving() as probe:
            probe.write_bytes(b"ttsq" * 1024)
            visible = self._root / f"{OWN_FOLDER}-check-{probe.name}"
            probe.replace(visible)
            visible.unlink()
            self._sweep()

    def put(
        self, key: str, source: Path, *, content_type: str, sha256: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        target, sidecar = self._path(key), Sidecar(content_type, checked_metadata(metadata))
        source.stat()  # A source that can't be read is the caller's trouble, not the folder's.
        with self._using(), self._arriving() as audio:
            with self._writers:
                shutil.copyfile(source, audio)
                if sha256_of(audio) != sha256:
                    raise ArtifactsError(
                        ArtifactsTrouble.BAD_CHECKSUM,
                        f"the audio for {target} isn't the one that was accepted; nothing was stored",
                    )
            _flush(audio)  # as many at once as there are: the file system makes one of them
            with self._writers:
                return self._reveal(audio, target, key, sha256, sidecar)

    async def putting(
        self, key: str, source: Path, *, content_type: str, sha256: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        put = partial(self.put, key, source, content_type=content_type, sha256=sha256, metadata=metadata)
        return await until(self._switchboard.elsewhere(put))

    def head(self, key: str) -> StoredObject | None:
        with self._using():
            try:
                size, sha256 = self._path(key).stat().st_size, sha256_of(self._path(key))
            except _ABSENT:
                return None
            return self._described(key, size, sha256, Sidecar.read(Sidecar.path(self._sidecars, key, sha256)))

    def copy(
        self, source_uri: str, key: str, *, metadata: Mapping[str, str], sha256: str | None = None
    ) -> StoredObject | None:
        target, source = self._path(key), path_of(source_uri)
        if source is None:
            return None
        with self._using(), self._arriving() as audio:
            found = self._taken(source, audio, sha256)
            content_type = self._content_type_of(source, found, wanted=sha256) if found else None
            if found is None or content_type is None:
                return None
            return self._reveal(audio, target, key, found, Sidecar(content_type, checked_metadata(metadata)))

    def fetch(self, key: str, into: Path) -> StoredObject | None:
        with self._using():
            if not self._path(key).is_file():
                return None
        with arriving(into.parent) as copy:
            shutil.copyfile(self._path(key), copy)
            size, sha256 = copy.stat().st_size, sha256_of(copy)
            copy.replace(into)
        return self._described(key, size, sha256, Sidecar.read(Sidecar.path(self._sidecars, key, sha256)))

    def key_of(self, uri: str) -> str | None:
        return self._key_of(uri)

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes] | None:
        with self._using():
            try:
                content = self._path(key).open("rb")
            except _ABSENT:
                return None
        return self._blocks(content, start, length)

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

    def delete(self, key: str) -> None:
        with self._using(), suppress(*_ABSENT):
            sha256 = sha256_of(self._path(key))
            self._path(key).unlink()
            forget_content(self._root, sha256)
            Sidecar.path(self._sidecars, key, sha256).unlink()

    def close(self) -> None:
        """A folder holds nothing open."""

    def _taken(self, source: Path, audio: Path, wanted: str | None) -> str | None:
        """Copy the source, or what the folders remember of it; gives the checksum of what was taken."""
        for candidate in (source, *remembered(source, wanted), *remembered(self._root / "here", wanted)):
            try:
                shutil.copyfile(candidate, audio)
            except _ABSENT:
                continue
            found = sha256_of(audio)
            if wanted is None or found == wanted:
                _flush(audio)
                return found
        return None

    def _content_type_of(self, source: Path, sha256: str, *, wanted: str | None) -> str | None:
        """What the source's description says. A file in another folder has none here, but its checksum can vouch."""
        key = self._key_of(source.as_uri())
        sidecar = Sidecar.read(Sidecar.path(self._sidecars, key, sha256)) if key else None
        if sidecar is not None:
            return sidecar.content_type
        return mimetypes.guess_type(source.name)[0] if sha256 == wanted else None

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _key_of(self, uri: str) -> str | None:
        path = path_of(uri)
        if path is None or not path.is_relative_to(self._root):
            return None
        try:
            return checked_key(path.relative_to(self._root).as_posix())
        except ValueError:
            return None

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

    def _reveal(self, audio: Path, target: Path, key: str, sha256: str, sidecar: Sidecar) -> StoredObject:
        """Put the sidecar, then the audio in place: at no moment is there audio without its description."""
        size = audio.stat().st_size
        with arriving(self._incoming) as description:
            sidecar.write(description)
            _move(description, Sidecar.path(self._sidecars, key, sha256))
        _move(audio, target)
        remember(self._root, target, sha256)
        return self._described(key, size, sha256, sidecar)

    def _described(self, key: str, size: int, sha256: str, sidecar: Sidecar | None) -> StoredObject:
        sidecar = sidecar or Sidecar("application/octet-stream", {})
        return StoredObject(key, self.uri(key), size, sha256, sidecar.content_type, dict(sidecar.metadata))

    def _sweep(self) -> None:
        """Remove what processes left behind that died while writing."""
        dead_before = time.time() - STALE_SECONDS
        for path in self._incoming.glob(f".*{PARTIAL_SUFFIX}"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < dead_before:
                    path.unlink()
        forget(self._root)


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)


def _flush(path: Path) -> None:
    """See the content on the disk before anyone is told that it is stored."""
    with path.open("rb") as content:
        os.fsync(content.fileno())
