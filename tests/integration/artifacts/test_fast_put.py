"""The short way to a bucket. On a refusal it leaves everything to boto3: alone, it must show that it isn't refused."""

from __future__ import annotations

import base64
import hashlib
import ssl
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.artifacts.test_s3 import PREFIX, configure
from tests.servers.certificate import self_signed
from tests.servers.s3 import Bucket
from tests.servers.swift import Swift
from tests.unit.artifacts.test_conformance import read_back
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.s3.client import new_client, new_session
from worker.artifacts.s3.fast_put import FastPut, open_fast_put
from worker.artifacts.s3.store import S3Store, open_bucket
from worker.concurrency.futures import run_here
from worker.concurrency.reactor import Reactor


@pytest.fixture
def lane(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastPut]:
    """To the bucket."""
    configure(monkeypatch, s3.server)
    session = new_session(s3.name)
    client = new_client(s3.name, connections=2, session=session)
    opened = open_fast_put(session, client, s3.name, connections=2, reactor=Reactor())
    assert opened is not None
    with closing(client), closing(opened):
        yield opened


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[tuple[str, Path, dict[str, bytes]]]:
    """An address with TLS, its certificate, and what was put there."""
    certificate, stored = self_signed(tmp_path), dict[str, bytes]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            stored[self.path] = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}", certificate, stored
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("trusted", ["as a file", "as a folder", "not at all"])
def test_trusts_what_boto3_trusts(
    over_tls: tuple[str, Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str
) -> None:
    """`AWS_CA_BUNDLE` names a file or a folder; what speaks TLS and isn't trusted gets nothing."""
    address, certificate, stored = over_tls
    for name in ("AWS_ENDPOINT_URL", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "known")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    match trusted:
        case "as a file":
            monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        case "as a folder":
            (tmp_path / "trusted").mkdir()
            (tmp_path / "trusted" / "server.pem").write_bytes(certificate.read_bytes())
            subprocess.run(["openssl", "rehash", tmp_path / "trusted"], check=True)
            monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "trusted"))
    session = new_session("bucket")
    client = new_client("bucket", connections=1, session=session)
    lane = open_fast_put(session, client, "bucket", connections=1, reactor=Reactor())
    assert lane is not None
    with closing(client), closing(lane):
        done = [put(lane, key, b"sound", tmp_path) for key in ("a", "b")]
    assert done == [trusted != "not at all"] * 2
    assert stored == ({} if trusted == "not at all" else {"/bucket/a": b"sound", "/bucket/b": b"sound"})


def sha256_hex(content: bytes) -> str:
    """As the rows have it."""
    return hashlib.sha256(content).hexdigest()


def put(
    lane: FastPut, key: str, content: bytes, folder: Path, *, accepted: bytes | None = None, **metadata: str
) -> bool:
    """Whether the lane has stored it; `accepted` is what it should have been."""
    (folder / "source").write_bytes(content)
    wanted = content if accepted is None else accepted
    extra, most_bytes = extra_of(wanted, **metadata), len(content)
    found = run_here(lane.put(key, folder / "source", sha256=sha256_hex(wanted), extra=extra, most_bytes=most_bytes))
    assert found in {len(content), None}
    return found is not None


def put_async(store: S3Store, key: str, content: bytes, folder: Path) -> None:
    """As an attempt does."""
    (folder / "source").write_bytes(content)
    sha256 = sha256_hex(content)
    run_here(store.put_async(key, folder / "source", content_type="audio/wav", sha256=sha256, metadata={}))


def extra_of(content: bytes, **metadata: str) -> dict[str, Any]:
    """What goes along with an upload."""
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return {"ContentType": "audio/wav", "Metadata": metadata, "ChecksumSHA256": checksum}


class TestLane:
    """On each server."""

    @pytest.mark.parametrize("key", ["t/b/plain-1_2.~wav", "t/größe 1+2=3&4?%41#:@,;!*'()$.wav", "t/日本語.wav"])
    def test_stores_what_boto3_finds(self, lane: FastPut, s3: Bucket, key: str, tmp_path: Path) -> None:
        """Under any key, with everything that an upload has."""
        assert put(lane, key, b"sound", tmp_path, cost="0.0067")
        with closing(s3.client()) as client:
            answer = client.get_object(Bucket=s3.name, Key=key)
            assert answer["Body"].read() == b"sound"
        assert (answer["ContentType"], answer["Metadata"]["cost"]) == ("audio/wav", "0.0067")

    def test_leaves_alone_what_is_large(self, lane: FastPut, tmp_path: Path) -> None:
        """It would be held in memory."""
        (tmp_path / "source").write_bytes(b"sound")
        extra, sha256 = extra_of(b"sound"), sha256_hex(b"sound")
        assert run_here(lane.put("a.wav", tmp_path / "source", sha256=sha256, extra=extra, most_bytes=4)) is None

    def test_is_the_way_that_a_store_takes(self, s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that was opened by its address needs boto3 for nothing that is small enough."""
        configure(monkeypatch, s3.server)
        with closing(open_bucket(s3.name, PREFIX, connections=2)) as store:
            asked: list[str] = []
            store._client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.method))
            put_async(store, "a.wav", b"sound", tmp_path)
            assert asked == []
            assert read_back(store, "a.wav", tmp_path) == b"sound"

    def test_is_left_where_only_boto3_gets_through(
        self, s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After three refusals S3 isn't asked again."""
        configure(monkeypatch, s3.server)
        with closing(open_bucket(s3.name, PREFIX, connections=2)) as store:
            assert store._lane is not None
            store._lane._path = store._lane._path.replace(s3.name, "no-such-bucket")
            for number in range(3):
                assert store._lane is not None
                put_async(store, f"{number}.wav", b"sound", tmp_path)
                assert read_back(store, f"{number}.wav", tmp_path) == b"sound"
            assert store._lane is None

    @pytest.mark.parametrize(
        ("name", "value"), [("HTTP_PROXY", "http://127.0.0.1:9"), ("http_proxy", "http://127.0.0.1:9")]
    )
    def test_there_is_none_past_a_proxy(
        self, s3: Bucket, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        """What is to go by a proxy goes by boto3, which knows how."""
        configure(monkeypatch, s3.server)
        for variable in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv(name, value)
        session = new_session(s3.name)
        with closing(new_client(s3.name, connections=2, session=session)) as client:
            assert open_fast_put(session, client, s3.name, connections=2, reactor=Reactor()) is None


class TestStrictLane:
    """On the server that verifies."""

    @pytest.fixture
    def s3(self, swift: Swift) -> Bucket:
        """A bucket on the strict server."""
        return swift.create_bucket(f"test-{uuid.uuid4().hex}")

    def test_another_content_is_refused(self, lane: FastPut, s3: Bucket, tmp_path: Path) -> None:
        """The signature covers the content's checksum, so the store refuses any other content."""
        assert not put(lane, "a.wav", b"noise", tmp_path, accepted=b"sound")
        with closing(s3.client()) as client:
            assert client.list_objects_v2(Bucket=s3.name)["KeyCount"] == 0


@pytest.mark.parametrize(
    ("bucket", "region", "host", "path"),
    [
        ("plain", "us-east-1", "plain.s3.amazonaws.com", "/"),
        ("plain", "eu-central-1", "plain.s3.eu-central-1.amazonaws.com", "/"),
        ("with.dots", "eu-central-1", "s3.eu-central-1.amazonaws.com", "/with.dots/"),
    ],
)
def test_leads_to_the_buckets_own_region(
    monkeypatch: pytest.MonkeyPatch, bucket: str, region: str, host: str, path: str
) -> None:
    """Audio is sent where boto3 would send it, with the same region."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_DEFAULT_REGION": region, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(name, value)
    session = new_session(bucket)
    with closing(new_client(bucket, connections=1, session=session)) as client:
        lane = open_fast_put(session, client, bucket, connections=1, reactor=Reactor())
    assert lane is not None
    assert (lane._signer._host, lane._lines._connections._host, lane._path) == (host, host, path)


def test_the_check_reports_an_invalid_bucket_name(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening sends no request; only `check` reports the error."""
    configure(monkeypatch, s3.server)
    with closing(open_bucket("no bucket!", PREFIX, connections=1)) as store, pytest.raises(ArtifactsError):
        store.check()
