"""The one boto3 client of a store: its timeouts, retries and pool. Where it connects to is boto3's own business."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ConnectionClosedError

from worker.artifacts.errors import ArtifactsError, ArtifactsFault
from worker.artifacts.s3.deadlines import ExchangeLimits, bound
from worker.artifacts.s3.errors import fault_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_SECONDS: Final = 5
READ_TIMEOUT_SECONDS: Final = 30
FIRST_FINAL: Final = 200
"""Answers below it are followed by another one."""
TRIES: Final = 3
"""Of one request, the first included. What lasts longer is the storage gate's concern."""


def new_session(bucket: str) -> Session:
    """boto3's settings and credentials, as it finds them (`AWS_*`, profiles). Raises ArtifactsError: the profile isn't
    there.
    """
    try:
        return Session()
    except BotoCoreError as error:
        raise fault_of(error, bucket=bucket, endpoint="S3") from error


def new_client(bucket: str, *, connections: int, session: Session, limits: ExchangeLimits | None = None) -> S3Client:
    """A client for any number of threads; endpoint, region and credentials as the session has them. Raises
    ArtifactsError: boto3's configuration is unusable.
    """
    config = Config(
        retries={"mode": "standard", "max_attempts": TRIES},
        max_pool_connections=connections,
        # Otherwise boto3 signs links by version 2 in older regions, which AWS KMS and most other stores refuse.
        signature_version="s3v4",
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        # Checksums that boto3 adds by itself, in a trailer, are refused by many stores other than AWS.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        client: S3Client = session.client("s3", config=config)
    except BotoCoreError as error:
        raise fault_of(error, bucket=bucket, endpoint="S3") from error
    except ValueError as error:
        message = "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL is set to no address; give one like http://host:8333"
        raise ArtifactsError(ArtifactsFault.BAD_ADDRESS, message) from error
    bound(client, limits or ExchangeLimits())
    client.meta.events.register("before-parse.s3", partial(_refuse_interim, client))
    return client


def _refuse_interim(client: S3Client, response_dict: Mapping[str, Any], **_: object) -> None:
    """Raise for an interim answer, which botocore takes for a success while the final one is still to come.

    Which of the client's connections that one is due on can't be seen here, so all idle ones are closed.
    """
    if response_dict["status_code"] < FIRST_FINAL:
        client.close()
        raise ConnectionClosedError(endpoint_url=client.meta.endpoint_url)
