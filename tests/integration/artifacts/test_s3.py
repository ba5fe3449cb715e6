"""Audio in a bucket, against real servers: the conformance suite, and what only an S3 can get wrong."""

from __future__ import annotations

import hashlib
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers.ports import free_port
from tests.servers.s3 import Bucket, S3Server
from tests.servers.swift import Swift
from tests.unit.artifacts.test_conformance import ChecksumConformance, StoreConformance, read_back, store_bytes
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.factory import open_store
from worker.artifacts.s3.client import new_client, new_session
from worker.artifacts.s3.store import S3Store
from worker.artifacts.store import ArtifactStore

PREFIX = "pre fix/größe"
FIVE_MIB = 5 * 1024 * 1024
"""The least that an S3 takes as a part that isn't the last."""


def configure(monkeypatch: pytest.MonkeyPatch, server: S3Server, **changes: str) -> None:
    """Point boto3 at the server in the way a user does."""
    for name, value in {**server.environment(), **changes}.items():
        monkeypatch.setenv(name, value)


def calls_of(store: ArtifactStore, folder: Path) -> list[Callable[[], object]]:
    """Every call that asks something of the store."""
    return [
        store.check,
        lambda: store_bytes(store, "a.wav", b"sound", folder),
        lambda: store.head("a.wav"),
        lambda: store.fetch("a.wav", folder / "into"),
        lambda: store.copy(store.uri("a.wav"), "b.wav", metadata={}),
        lambda: store.delete("a.wav"),
    ]


@pytest.fixture
def store(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArtifactStore]:
    """A store below a prefix of an empty bucket, once on each server."""
    configure(monkeypatch, s3.server)
    with closing(open_store(f"{s3.url}/{PREFIX}")) as opened:
        yield opened


class TestS3(StoreConformance):
    """The suite against each S3 server."""

    @pytest.fixture
    def neighbour(self, s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArtifactStore]:
        """A store in another bucket of the same server."""
        configure(monkeypatch, s3.server)
        other = s3.server.create_bucket(f"test-{uuid.uuid4().hex}")
        with closing(open_store(f"{other.url}/{PREFIX}")) as opened:
            yield opened

    def test_a_link_opens_the_object_for_anybody(self, store: ArtifactStore, tmp_path: Path) -> None:
        """It needs no credentials, and sets the file name for the download."""
        store_bytes(store, "t/größe 1.wav", b"sound", tmp_path)
        link = store.link("t/größe 1.wav", seconds=60, name="größe 1.wav")
        assert link is not None
        with urllib.request.urlopen(link, timeout=10) as answer:
            assert answer.read() == b"sound"
            assert "gr%C3%B6%C3%9Fe%201.wav" in answer.headers["content-disposition"]


class TestStrictS3(ChecksumConformance):
    """What only a server that verifies can show."""

    @pytest.fixture
    def s3(self, swift: Swift) -> Bucket:
        """A bucket on the strict server."""
        return swift.create_bucket(f"test-{uuid.uuid4().hex}")

    def test_a_wrong_secret_is_found_by_the_check(self, s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is distinguished from missing rights, and the message names the remedy but never the secret."""
        wrong = "wr0ng-s3cret-of-s0me-length"
        configure(monkeypatch, s3.server, AWS_SECRET_ACCESS_KEY=wrong)
        with closing(open_store(s3.url)) as store, pytest.raises(ArtifactsError, match=s3.name) as caught:
            store.check()
        error = caught.value
        assert (error.code, error.transient) == ("bad_credentials", False)
        assert "AWS_SECRET_ACCESS_KEY" in error.message
        assert not any(secret in f"{error!r}{error.message}{error.detail}" for secret in (wrong, s3.secret_key))

    def test_refused_credentials_are_never_taken_for_an_absent_object(
        self, s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A look-up with wrong credentials raises; None would have the audio bought again."""
        configure(monkeypatch, s3.server, AWS_SECRET_ACCESS_KEY="wrong")
        with closing(open_store(s3.url)) as store:
            for call in calls_of(store, tmp_path):
                with pytest.raises(ArtifactsError) as caught:
                    call()
                assert caught.value.code in {"bad_credentials", "access_denied"}


def test_the_check_leaves_nothing(store: ArtifactStore, s3: Bucket) -> None:
    """After the check the bucket is as empty as before."""
    store.check()
    with closing(s3.client()) as client:
        assert client.list_objects_v2(Bucket=s3.name)["KeyCount"] == 0


def test_objects_are_where_other_programs_look(store: ArtifactStore, s3: Bucket, tmp_path: Path) -> None:
    """Key, content type and checksum are plain for any S3 client; the address is bucket, prefix and key as they are."""
    put = store_bytes(store, "t/b/größe 1.wav", b"sound", tmp_path, metadata={"cost": "0.0067"})
    assert put.uri == f"s3://{s3.name}/{PREFIX}/t/b/größe 1.wav"
    with closing(s3.client()) as client:
        answer = client.head_object(Bucket=s3.name, Key=f"{PREFIX}/t/b/größe 1.wav")
    assert answer["ContentType"] == "audio/wav"
    names = {name.lower(): value for name, value in answer["Metadata"].items()}
    assert names == {"cost": "0.0067", "sha256": hashlib.sha256(b"sound").hexdigest()}


def test_a_bucket_that_is_not_there_is_named_by_every_call(
    s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An absent bucket is an error with a remedy, and never taken for an absent object."""
    configure(monkeypatch, s3.server)
    with closing(open_store("s3://never-created/prefix")) as store:
        for call in calls_of(store, tmp_path):
            with pytest.raises(ArtifactsError, match="aws s3 mb s3://never-created") as caught:
                call()
            assert (caught.value.code, caught.value.transient) == ("no_such_bucket", False)


def test_a_bucket_made_in_mid_run_is_used_at_once(s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the remedy was followed, the same store object works."""
    configure(monkeypatch, s3.server)
    with closing(open_store(f"s3://{s3.name}-late")) as store:
        with pytest.raises(ArtifactsError):
            store.check()
        s3.server.create_bucket(f"{s3.name}-late")
        store.check()
        store_bytes(store, "a.wav", b"sound", tmp_path)
        assert read_back(store, "a.wav", tmp_path) == b"sound"


def test_an_endpoint_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is a transient error; its message names the endpoint without the password in it."""
    port = free_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://someone:hidden-word@127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    with closing(open_store("s3://bucket")) as store, pytest.raises(ArtifactsError) as caught:
        store_bytes(store, "a.wav", b"sound", tmp_path)
    error = caught.value
    assert (error.code, error.transient) == ("unreachable", True)
    assert f"http://127.0.0.1:{port}" in error.message
    assert "AWS_ENDPOINT_URL_S3" in error.message
    assert "hidden-word" not in f"{error!r}{error.message}{error.detail}"


def test_long_audio_goes_in_parts(s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit the upload is a multipart one, with everything a small one has."""
    configure(monkeypatch, s3.server)
    content = bytes(range(256)) * (2 * FIVE_MIB // 256) + b"the last part"
    with closing(
        S3Store(
            new_client(s3.name, connections=4, session=new_session(s3.name)), s3.name, "p", multipart_bytes=FIVE_MIB
        )
    ) as store:
        put = store_bytes(store, "long.wav", content, tmp_path, metadata={"name": "größe"})
        assert store.head("long.wav") == put
        assert read_back(store, "long.wav", tmp_path) == content
        with pytest.raises(ArtifactsError) as caught:
            store_bytes(store, "other.wav", content, tmp_path, sha256="0" * 64)
        assert caught.value.code == "bad_checksum"
        assert store.head("other.wav") is None
    with closing(s3.client()) as client:
        assert client.head_object(Bucket=s3.name, Key="p/long.wav")["ETag"].strip('"').endswith("-3")


def test_what_something_else_stored_is_seen_but_not_copied(store: ArtifactStore, s3: Bucket, tmp_path: Path) -> None:
    """An object without our checksum has none, can be fetched, and is no source for a job's audio."""
    with closing(s3.client()) as client:
        client.put_object(Bucket=s3.name, Key=f"{PREFIX}/foreign.wav", Body=b"sound")
    found = store.head("foreign.wav")
    assert found is not None
    assert (found.sha256, found.size) == (None, 5)
    assert read_back(store, "foreign.wav", tmp_path) == b"sound"
    assert store.copy(found.uri, "copy.wav", metadata={}) is None


def test_audio_that_was_changed_in_the_bucket_is_not_handed_out(
    store: ArtifactStore, s3: Bucket, tmp_path: Path
) -> None:
    """Content that doesn't fit its checksum is an error, and no file appears."""
    with closing(s3.client()) as client:
        client.put_object(Bucket=s3.name, Key=f"{PREFIX}/a.wav", Body=b"sound", Metadata={"sha256": "0" * 64})
    into = tmp_path / "into" / "a.wav"
    into.parent.mkdir()
    with pytest.raises(ArtifactsError) as caught:
        store.fetch("a.wav", into)
    assert caught.value.code == "bad_checksum"
    assert list(into.parent.iterdir()) == []
