"""boto3 before a hostile store: what goes by it is not written by us, and must not count as stored either."""

from __future__ import annotations

from contextlib import closing, suppress

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from tests.hostile.script import Honest, Script
from tests.hostile.scripts import STALLS
from tests.hostile.server import HostileServer
from worker.artifacts.s3.client import new_client, new_session
from worker.artifacts.s3.deadlines import ExchangeLimits

DENIED = Honest(403, (), b"<Error><Code>AccessDenied</Code></Error>").whole()
LIMITS = ExchangeLimits(seconds=0.3, bytes_per_second=10**9)
STORED = Honest(200, (), b"").whole()


@pytest.mark.parametrize("interim", [b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 199 Soon\r\n\r\n"])
@pytest.mark.parametrize("final", [DENIED, STORED, b""], ids=["denied", "stored", "to come"])
def test_an_interim_answer_stores_nothing(monkeypatch: pytest.MonkeyPatch, interim: bytes, final: bytes) -> None:
    """Nor is the answer that follows it read as the next object's."""
    for name, value in (("ACCESS_KEY_ID", "known"), ("SECRET_ACCESS_KEY", "known"), ("DEFAULT_REGION", "eu-central-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with HostileServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        words = iter([interim + final, STORED])
        server.compose = lambda *_: (Script(next(words)), False)
        with closing(new_client("bucket", connections=1, session=new_session("bucket"))) as client:
            with pytest.raises(ConnectionClosedError):
                client.put_object(Bucket="bucket", Key="denied", Body=b"sound")
            assert (
                client.put_object(Bucket="bucket", Key="stored", Body=b"sound")["ResponseMetadata"]["HTTPStatusCode"]
                == 200
            )
        assert server.connections == 2


@pytest.mark.parametrize("script", sorted(STALLS))
def test_a_store_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Byte by byte: boto3's own timeouts begin anew with each, and the deadline of the exchange doesn't."""
    for name, value in (("ACCESS_KEY_ID", "known"), ("SECRET_ACCESS_KEY", "known"), ("DEFAULT_REGION", "eu-central-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with HostileServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        server.compose = lambda *_: (STALLS[script](Honest(200, (), b"<x/>"), Honest(200, (), b"<y/>"), 40), False)
        session = new_session("bucket")
        with closing(new_client("bucket", connections=1, session=session, limits=LIMITS)) as client:
            for ask in (
                lambda: client.put_object(Bucket="bucket", Key="one", Body=b"sound"),
                lambda: client.delete_object(Bucket="bucket", Key="one"),
                lambda: client.list_objects_v2(Bucket="bucket"),
            ):
                with suppress(BotoCoreError, ClientError):  # whether it was understood before doesn't matter
                    ask()
