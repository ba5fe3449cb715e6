"""Verifies that an incoming webhook comes from its sender, by the sender's scheme. Pure.

Weakness: only Standard Webhooks and Stripe sign a timestamp. With other signatures a replay is recognised by its
signature; with bearer and basic only by the delivery's name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api_models.schemes import Scheme
from worker.webhooks import signatures

MAX_NAME_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Options:
    header: str = "x-signature"
    """The header with a plain HMAC signature."""
    prefix: str = ""
    """Prefix of that signature, such as `sha256=`."""
    id_header: str = "x-delivery-id"


@dataclass(frozen=True, slots=True)
class Genuine:
    names: tuple[str, ...]
    """Names that identify a repeated delivery."""


@dataclass(frozen=True, slots=True)
class Received:
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    now: datetime


def verified(scheme: Scheme, secrets: Iterable[str], options: Options, received: Received) -> Genuine | None:
    """Verify a webhook by one of the secrets. Returns None for any mismatch, without the reason."""
    found = (_BY_SCHEME[scheme](secret, options, received) for secret in secrets)
    return next((genuine for genuine in found if genuine is not None), None)


def may_be_genuine(scheme: Scheme, secrets: Iterable[str], options: Options, received: Received) -> bool:
    """Whether the headers alone leave it open: a sender without a signature is refused before its body is read."""
    match scheme:
        case Scheme.BEARER | Scheme.BASIC:
            return verified(scheme, secrets, options, received) is not None
        case Scheme.STANDARD:
            return signatures.is_recent(signatures.header(received.headers, "timestamp"), received.now)
        case Scheme.STRIPE:
            return signatures.is_recent(_stripe_stamp(received), received.now)
        case Scheme.GITHUB:
            return "x-hub-signature-256" in received.headers
        case Scheme.SHOPIFY:
            return "x-shopify-hmac-sha256" in received.headers
        case Scheme.HMAC:
            return options.header.lower() in received.headers


def event_named(genuine: Genuine, scheme: Scheme, payload: Any) -> Genuine:  # noqa: ANN401 - whatever JSON has
    if scheme is Scheme.STRIPE and isinstance(payload, Mapping) and isinstance(payload.get("id"), str):
        return Genuine((_named(payload["id"]), *genuine.names))
    return genuine


def _standard(secret: str, _options: Options, received: Received) -> Genuine | None:
    if not signatures.is_valid(secret, received.headers, received.body, received.now):
        return None
    return Genuine((_named(signatures.header(received.headers, "id")),))


def _github(secret: str, _options: Options, received: Received) -> Genuine | None:
    mark = received.headers.get("x-hub-signature-256", "")
    return _by_hex(secret, mark, "sha256=", received.headers.get("x-github-delivery"), received)


def _stripe(secret: str, _options: Options, received: Received) -> Genuine | None:
    parts = _stripe_parts(received)
    stamp = _stripe_stamp(received)
    if not signatures.is_recent(stamp, received.now):
        return None
    expected = hmac.digest(secret.encode(), f"{stamp}.".encode() + received.body, hashlib.sha256).hex()
    marks = [value for name, value in parts if name == "v1"][: signatures.MAX_SIGNATURES]
    if not any(_same(mark, expected) for mark in marks):
        return None
    return Genuine((_signature_name(expected),))


def _stripe_parts(received: Received) -> list[tuple[str, str]]:
    parts = (part.strip().partition("=") for part in received.headers.get("stripe-signature", "").split(","))
    return [(name, value) for name, _, value in parts]


def _stripe_stamp(received: Received) -> str:
    return next((value for name, value in _stripe_parts(received) if name == "t"), "")


def _shopify(secret: str, _options: Options, received: Received) -> Genuine | None:
    expected = base64.b64encode(_digest(secret, received.body)).decode()
    if not _same(received.headers.get("x-shopify-hmac-sha256", ""), expected):
        return None
    return _with_name(received.headers.get("x-shopify-webhook-id"), expected)


def _hmac(secret: str, options: Options, received: Received) -> Genuine | None:
    mark, name = received.headers.get(options.header.lower(), ""), received.headers.get(options.id_header.lower())
    if found := _by_hex(secret, mark, options.prefix, name, received):
        return found
    expected = base64.b64encode(_digest(secret, received.body)).decode()
    if not mark.startswith(options.prefix) or not _same(mark.removeprefix(options.prefix), expected):
        return None
    return _with_name(name, _digest(secret, received.body).hex())


def _bearer(secret: str, options: Options, received: Received) -> Genuine | None:
    word, _, token = received.headers.get("authorization", "").partition(" ")
    if word.lower() != "bearer" or not _same(token.strip(), secret):
        return None
    return _with_name(received.headers.get(options.id_header.lower()), None)


def _basic(secret: str, options: Options, received: Received) -> Genuine | None:
    word, _, token = received.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(token.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    if word.lower() != "basic" or not hmac.compare_digest(given, secret.encode()):
        return None
    return _with_name(received.headers.get(options.id_header.lower()), None)


def _by_hex(secret: str, mark: str, prefix: str, name: str | None, received: Received) -> Genuine | None:
    expected = _digest(secret, received.body).hex()
    if not mark.startswith(prefix) or not _same(mark.removeprefix(prefix).lower(), expected):
        return None
    return _with_name(name, expected)


def _with_name(name: str | None, signature: str | None) -> Genuine:
    """The sender's name is not signed: a replay could change it, but not the signature."""
    names = [_named(name)] if name else []
    return Genuine((*names, _signature_name(signature)) if signature else tuple(names))


def _named(name: str) -> str:
    if len(name) <= MAX_NAME_CHARACTERS and name.isprintable():
        return f"id:{name}"
    return f"id-sha256:{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()}"


def _signature_name(signature: str) -> str:
    return f"signature:{hashlib.sha256(signature.encode()).hexdigest()}"


def _digest(secret: str, body: bytes) -> bytes:
    return hmac.digest(secret.encode(), body, hashlib.sha256)


def _same(given: str, expected: str) -> bool:
    # compare_digest accepts only ASCII strings; headers may hold other characters.
    return hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode())


_BY_SCHEME: Final[Mapping[Scheme, Callable[[str, Options, Received], Genuine | None]]] = {
    Scheme.STANDARD: _standard,
    Scheme.GITHUB: _github,
    Scheme.STRIPE: _stripe,
    Scheme.SHOPIFY: _shopify,
    Scheme.HMAC: _hmac,
    Scheme.BEARER: _bearer,
    Scheme.BASIC: _basic,
}
