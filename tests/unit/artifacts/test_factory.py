"""From addresses to stores, and the words for what boto3 can run into; no test here opens a socket."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from worker.artifacts.errors import ArtifactsError
from worker.artifacts.factory import open_store
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.s3.errors import fault_of


def answered(code: str, status: int) -> ClientError:
    """An error answer of a store, as boto3 raises it."""
    answer = {"Error": {"Code": code, "Message": "some words"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "PutObject")  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["file:///srv/audio", "file://localhost/srv/audio", "file:///srv/audio/"])
def test_a_folder_is_opened(url: str) -> None:
    """The common spellings of one folder open the same store."""
    store = open_store(url)
    assert isinstance(store, FolderStore)
    assert store.url == "file:///srv/audio"
    assert store.uri("t/a b.wav") == "file:///srv/audio/t/a%20b.wav"


@pytest.mark.parametrize(("url", "shown"), [("s3://b", "s3://b"), ("s3://b/", "s3://b"), ("s3://b/p/q/", "s3://b/p/q")])
def test_a_bucket_is_opened(url: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without a prefix, and without a region: stores other than AWS have none."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with closing(open_store(url)) as store:
        assert store.url == shown
        assert store.uri("t/a b.wav") == f"{shown}/t/a b.wav"


@pytest.mark.parametrize(
    "url", ["", "out", "/srv/audio", "file://host/share", "file:out", "s3://", "s3:///p", "gs://b"]
)
def test_what_is_no_place_for_audio_is_refused(url: str) -> None:
    """The message shows both forms that are right."""
    with pytest.raises(ArtifactsError, match=r"file:///.* or s3://") as caught:
        open_store(url)
    assert caught.value.code == "bad_address"


def test_an_endpoint_that_is_no_address_is_named_without_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable; what stands in it could be a secret pasted into the wrong place."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "no address at all")
    with pytest.raises(ArtifactsError, match="AWS_ENDPOINT_URL_S3") as caught:
        open_store("s3://b")
    assert caught.value.code == "bad_address"
    assert "no address at all" not in f"{caught.value.message}{caught.value.detail}"


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check says which variables to set."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with closing(open_store("s3://b")) as store, pytest.raises(ArtifactsError, match="AWS_ACCESS_KEY_ID") as caught:
        store.check()
    assert (caught.value.code, caught.value.transient) == ("bad_credentials", False)


def test_a_missing_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's own configuration may be at fault before any call."""
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(ArtifactsError, match="AWS_PROFILE") as caught:
        open_store("s3://b")
    assert caught.value.code == "bad_credentials"


@pytest.mark.parametrize(
    ("error", "code", "transient"),
    [
        (answered("NoSuchBucket", 404), "no_such_bucket", False),
        (answered("AccessDenied", 403), "access_denied", False),
        (answered("403", 403), "access_denied", False),
        (answered("InvalidAccessKeyId", 403), "bad_credentials", False),
        (answered("SignatureDoesNotMatch", 403), "bad_credentials", False),
        (answered("ExpiredToken", 400), "bad_credentials", False),
        (answered("SlowDown", 503), "throttled", True),
        (answered("ServiceUnavailable", 503), "throttled", True),
        (answered("TooManyRequests", 429), "throttled", True),
        (answered("QuotaExceeded", 403), "no_space", False),
        (answered("XMinioStorageFull", 507), "no_space", True),
        (answered("BadDigest", 400), "bad_checksum", True),
        (answered("InternalError", 500), "unexpected", True),
        (answered("MetadataTooLarge", 400), "unexpected", False),
        (boto.NoCredentialsError(), "bad_credentials", False),
        (boto.EndpointConnectionError(endpoint_url="http://h"), "unreachable", True),
        (boto.ConnectTimeoutError(endpoint_url="http://h"), "unreachable", True),
        (boto.ReadTimeoutError(endpoint_url="http://h"), "unreachable", True),
        (boto.ConnectionClosedError(endpoint_url="http://h"), "unreachable", True),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), "unreachable", True),
        (boto.ParamValidationError(report="some field"), "unexpected", False),
    ],
)
def test_errors_of_boto3_are_classified(error: BotoCoreError | ClientError, code: str, transient: bool) -> None:
    """Each error has its word, says whether it may pass by itself, and names bucket and endpoint."""
    fault = fault_of(error, bucket="takes", endpoint="http://s3.example")
    assert (fault.code, fault.transient) == (code, transient)
    assert "takes" in fault.message
    assert "http://s3.example" in fault.message


def test_the_remedy_for_the_wrong_region_and_for_a_wrong_clock() -> None:
    """Two troubles whose code would send the reader the wrong way have words of their own."""
    region = fault_of(answered("PermanentRedirect", 301), bucket="takes", endpoint="http://s3.example")
    clock = fault_of(answered("RequestTimeTooSkewed", 403), bucket="takes", endpoint="http://s3.example")
    assert "AWS_REGION" in region.message
    assert "clock" in clock.message


def test_a_folder_needs_no_boto3(tmp_path: Path) -> None:
    """Storing in a folder doesn't import boto3, which is slow."""
    program = (
        "import sys; from worker.artifacts.factory import open_store; "
        f"open_store({tmp_path.as_uri()!r}).check(); print('botocore' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
