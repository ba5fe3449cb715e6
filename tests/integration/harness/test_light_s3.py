"""The S3 for races keeps true books of what a real client puts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from botocore.exceptions import ClientError

from benchmarks.harness import LightS3
from tests.servers.ports import LOOPBACK
from tests.servers.s3 import Bucket

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server() -> Iterator[LightS3]:
    """One for all."""
    with LightS3() as light:
        yield light


@pytest.fixture
def bucket(server: LightS3, request: pytest.FixtureRequest) -> Bucket:
    """One of its buckets."""
    return server.create_bucket(request.node.name.replace("_", "-")[:60].strip("-"))


def sizes(bucket: Bucket) -> dict[str, int]:
    """What a listing says."""
    with closing(bucket.client()) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", ())}


def test_a_listing_has_every_object_with_its_size(bucket: Bucket) -> None:
    """Small ones, empty ones, ones larger than a read, and names that need quoting; the last put counts."""
    with closing(bucket.client()) as client:
        for key, size in (("a/small.wav", 4), ("empty", 0), ("größe +&.wav", 7), ("large", 3_000_000), ("empty", 9)):
            client.put_object(Bucket=bucket.name, Key=key, Body=b"x" * size)
    assert sizes(bucket) == {"a/small.wav": 4, "empty": 9, "größe +&.wav": 7, "large": 3_000_000}


def test_buckets_are_apart(server: LightS3, bucket: Bucket) -> None:
    """A bucket whose name is a prefix of another's lists none of its objects."""
    other = server.create_bucket(f"{bucket.name}2")
    with closing(bucket.client()) as client:
        client.put_object(Bucket=other.name, Key="there", Body=b"x")
    assert sizes(bucket) == {}
    assert sizes(other) == {"there": 1}


def test_an_object_is_described_copied_and_deleted(bucket: Bucket) -> None:
    """Its metadata stays with it and with its copy; what isn't there is said to be missing."""
    with closing(bucket.client()) as client:
        client.put_object(Bucket=bucket.name, Key="one", Body=b"12345", Metadata={"cost": "0.5"})
        client.copy_object(Bucket=bucket.name, Key="two", CopySource={"Bucket": bucket.name, "Key": "one"})
        client.delete_object(Bucket=bucket.name, Key="one")
        found = client.head_object(Bucket=bucket.name, Key="two")
        assert (found["ContentLength"], found["Metadata"]) == (5, {"cost": "0.5"})
        with pytest.raises(ClientError, match="404"):
            client.head_object(Bucket=bucket.name, Key="one")


def test_requests_may_arrive_in_pieces_and_several_at_once(server: LightS3, bucket: Bucket) -> None:
    """However the network cuts them, each is answered in its turn."""
    put = f"PUT /{bucket.name}/%s HTTP/1.1\r\nHost: light\r\nContent-Length: 5\r\n\r\nhello"
    sent = (put % "first" + put % "second").encode()
    with (
        socket.create_connection((LOOPBACK, server.port), timeout=30) as connection,
        connection.makefile("rb") as answers,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in (sent[:3], sent[3:40], sent[40:-1], sent[-1:]):
            connection.sendall(part)
        statuses: list[bytes] = []
        while len(statuses) < 2:
            line = answers.readline()
            if line.startswith(b"HTTP/1.1"):
                statuses.append(line.split()[1])
    assert statuses == [b"200", b"200"]
    assert sizes(bucket) == {"first": 5, "second": 5}
