"""What the S3 servers share: an endpoint, credentials, buckets, and the environment that points boto3 at them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

from tests.servers.ports import LOOPBACK, free_port
from tests.servers.server import Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION: Final = "us-east-1"


class S3Server(Server):
    """A server that speaks S3."""

    access_key = "ttsq:tests"
    region = REGION

    def __init__(self, *, choose_port: Callable[[], int] = free_port) -> None:
        super().__init__(choose_port=choose_port)
        self.secret_key = secrets.token_hex(16)

    @property
    def endpoint_url(self) -> str:
        """The address boto3 is given."""
        return f"http://{LOOPBACK}:{self.port}"

    def environment(self) -> dict[str, str]:
        """The variables that point boto3 at this server, and away from whatever the developer's own files say."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, *, secret_key: str | None = None) -> S3Client:
        """A new client; the caller closes it."""
        client: S3Client = boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            region_name=self.region,
            config=Config(retries={"mode": "standard", "max_attempts": 1}, proxies={}),
        )
        return client

    def create_bucket(self, name: str) -> Bucket:
        """Make a bucket."""
        with closing(self.client()) as client:
            client.create_bucket(Bucket=name)
        return Bucket(self, name)

    def greet(self) -> None:
        """Ask for the list of buckets."""
        with closing(self.client()) as client:
            client.list_buckets()


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and the server it is on."""

    server: S3Server
    name: str

    @property
    def url(self) -> str:
        """The address in the form the settings take."""
        return f"s3://{self.name}"

    @property
    def endpoint_url(self) -> str:
        """The server's address."""
        return self.server.endpoint_url

    @property
    def access_key(self) -> str:
        """The name half of the credentials."""
        return self.server.access_key

    @property
    def secret_key(self) -> str:
        """The secret half of the credentials."""
        return self.server.secret_key

    @property
    def region(self) -> str:
        """The region that requests are signed for."""
        return self.server.region

    def environment(self) -> dict[str, str]:
        """The variables that point boto3 at the server."""
        return self.server.environment()

    def client(self) -> S3Client:
        """A new client; the caller closes it."""
        return self.server.client()
