"""Signatures by the Standard Webhooks specification, for outgoing messages and for senders that use it.

HMAC-SHA-256 over `{id}.{timestamp}.{body}`, in base64 after `v1,`; while a secret is being rotated, there are several,
separated by spaces. https://github.com/standard-webhooks/standard-webhooks
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

SECRET_BEGINNING: Final = "whsec_"  # noqa: S105 - how every secret begins, and none itself
SECRET_BYTES: Final = 32
TOLERANCE_SECONDS: Final = 300
"""Maximum age of a message: an older one counts as a replay."""
MAX_SIGNATURES: Final = 10


def new_secret() -> str:
    """Return 256 random bits in the format of the specification."""
    return SECRET_BEGINNING + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """Decode a secret. Raises ValueError: not base64."""
    try:
        return base64.b64decode(secret.removeprefix(SECRET_BEGINNING), validate=True)
    except binascii.Error:
        raise ValueError("the secret is not base64") from None


def sign(secret: str, message_id: str, at: datetime, body: bytes) -> str:
    return "v1," + _mac(secret, f"{message_id}.{int(at.timestamp())}.".encode() + body)


def headers(keys: Iterable[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(sign(secret, message_id, at, body) for secret in keys),
    }


def is_valid(secret: str, given: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether a recent message is signed with this secret. `given` has lower-case names."""
    message_id, stamp = header(given, "id"), header(given, "timestamp")
    if not message_id or not is_recent(stamp, now):
        return False
    expected = _mac(secret, f"{message_id}.{stamp}.".encode() + body)
    signatures = header(given, "signature").split()[:MAX_SIGNATURES]
    return any(
        hmac.compare_digest(signature.partition(",")[2].encode(), expected.encode())
        for signature in signatures
        if signature[:3] == "v1,"
    )


def header(given: Mapping[str, str], part: str) -> str:
    """Return `webhook-id`, `-timestamp` or `-signature`; from Svix, whose names are older, if it sent none of them."""
    family = "svix" if "webhook-id" not in given and "svix-id" in given else "webhook"
    return given.get(f"{family}-{part}", "")


def is_recent(stamp: str, now: datetime) -> bool:
    # Twelve digits reach the year 33,000; more would overflow a datetime.
    return stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 and _distance(stamp, now) <= TOLERANCE_SECONDS


def _distance(stamp: str, now: datetime) -> float:
    return abs(int(stamp) - now.timestamp())


def _mac(secret: str, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key_of(secret), content, hashlib.sha256)).decode()
