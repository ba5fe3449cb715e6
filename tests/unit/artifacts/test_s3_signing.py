"""Signatures of our own, held against botocore's, which knows every service's ways."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from worker.artifacts.s3.sigv4 import Signer

PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
WORDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
NAMES = st.from_regex(r"x-amz-meta-[a-z0-9]{1,12}(-[a-z0-9]{1,8})?", fullmatch=True)


class _Known(S3SigV4Auth):
    """Signs with a known SHA-256 of the body."""

    def payload(self, request: AWSRequest) -> str:
        found: str = request.context["sha256"]
        return found


@given(
    key=st.text(min_size=1, max_size=40),
    metadata=st.dictionaries(NAMES, st.text(PRINTABLE, max_size=40), max_size=6),
    secrets=st.tuples(WORDS, WORDS, st.none() | WORDS),
    place=st.sampled_from(
        [("us-east-1", "bucket.s3.amazonaws.com"), ("eu-central-1", "127.0.0.1:8333"), ("garage", "[::1]:9000")]
    ),
    content=st.binary(max_size=8),
)
def test_is_the_signature_that_botocore_makes(
    key: str,
    metadata: dict[str, str],
    secrets: tuple[str, str, str | None],
    place: tuple[str, str],
    content: bytes,
) -> None:
    """Of any key, any metadata, with a token or without, to the last sign."""
    region, host = place
    path = "/bucket/" + quote(key.encode("utf-8", "replace"), safe="/~")
    sha256 = content.hex().rjust(64, "0")
    headers = {"content-type": "audio/wav", "x-amz-checksum-sha256": "c2hh", **metadata}
    credentials = Credentials(*secrets)
    theirs = AWSRequest("PUT", f"https://{host}{path}", headers={**headers, "host": host})
    theirs.context["sha256"] = sha256
    _Known(credentials.get_frozen_credentials(), "s3", region).add_auth(theirs)

    stamp = datetime.strptime(theirs.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = Signer(credentials, region, host).signed(path, headers, sha256=sha256, now=stamp)

    assert ours == {name.lower(): value for name, value in theirs.headers.items()}
