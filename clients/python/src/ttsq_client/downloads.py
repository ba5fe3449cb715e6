"""Brings audio to a file: whole, unchanged, or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final
from urllib.parse import urljoin, urlsplit

from ttsq_client.errors import ConnectionFailedError, IncompleteAudioError, UnexpectedResponseError
from ttsq_client.transport import Reply, Stream, Transport

MAX_REDIRECTS: Final = 3
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:[0-9]{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the gateway says about a file; None where it says nothing."""

    size: int | None
    sha256: str | None
    max_bytes: int
    """Of a file whose size is not known."""


@dataclass(slots=True)
class _Draft:
    """The part that has arrived. It is kept over attempts, so that a broken download resumes."""

    file: IO[bytes]
    expected: Expected
    size: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def is_whole(self) -> bool:
        return self.expected.size is not None and self.size == self.expected.size

    def add(self, part: bytes) -> None:
        limit = self.expected.max_bytes if self.expected.size is None else self.expected.size
        if self.size + len(part) > limit:
            raise IncompleteAudioError(f"the audio is longer than the {limit:,} bytes that it should have")
        self.file.write(part)
        self.digest.update(part)
        self.size += len(part)

    def restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.size, self.digest = 0, hashlib.sha256()

    def check(self) -> None:
        if self.expected.size is not None and self.size != self.expected.size:
            raise IncompleteAudioError(f"{self.size:,} of {self.expected.size:,} bytes arrived")
        if self.expected.sha256 is not None and self.digest.hexdigest() != self.expected.sha256:
            raise IncompleteAudioError("the checksum of the audio is another than the gateway's")


def download(transport: Transport, path: str, target: Path, expected: Expected) -> None:
    """Write what is at `path` of the gateway to `target`, which is replaced at the end or left as it was.

    Raises:
        IncompleteAudioError: it did not arrive whole and unchanged, also when repeated.
        OSError: the file cannot be written.
    """
    with _beside(target) as file:
        draft = _Draft(file, expected)

        def once() -> Reply:
            if not draft.is_whole:
                _fetch(transport, transport.address.url(path), draft, with_key=True, hops=0)
            return Reply(200, {}, b"")

        transport.attempts(once, repeatable=True)
        draft.check()
        file.flush()
        os.fsync(file.fileno())


def _fetch(transport: Transport, url: str, draft: _Draft, *, with_key: bool, hops: int) -> None:
    headers = {"Accept": "*/*"} | ({"Range": f"bytes={draft.size}-"} if draft.size else {})
    with _opened(transport, url, headers, with_key=with_key) as stream:
        if stream.status not in REDIRECTS:
            _receive(stream, draft)
            return
        following = _redirect(url, stream.headers, hops)
    # The key is for the gateway: no other origin receives it, also not on the way back.
    with_key = with_key and transport.address.is_same_origin(following)
    _fetch(transport, following, draft, with_key=with_key, hops=hops + 1)


@contextmanager
def _opened(transport: Transport, url: str, headers: Mapping[str, str], *, with_key: bool) -> Iterator[Stream]:
    try:
        with transport.open("GET", url, headers=headers, with_key=with_key) as stream:
            yield stream
    except UnexpectedResponseError as error:
        if with_key:
            raise
        # A store's own error page: the address may have expired, and the gateway makes a new one.
        message = f"the audio store answered HTTP {error.status}"
        raise ConnectionFailedError(message, possibly_sent=True) from None


def _receive(stream: Stream, draft: _Draft) -> None:
    if stream.status == 206:
        found = _CONTENT_RANGE.fullmatch(stream.headers.get("content-range", "").strip())
        if found is None or int(found[1]) != draft.size:
            draft.restart()
            raise ConnectionFailedError("another part of the audio was sent than asked for", possibly_sent=True)
    elif stream.status == 200:
        draft.restart()
    else:
        raise UnexpectedResponseError(f"HTTP {stream.status} is no audio", status=stream.status)
    for part in stream.parts():
        draft.add(part)


def _redirect(url: str, headers: Mapping[str, str], hops: int) -> str:
    """Return the address that follows. Its errors show no address: a signed one is a secret."""
    if hops >= MAX_REDIRECTS:
        raise UnexpectedResponseError("the audio's address leads from one to the next without an end")
    try:
        following = urljoin(url, headers.get("location", ""))
        parts = urlsplit(following)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or not following.isascii() or any(character.isspace() for character in following):
        raise UnexpectedResponseError("the audio's address leads to none of a web server")
    if parts.username is not None or (urlsplit(url).scheme == "https" and parts.scheme == "http"):
        raise UnexpectedResponseError("the audio's address leads to an unencrypted one, or one with a password")
    return following


@contextmanager
def _beside(target: Path) -> Iterator[IO[bytes]]:
    """Open a new file beside the target, which replaces it at the end of the block or is removed."""
    draft = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    try:
        with draft.open("xb+") as file:
            yield file
        draft.replace(target)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
