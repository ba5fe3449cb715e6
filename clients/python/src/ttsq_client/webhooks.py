"""Verifies the webhooks that ttsq sends, by the scheme of Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ttsq_client.errors import WebhookError

TOLERANCE_SECONDS: Final = 300
MAX_SIGNATURES: Final = 10
MIN_KEY_BYTES: Final = 16
SECRET_BEGINNING: Final = "whsec_"  # noqa: S105 - how every secret begins, and none itself
_PARTS: Final = ("id", "timestamp", "signature")


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A verified message."""

    id: str
    """The same for every repetition: remember the ids that were handled."""
    type: str
    """Such as `job.succeeded`. New types may be added; ignore unknown ones."""
    sent_at: datetime
    data: Mapping[str, Any]
    content: Mapping[str, Any]
    """The whole message: flat ones have the fields of `data` at the first level too."""


class Webhook:
    """Knows one secret, or several while they are being rotated."""

    def __init__(
        self,
        secrets: str | Iterable[str],
        *,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`tolerance_seconds` is the largest age of a message, and how far its clock may be ahead.

        Raises:
            ValueError: no secret, or one that is not of the form `whsec_…`. The message does not show it.
        """
        given = [secrets] if isinstance(secrets, str) else list(secrets)
        if not given:
            raise ValueError("no secret; read it with GET /v1/endpoints/{id}/secret")
        self._keys = [_key(secret) for secret in given]
        self._tolerance_seconds = tolerance_seconds
        self._clock = clock

    def __repr__(self) -> str:
        return f"Webhook({len(self._keys)} secrets)"

    def verify(self, body: bytes, headers: Mapping[str, str]) -> WebhookMessage:
        """Return the message if it is genuine and recent.

        `body` is the request's body as it arrived. `headers` may have names in any case, or be a WSGI environment.

        Raises:
            TypeError: the body is not bytes. Parsed and written again, JSON is no longer what was signed.
            WebhookError: the signature is missing or wrong, the message too old, or no message of ttsq.
        """
        if not isinstance(body, bytes | bytearray | memoryview):
            raise TypeError("verify() takes the raw bytes of the body, such as request.body or request.get_data()")
        content = bytes(body)
        message_id, stamp, signatures = _headers(headers)
        self._check_age(stamp)
        signed = f"{message_id}.{stamp}.".encode("utf-8", "surrogateescape") + content
        expected = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in self._keys]
        given = [_signature(text) for text in signatures.split()[:MAX_SIGNATURES]]
        # Every pair is compared, so that the time shows nothing about which one matches.
        if not sum(hmac.compare_digest(one, other) for one in given for other in expected):
            raise WebhookError("no signature of the message matches a secret")
        return _message(message_id, int(stamp), content)

    def _check_age(self, stamp: str) -> None:
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            raise WebhookError("webhook-timestamp is missing or not a number of seconds")
        if abs(int(stamp) - self._clock()) > self._tolerance_seconds:
            raise WebhookError("the message is too old or from the future; check this machine's clock")


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_BEGINNING), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < MIN_KEY_BYTES:
        raise ValueError("a secret is not of the form whsec_ and base64")
    return key


def _headers(given: Mapping[str, str]) -> tuple[str, str, str]:
    names = {str(name).lower().removeprefix("http_").replace("_", "-"): value for name, value in given.items()}
    found = [names.get(f"webhook-{part}") for part in _PARTS]
    if not all(isinstance(value, str) and value for value in found):
        raise WebhookError("webhook-id, webhook-timestamp or webhook-signature is missing")
    return str(found[0]), str(found[1]), str(found[2])


def _signature(text: str) -> bytes:
    version, _, signature = text.partition(",")
    return signature.encode("utf-8", "surrogateescape") if version == "v1" else b""


def _message(message_id: str, stamp: int, body: bytes) -> WebhookMessage:
    try:
        content = json.loads(body)
        kind, data = content["type"], content["data"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise WebhookError("the message is signed, but not one of ttsq") from None
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise WebhookError("the message is signed, but not one of ttsq")
    return WebhookMessage(message_id, kind, datetime.fromtimestamp(stamp, UTC), data, content)
