"""Links to a bucket are signed by version 4 in every region: version 2 is refused by AWS KMS and most other stores."""

from __future__ import annotations

import pytest
from boto3.session import Session

from worker.artifacts.s3.client import new_client

REGIONS = ["us-east-1", "us-west-1", "us-west-2", "eu-west-1", "ap-southeast-1", "ap-northeast-1", "sa-east-1"]


@pytest.mark.parametrize("region", [*REGIONS, "eu-central-1", "us-gov-west-1"])
@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:9"])
def test_links_are_signed_by_version_4(monkeypatch: pytest.MonkeyPatch, region: str, endpoint: str) -> None:
    """In AWS's oldest regions too, where boto3 would choose version 2."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    session = Session("id", "secret", region_name=region)
    client = new_client("bucket", connections=1, session=session)
    for method in ("get_object", "put_object"):
        link = client.generate_presigned_url(method, Params={"Bucket": "bucket", "Key": "a.wav"}, ExpiresIn=300)
        assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link
        assert "AWSAccessKeyId" not in link
    client.close()
