"""Audio in a bucket of any S3, through one boto3 client that all threads share. What is large streams; only small
objects are held whole, and they have a short way of their own (`s3_lane`).

Two checks guard an upload: the caller's SHA-256 travels along for the store to compare (AWS, MinIO, Swift and current
SeaweedFS do), and the signature covers that hash, or the hash of what boto3 sends, which every S3 verifies.
Weakness: above `MULTIPART_BYTES` the caller's SHA-256 is compared here, before the parts are sent with their own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import structlog
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from worker.artifacts.addresses import S3_SCHEME, bucket_and_prefix
from worker.artifacts.errors import ArtifactsError, ArtifactsFault, NameTakenError
from worker.artifacts.keys import OWN_FOLDER, checked_key
from worker.artifacts.metadata import checked_metadata, from_headers, to_headers
from worker.artifacts.options import NO_OPTIONS, StoreOptions
from worker.artifacts.ownership import REPLACEABLE, Owner, standing
from worker.artifacts.partial import arriving, sha256_of
from worker.artifacts.s3.client import new_client, new_session
from worker.artifacts.s3.errors import code_of, fault_kind, fault_of, without_credentials
from worker.artifacts.s3.fast_put import FastPut, open_fast_put
from worker.artifacts.s3.listing import listed
from worker.artifacts.store import StoredObject, Wanted
from worker.concurrency.futures import wait_for
from worker.concurrency.reactor import Reactor

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

MULTIPART_BYTES: Final = 64 * 1024 * 1024
"""From this size on an upload goes in parts of this size, for proxies that limit a body and lines that break."""
BLOCK_BYTES: Final = 1024 * 1024
IN_MEMORY_BYTES: Final = 2 * 1024 * 1024
"""Audio up to this size (45 s of speech) takes the short way, or is handed to boto3 whole."""

HEADS: Final = 1_000
"""Up to this number, objects are checked one by one, with checksums; beyond it they are listed, with sizes."""
HEADS_AT_PER_TIME: Final = 16

log = structlog.get_logger("ttsq.artifacts")

_ABSENT: Final = frozenset({"NoSuchKey", "NotFound", "404"})
_NO_SUCH_PART: Final = frozenset({"InvalidRange", "416"})
_NOT_OURS: Final = frozenset(
    {"NoSuchBucket", "AccessDenied", "403", "PermanentRedirect", "301", "InvalidBucketName", "400"}
)
"""What is said of a bucket that isn't there, isn't for us, or lies in another region."""
_CHANGED: Final = frozenset({"PreconditionFailed", "412"})


def open_bucket(
    bucket: str,
    prefix: str,
    *,
    connections: int,
    options: StoreOptions = NO_OPTIONS,
    reactor: Reactor | None = None,
) -> S3Store:
    """The store below `prefix`, with a pool of `connections` connections. Raises ArtifactsError: boto3's configuration
    is unusable.
    """
    session = new_session(bucket)
    client = new_client(bucket, connections=connections, session=session)
    board = reactor or Reactor()
    lane = open_fast_put(session, client, bucket, connections=connections, reactor=board)
    return S3Store(client, bucket, prefix, options=options, lane=lane, reactor=board)


class S3Store:
    """An `ArtifactStore` in one bucket, below one prefix."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str,
        *,
        multipart_bytes: int = MULTIPART_BYTES,
        options: StoreOptions = NO_OPTIONS,
        lane: FastPut | None = None,
        reactor: Reactor | None = None,
    ) -> None:
        """`lane` is the short way to the bucket, where it has one."""
        self._reactor = reactor or Reactor()
        self.url = f"{S3_SCHEME}{bucket}/{prefix}".rstrip("/")
        self._client = client
        self._bucket = bucket
        self._options = options
        self._lane = lane
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint = without_credentials(client.meta.endpoint_url)
        self._transfer = TransferConfig(
            multipart_threshold=multipart_bytes, multipart_chunksize=multipart_bytes, use_threads=False
        )

    def uri(self, key: str) -> str:
        return f"{S3_SCHEME}{self._bucket}/{self._key(key)}"

    def check(self) -> None:
        """A small object is written and removed; the look-up of a key that never exists shows that absence is seen."""
        probe = f"{self._prefix}{OWN_FOLDER}/check"
        with self._asking():
            extra = self._options.asked({})
            self._client.put_object(Bucket=self._bucket, Key=probe, Body=b"ttsq", ContentType="text/plain", **extra)
            self._headers(f"{self._prefix}{OWN_FOLDER}/absent")
            self._client.delete_object(Bucket=self._bucket, Key=probe)

    def forecast(self) -> None:
        self.check()

    def put(
        self, key: str, source: Path, *, content_type: str, sha256: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        size = source.stat().st_size
        extra = self._extra(content_type, sha256, metadata)
        self._refuse_taken(key, metadata, sha256)
        with self._asking():
            if size < self._transfer.multipart_threshold:
                self._put_whole(key, source, sha256, extra)
            else:
                self._put_in_parts(key, source, sha256, extra)
        return StoredObject(key, self.uri(key), size, sha256, content_type, dict(metadata))

    async def put_async(
        self, key: str, source: Path, *, content_type: str, sha256: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        lane = self._lane
        if lane is not None and not self._may_be_taken(key, metadata):
            extra = self._extra(content_type, sha256, metadata) | _checksum(sha256)
            size = await lane.put(self._key(key), source, sha256=sha256, extra=extra, most_bytes=IN_MEMORY_BYTES)
            if size is not None:
                return StoredObject(key, self.uri(key), size, sha256, content_type, dict(metadata))
        put = partial(self.put, key, source, content_type=content_type, sha256=sha256, metadata=metadata)
        stored = await wait_for(self._reactor.offload(put))
        if lane is not None and lane.is_useless and self._lane is not None:
            self._lane = None
            lane.close()
            log.info("s3_lane_left", bucket=self._bucket, note="this S3 takes objects only by boto3's own way")
        return stored

    def _extra(self, content_type: str, sha256: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        described = {"ContentType": content_type, "Metadata": _stored_metadata(metadata, sha256)}
        return described | self._options.asked(metadata)

    def head(self, key: str) -> StoredObject | None:
        with self._asking():
            headers = self._headers(self._key(key))
        return self._described(key, headers) if headers else None

    def occupant(self, key: str) -> StoredObject | None:
        return self.head(key)

    def keys_in(self, folder: str) -> list[str]:
        prefix = f"{self._key(folder)}/"
        with self._asking():
            listing = self._client.get_paginator("list_objects_v2")
            pages = listing.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
            names = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return [name.removeprefix(self._prefix) for name in names]

    def unsound(self, wanted: Sequence[Wanted]) -> dict[str, StoredObject | None]:
        if len(wanted) <= HEADS:
            return self._unsound_by_head(wanted)
        with self._asking():
            found = listed(self._client, self._bucket, self._prefix, [one.key for one in wanted])
        absent = [one for one in wanted if one.key not in found.sizes]
        changed = [one for one in wanted if one.size not in {None, found.sizes.get(one.key, one.size)}]
        if found.is_complete:
            return self._unsound_by_head(changed) | dict.fromkeys(one.key for one in absent)
        return self._unsound_by_head([*changed, *absent])

    def _unsound_by_head(self, wanted: Sequence[Wanted]) -> dict[str, StoredObject | None]:
        with ThreadPoolExecutor(HEADS_AT_PER_TIME, thread_name_prefix="ttsq-verify") as pool:
            found = pool.map(lambda one: self.head(one.key), wanted)
            return {one.key: it for one, it in zip(wanted, found, strict=True) if it is None or it.sha256 != one.sha256}

    def copy(
        self, source_uri: str, key: str, *, metadata: Mapping[str, str], sha256: str | None = None
    ) -> StoredObject | None:
        source = bucket_and_prefix(source_uri)
        if source is None:
            return None
        with self._asking():
            headers = self._headers_of_source(*source)
            found = from_headers(headers["Metadata"]).get("sha256") if headers else None
            if not headers or not found or found != (sha256 or found):
                return None
            self._refuse_taken(key, metadata, found)
            if not self._copied(source, key, headers, found, metadata):
                return None
        size, content_type = headers["ContentLength"], headers["ContentType"]
        return StoredObject(key, self.uri(key), size, found, content_type, dict(metadata))

    def fetch(self, key: str, into: Path, *, sha256: str | None = None) -> StoredObject | None:
        with self._asking(), arriving(into.parent) as copy:
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key))
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                raise
            found, digest = self._described(key, answer), hashlib.sha256()
            if sha256 is not None and found.sha256 != sha256:
                answer["Body"].close()
                return None
            with copy.open("wb") as target:
                for block in answer["Body"].iter_chunks(BLOCK_BYTES):
                    digest.update(block)
                    target.write(block)
            if found.sha256 not in {None, digest.hexdigest()}:
                raise self._damaged(f"{found.uri} is not the audio that was stored there")
            copy.replace(into)
        return found

    def key_of(self, uri: str) -> str | None:
        place = bucket_and_prefix(uri)
        if place is None or place[0] != self._bucket or not place[1].startswith(self._prefix):
            return None
        try:
            return checked_key(place[1].removeprefix(self._prefix))
        except ValueError:
            return None

    def read(
        self, key: str, *, start: int = 0, length: int | None = None, sha256: str | None = None
    ) -> Iterator[bytes] | None:
        asked: Any = {} if (start, length) == (0, None) else {"Range": _range(start, length)}
        with self._asking():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key), **asked)
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                if code_of(error) in _NO_SUCH_PART:
                    return iter(())
                raise
        if sha256 is not None and self._described(key, answer).sha256 != sha256:
            answer["Body"].close()
            return None
        return self._blocks(answer["Body"]) if length != 0 else iter(())

    def _blocks(self, body: StreamingBody) -> Iterator[bytes]:
        with self._asking(), closing(body):
            yield from body.iter_chunks(BLOCK_BYTES)

    def link(self, key: str, *, seconds: int, name: str | None = None) -> str | None:
        asked = {"Bucket": self._bucket, "Key": self._key(key)}
        if name is not None:
            asked["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        with self._asking():
            return self._client.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds)

    def delete(
        self,
        key: str,
        *,
        sha256: str | None = None,  # noqa: ARG002 - not every S3 has conditions
        forget: bool = True,  # noqa: ARG002 - a bucket remembers nothing
    ) -> None:
        with self._asking():
            self._client.delete_object(Bucket=self._bucket, Key=self._key(key))

    def forget(self, key: str, sha256: str) -> None:
        """A bucket remembers nothing that was replaced."""

    def close(self) -> None:
        self._client.close()
        if self._lane is not None:
            self._lane.close()

    def _key(self, key: str) -> str:
        return self._prefix + checked_key(key)

    def _may_be_taken(self, key: str, metadata: Mapping[str, str]) -> bool:
        """Whether anybody else could have this key. One that names its own job or batch costs no look."""
        owner = Owner.of(metadata)
        return owner.is_named and not owner.is_in(key)

    def _refuse_taken(self, key: str, metadata: Mapping[str, str], sha256: str) -> None:
        if self._may_be_taken(key, metadata) and standing(self.head(key), metadata, sha256) not in REPLACEABLE:
            raise NameTakenError(self.uri(key))

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Turn boto3's errors into the store's."""
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise fault_of(error, bucket=self._bucket, endpoint=self._endpoint) from error

    def _put_whole(self, key: str, source: Path, sha256: str, extra: dict[str, Any]) -> None:
        extra |= _checksum(sha256)
        try:
            if source.stat().st_size <= IN_MEMORY_BYTES:
                # A file for a body would make botocore ask first (Expect: 100-continue) and send in small pieces.
                self._client.put_object(Bucket=self._bucket, Key=self._key(key), Body=source.read_bytes(), **extra)
            else:
                with source.open("rb") as body:
                    self._client.put_object(Bucket=self._bucket, Key=self._key(key), Body=body, **extra)
        except ClientError as error:
            if fault_kind(error) is ArtifactsFault.BAD_CHECKSUM:
                self._refuse_changed(source, sha256)
            raise

    def _put_in_parts(self, key: str, source: Path, sha256: str, extra: dict[str, Any]) -> None:
        self._refuse_changed(source, sha256)
        with source.open("rb") as body:
            self._client.upload_fileobj(body, self._bucket, self._key(key), ExtraArgs=extra, Config=self._transfer)

    def _refuse_changed(self, source: Path, sha256: str) -> None:
        if sha256_of(source) != sha256:
            raise self._damaged(f"the audio for {self.url} isn't the one that was accepted; nothing was stored")

    def _copied(
        self,
        source: tuple[str, str],
        key: str,
        headers: HeadObjectOutputTypeDef,
        sha256: str,
        metadata: Mapping[str, str],
    ) -> bool:
        """Whether the very version that `headers` describe was copied. `source` is a bucket and a key."""
        extra = self._options.asked(metadata)
        if "Tagging" in extra:
            extra["TaggingDirective"] = "REPLACE"
        try:
            self._client.copy_object(
                Bucket=self._bucket,
                Key=self._key(key),
                CopySource={"Bucket": source[0], "Key": source[1]},
                CopySourceIfMatch=headers["ETag"],
                MetadataDirective="REPLACE",
                ContentType=headers["ContentType"],
                Metadata=_stored_metadata(metadata, sha256),
                **extra,
            )
        except ClientError as error:
            if code_of(error) in _ABSENT | _CHANGED or (source[0] != self._bucket and code_of(error) in _NOT_OURS):
                return False
            raise
        return True

    def _headers_of_source(self, bucket: str, key: str) -> HeadObjectOutputTypeDef | None:
        """What HEAD says of an object that may lie in another bucket of the same S3, if it can be read from here."""
        if bucket == self._bucket:
            return self._headers(key)
        try:
            return self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if code_of(error) in _ABSENT | _NOT_OURS:
                return None
            raise

    def _headers(self, key: str) -> HeadObjectOutputTypeDef | None:
        """Return what HEAD says of an object, or None. HEAD answers alike for an absent bucket, which is an error."""
        try:
            return self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if code_of(error) not in _ABSENT:
                raise
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            if code_of(error) in _ABSENT:
                error.response["Error"]["Code"] = "NoSuchBucket"
            raise
        return None

    def _described(self, key: str, headers: HeadObjectOutputTypeDef | GetObjectOutputTypeDef) -> StoredObject:
        metadata = from_headers(headers["Metadata"])
        sha256 = metadata.pop("sha256", None)
        size, content_type = headers["ContentLength"], headers.get("ContentType", "application/octet-stream")
        return StoredObject(key, self.uri(key), size, sha256, content_type, metadata, known=sha256 is not None)

    def _damaged(self, message: str) -> ArtifactsError:
        return ArtifactsError(ArtifactsFault.BAD_CHECKSUM, message)


def _checksum(sha256: str) -> dict[str, str]:
    return {"ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode()}


def _stored_metadata(metadata: Mapping[str, str], sha256: str) -> dict[str, str]:
    return {**to_headers(checked_metadata(metadata)), "sha256": sha256}


def _range(start: int, length: int | None) -> str:
    """A part of no length can't be asked for: its first byte stands in."""
    return f"bytes={start}-" if length is None else f"bytes={start}-{start + max(1, length) - 1}"
