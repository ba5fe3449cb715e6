"""The short way for what is stored most: one small object whose SHA-256 is known.

boto3 knows where it goes and with whose keys; the request itself leaves without what boto3 does around every call,
which costs more than all else that is done for a job. Whatever doesn't end in a plain "stored" is boto3's to judge.
"""

from __future__ import annotations

import ssl
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from worker.artifacts.s3.client import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from worker.artifacts.s3.sigv4 import Signer
from worker.concurrency.futures import resolved, wait_for
from worker.concurrency.reactor import Reactor
from worker.http_client.client import HttpClient
from worker.http_client.pool import tls_trusting
from worker.http_client.requests import OutgoingFile

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client

HEADERS: Final = {
    "ContentType": "content-type",
    "ChecksumSHA256": "x-amz-checksum-sha256",
    "StorageClass": "x-amz-storage-class",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "Tagging": "x-amz-tagging",
}
"""As boto3 calls them, and as they travel. Metadata has a header a name besides."""
SAFE: Final = "/~"
"""What boto3 leaves as it is in a key, beyond letters, digits and `_.-`."""
_PLACE: Final = "ttsq"
"""A key whose address shows where all others are."""
_SIGNED_OTHERWISE: Final = "--x-s3"
"""The end of a directory bucket's name, whose requests are signed in sessions."""
_MOST_REFUSALS: Final = 3
"""After this number of refusals in a row, the store needs something that the fast path does not send."""
_PASSING: Final = frozenset({408, 429})
"""Of the 4xx, what says nothing about the request itself. 5xx and broken connections say nothing either."""
_PROXIES: Final = frozenset({"http", "https", "all"})
"""As the environment names them; what it excepts from them stands beside these."""
_GLOBAL_HOST: Final = "s3.amazonaws.com"
"""Where boto3's links lead, whatever the region."""


class AsyncSemaphore:
    """Its waiters hold no thread; first come, first served. Thread-safe."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    def acquire(self) -> Future[None]:
        with self._lock:
            if self._free:
                self._free -= 1
                return resolved(None)
            future: Future[None] = Future()
            self._waiting.append(future)
            return future

    def release(self) -> None:
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            future = self._waiting.popleft()
        future.set_result(None)


class FastPut:
    """To one bucket. Safe to share between threads."""

    def __init__(
        self, path: str, signer: Signer, lines: HttpClient, *, most: int, answer_seconds: float = READ_TIMEOUT_SECONDS
    ) -> None:
        """`path` is the quoted prefix of keys; at most `most` uploads run at a time."""
        self._answer_seconds = answer_seconds
        self._path = path
        self._signer = signer
        self._lines = lines
        self._permits = AsyncSemaphore(most)
        self._refusals = 0

    @property
    def is_useless(self) -> bool:
        """Whether this S3 has refused what came this way again and again."""
        return self._refusals >= _MOST_REFUSALS

    async def put(
        self, key: str, source: Path, *, sha256: str, extra: Mapping[str, Any], most_bytes: int
    ) -> int | None:
        """The size of what is stored now. None leaves open what came of it; nothing is tried with more than so much.
        Raises OSError: the source can't be read.
        """
        await wait_for(self._permits.acquire())
        try:
            body = OutgoingFile(source)
            if len(body) > most_bytes:
                return None
            status = await self._status(self._path + quote(key, safe=SAFE), body, sha256, _headers(extra))
        finally:
            self._permits.release()
        if status == 200:
            self._refusals = 0
        elif 300 <= status < 500 and status not in _PASSING:
            self._refusals += 1
        return len(body) if status == 200 else None

    async def _status(self, target: str, body: OutgoingFile, sha256: str, headers: Mapping[str, str]) -> int:
        """What the S3 answers; zero where it doesn't."""
        try:
            exchange = await self._lines.exchange(
                "PUT",
                target,
                self._signer.signed(target, headers, sha256=sha256),
                body=body,
                connect_seconds=CONNECT_TIMEOUT_SECONDS,
                read_seconds=self._answer_seconds,
                send_seconds=READ_TIMEOUT_SECONDS,
            )
            with exchange as answer:
                answer.read()  # to its end, which frees the connection; a store has no reason to say much
                return answer.status
        except (BotoCoreError, HTTPError, HTTPException, OSError):
            return 0

    def close(self) -> None:
        self._lines.close()


def open_fast_put(
    session: Session, client: S3Client, bucket: str, *, connections: int, reactor: Reactor
) -> FastPut | None:
    """The lane to a bucket; None where requests go by a proxy, are signed otherwise, or aren't signed at all.

    What is wrong with the bucket or the credentials is left to boto3's first request, which explains it.
    """
    try:
        return _opened(session, client, bucket, connections, reactor)
    except (BotoCoreError, ClientError):
        return None


def _opened(session: Session, client: S3Client, bucket: str, connections: int, reactor: Reactor) -> FastPut | None:
    credentials = session.get_credentials()
    meta, config = client.meta, _config(client)
    if credentials is None or config.signature_version != "s3v4" or bucket.endswith(_SIGNED_OTHERWISE):
        return None
    if bucket.startswith("arn:") or config.proxies or _PROXIES & get_environ_proxies(meta.endpoint_url).keys():
        return None
    link = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": _PLACE})
    place = _regional(link.partition("?")[0].removesuffix(_PLACE), meta.endpoint_url)
    url = parse_url(place)
    if url.host is None:
        return None
    signer = Signer(credentials, meta.region_name, url.netloc or url.host)
    tls = _tls(session) if url.scheme == "https" else None
    lines = HttpClient(url.host, url.port, connections=connections, reactor=reactor, tls=tls)
    return FastPut(url.path or "/", signer, lines, most=connections)


def _tls(session: Session) -> ssl.SSLContext:
    bundle = session._session.get_config_variable("ca_bundle")  # noqa: SLF001 - boto3 shows its settings in no other way
    return tls_trusting(Path(get_cert_path(bundle or True) or ""))


def _regional(place: str, endpoint: str) -> str:
    """The address in the bucket's own region, as boto3 sends requests: a link may lead to another one first."""
    host = parse_url(endpoint).host or ""
    return place.replace(_GLOBAL_HOST, host, 1) if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else place


def _config(client: S3Client) -> Any:  # noqa: ANN401 - its stubs leave out what it holds
    return client.meta.config


def _headers(extra: Mapping[str, Any]) -> dict[str, str]:
    metadata = {f"x-amz-meta-{name}": value for name, value in extra["Metadata"].items()}
    return {HEADERS[name]: value for name, value in extra.items() if name != "Metadata"} | metadata
