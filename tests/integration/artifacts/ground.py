"""Where the histories of the ownership machine take place: folders that share, nest and link, and prefixes of a bucket.

Everything is known by its address: a file's one real path, or an object's URI. Neither the database nor what a store
says of itself is asked here: contents are read as another program would read them.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.servers.places import quick_folder
from tests.servers.s3 import Bucket
from worker.artifacts.addresses import path_of
from worker.artifacts.keys import OWN_FOLDER
from worker.artifacts.s3.store import open_bucket
from worker.artifacts.store import ArtifactStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

S3: Final = "s3:"
"""Begins a name that lies in the bucket."""
FOLDERS: Final = ("out/x", "else", "down", "copies")
PREFIXES: Final = ("out", "out/x", "shared")
"""Of the bucket; the last one is the store of batches without a place of their own."""
HANDS: Final = ("new file", "same file")
"""How a program writes over a file: it puts another in its place, or changes the one that is there."""


@dataclass(slots=True)
class Bucketful:
    """A bucket, emptied after each history; its clients are slow to make, so all histories share them."""

    bucket: Bucket
    client: S3Client
    stores: dict[str, ArtifactStore]
    contents: dict[str, bytes]
    """By ETag, so that a content is read once."""

    @classmethod
    def of(cls, bucket: Bucket) -> Bucketful:
        """With a store at each prefix."""
        stores = {f"{bucket.url}/{it}": open_bucket(bucket.name, it, connections=2) for it in PREFIXES}
        return cls(bucket, bucket.client(), {**stores}, {})

    def listed(self) -> Iterator[tuple[str, str]]:
        """Each object's key and ETag."""
        for entry in self.client.list_objects_v2(Bucket=self.bucket.name).get("Contents", ()):
            yield entry["Key"], entry["ETag"]

    def read(self, key: str, etag: str) -> bytes:
        """An object's content."""
        if etag not in self.contents:
            self.contents[etag] = self.client.get_object(Bucket=self.bucket.name, Key=key)["Body"].read()
        return self.contents[etag]

    def clear(self) -> None:
        """Remove every object."""
        for key, _ in self.listed():
            self.client.delete_object(Bucket=self.bucket.name, Key=key)

    def close(self) -> None:
        """Give back the connections."""
        self.client.close()
        for store in self.stores.values():
            store.close()


class Ground:
    """One history's folders, and the bucket."""

    def __init__(self, bucketful: Bucketful) -> None:
        self.is_stirred = True
        """Whether the bucket may have changed since it was last looked at."""
        self._objects: dict[str, bytes] = {}
        self.root = Path(tempfile.mkdtemp(prefix="ttsq-owner-", dir=quick_folder()))
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True)
        (self.root / "link").symlink_to("out")
        (self.root / "out/into").symlink_to("../else")
        self._bucketful = bucketful
        self._touches_bucket = False

    def close(self) -> None:
        """Leave nothing behind."""
        if self._touches_bucket:
            self._bucketful.clear()
        shutil.rmtree(self.root)

    def url(self, place: str) -> str:
        """A batch's output URL."""
        if place.startswith(S3):
            self._touches_bucket = True
            return f"{self._bucketful.bucket.url}/{place.removeprefix(S3)}"
        return (self.root / place).resolve().as_uri()

    def address(self, name: str) -> str:
        """Of a file or an object, by a name as in `USERS`."""
        if name.startswith(S3):
            return f"{self._bucketful.bucket.url}/{name.removeprefix(S3)}"
        path = self.root / name
        return str(path.parent.resolve() / path.name)

    def name_of(self, address: str) -> str:
        """The other way round."""
        bucket = f"{self._bucketful.bucket.url}/"
        if address.startswith(bucket):
            return S3 + address.removeprefix(bucket)
        return str(Path(address).relative_to(self.root.resolve()))

    @staticmethod
    def address_of(uri: str) -> str:
        """Of what a job's row names."""
        path = path_of(uri)
        return uri if path is None else str(path.parent.resolve() / path.name)

    def save(self, name: str, content: bytes, hand: str) -> None:
        """As another program does."""
        if name.startswith(S3):
            self._touches_bucket = self.is_stirred = True
            bucket, key = self._bucketful.bucket.name, name.removeprefix(S3)
            self._bucketful.client.put_object(Bucket=bucket, Key=key, Body=content)
        else:
            path = Path(self.address(name))
            if hand == "new file":
                path.unlink(missing_ok=True)
            path.write_bytes(content)

    def remove(self, name: str) -> None:
        """As another program does."""
        if name.startswith(S3):
            self.is_stirred = True
            bucket, key = self._bucketful.bucket.name, name.removeprefix(S3)
            self._bucketful.client.delete_object(Bucket=bucket, Key=key)
        else:
            Path(self.address(name)).unlink(missing_ok=True)

    def visible(self) -> dict[str, bytes]:
        """Every content by its address, but for what the stores keep for themselves."""
        found: dict[str, bytes] = {}
        for folder in ("out", "else", "down", "copies", "store"):
            for path in (self.root / folder).rglob("*"):
                if OWN_FOLDER not in path.parts and path.is_file() and not path.is_symlink():
                    with suppress(FileNotFoundError):
                        found[str(path)] = path.read_bytes()
        if self._touches_bucket and self.is_stirred:
            listed = self._bucketful.listed()
            self._objects = {f"{self._bucketful.bucket.url}/{key}": self._bucketful.read(key, it) for key, it in listed}
        return found | self._objects


def audio_of(text: str) -> bytes:
    """What a text's speech is here: never that of another one."""
    return f"RIFF{text}".encode() * 20


def sha256_of(text: str) -> str:
    """Of that."""
    return hashlib.sha256(audio_of(text)).hexdigest()
