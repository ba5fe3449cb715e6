"""Inbound signatures: each sender's own is taken, and nothing that is near it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta

import pytest

from api_models.schemes import Scheme
from tests.factories import NOW
from worker.webhooks import signatures
from worker.webhooks.verification import Options, Received, event_named, verified

SECRET = "a secret"
STANDARD_SECRET = signatures.new_secret()
BODY = b'{"id": "evt_1", "title": "A post"}'
STAMP = str(int(NOW.timestamp()))
OPTIONS = Options(header="X-Mark", prefix="v=", id_header="X-Id")


def mac(content: bytes = BODY, secret: str = SECRET) -> bytes:
    """HMAC-SHA-256."""
    return hmac.digest(secret.encode(), content, hashlib.sha256)


GOOD: dict[Scheme, dict[str, str]] = {
    Scheme.STANDARD: signatures.headers([STANDARD_SECRET], "msg_1", NOW, BODY),
    Scheme.GITHUB: {"x-hub-signature-256": f"sha256={mac().hex()}", "x-github-delivery": "d-1"},
    Scheme.STRIPE: {"stripe-signature": f"t={STAMP},v1={mac(f'{STAMP}.'.encode() + BODY).hex()},v0=00"},
    Scheme.SHOPIFY: {
        "x-shopify-hmac-sha256": base64.b64encode(mac()).decode(),
        "x-shopify-webhook-id": "w-1",
    },
    Scheme.HMAC: {"x-mark": f"v={mac().hex()}", "x-id": "h-1"},
    Scheme.BEARER: {"authorization": f"Bearer {SECRET}", "x-id": "b-1"},
    Scheme.BASIC: {"authorization": f"Basic {base64.b64encode(SECRET.encode()).decode()}", "x-id": "c-1"},
}


def received(scheme: Scheme, **changes: object) -> Received:
    """A good webhook of this kind, changed."""
    return replace(Received(GOOD[scheme], BODY, NOW), **changes)  # type: ignore[arg-type]


def secret_of(scheme: Scheme) -> str:
    """What the sender and we know."""
    return STANDARD_SECRET if scheme is Scheme.STANDARD else SECRET


def check(scheme: Scheme, given: Received, secret: str | None = None) -> bool:
    """Whether it is taken."""
    return verified(scheme, [secret or secret_of(scheme)], OPTIONS, given) is not None


@pytest.mark.parametrize("scheme", Scheme)
def test_the_senders_own_webhook_is_taken(scheme: Scheme) -> None:
    """Signed with the secret that both know."""
    assert check(scheme, received(scheme))


@pytest.mark.parametrize("scheme", Scheme)
def test_another_secret_is_refused(scheme: Scheme) -> None:
    """One letter is enough."""
    other = signatures.new_secret() if scheme is Scheme.STANDARD else SECRET + "x"
    assert not check(scheme, received(scheme), other)


@pytest.mark.parametrize("scheme", [one for one in Scheme if one not in {Scheme.BEARER, Scheme.BASIC}])
def test_another_body_is_refused(scheme: Scheme) -> None:
    """A signature is for one body, to the last byte."""
    assert not check(scheme, received(scheme, body=BODY + b" "))


@pytest.mark.parametrize("scheme", Scheme)
def test_no_signature_is_refused(scheme: Scheme) -> None:
    """And no error is made of it."""
    assert not check(scheme, received(scheme, headers={}))


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize(
    "junk", ["", " ", "x", "v1,", "sha256=", "v=", "t=,v1=", "Bearer", "Basic", "\xff\xfe", "ä" * 99]
)
def test_junk_for_a_signature_is_refused(scheme: Scheme, junk: str) -> None:
    """Whatever a header may hold."""
    headers = dict.fromkeys(GOOD[scheme], junk) | {"webhook-id": "m", "webhook-timestamp": STAMP}
    assert not check(scheme, received(scheme, headers=headers))


@pytest.mark.parametrize("scheme", [Scheme.STANDARD, Scheme.STRIPE])
@pytest.mark.parametrize("minutes", [-6, 6, 10_000])
def test_an_old_or_early_webhook_is_refused(scheme: Scheme, minutes: int) -> None:
    """What signs its time can't be sent again later."""
    assert not check(scheme, received(scheme, now=NOW + timedelta(minutes=minutes)))
    assert check(scheme, received(scheme, now=NOW + timedelta(minutes=4)))


@pytest.mark.parametrize("stamp", ["", "x", "-1", "1e9", "９９", "9" * 400, f" {STAMP}", f"{STAMP}.0", "0x10"])
def test_a_time_that_is_none_is_refused(stamp: str) -> None:
    """Digits, and not too many."""
    headers = GOOD[Scheme.STANDARD] | {"webhook-timestamp": stamp}
    assert not check(Scheme.STANDARD, received(Scheme.STANDARD, headers=headers))
    stripe = {"stripe-signature": f"t={stamp},v1={mac(f'{stamp}.'.encode() + BODY).hex()}"}
    assert not check(Scheme.STRIPE, received(Scheme.STRIPE, headers=stripe))


def test_of_several_signatures_one_has_to_fit() -> None:
    """During a secret's rotation a message carries a signature for each; only a limited number is checked."""
    good = GOOD[Scheme.STANDARD]["webhook-signature"]
    for marks, taken in (
        (f"v1,AAAA {good}", True),
        (f"v2,{good[3:]}", False),
        (" ".join(["v1,A"] * 10 + [good]), False),
    ):
        headers = GOOD[Scheme.STANDARD] | {"webhook-signature": marks}
        assert check(Scheme.STANDARD, received(Scheme.STANDARD, headers=headers)) is taken


def test_a_message_is_named_by_its_own_id() -> None:
    """Under another id the signature no longer fits."""
    headers = GOOD[Scheme.STANDARD] | {"webhook-id": "msg_2"}
    assert not check(Scheme.STANDARD, received(Scheme.STANDARD, headers=headers))


@pytest.mark.parametrize("scheme", [Scheme.GITHUB, Scheme.SHOPIFY, Scheme.HMAC])
def test_a_repeated_request_is_known_even_under_another_name(scheme: Scheme) -> None:
    """The sender's name for it isn't signed; the signature itself is the same."""
    header = {Scheme.GITHUB: "x-github-delivery", Scheme.SHOPIFY: "x-shopify-webhook-id", Scheme.HMAC: "x-id"}[scheme]
    first = verified(scheme, [SECRET], OPTIONS, received(scheme))
    again = verified(scheme, [SECRET], OPTIONS, received(scheme, headers=GOOD[scheme] | {header: "another"}))
    assert first is not None
    assert again is not None
    assert set(first.names) & set(again.names)
    assert first.names[0] != again.names[0]


def test_stripe_names_its_event_in_the_payload() -> None:
    """A second delivery of one event has another time and signature, and the same name."""
    found = verified(Scheme.STRIPE, [SECRET], OPTIONS, received(Scheme.STRIPE))
    assert found is not None
    assert event_named(found, Scheme.STRIPE, {"id": "evt_1"}).names[0] == "id:evt_1"
    assert event_named(found, Scheme.STRIPE, {"id": 7}) == found
    assert event_named(found, Scheme.STRIPE, ["evt_1"]) == found


def test_a_name_of_any_length_fits_a_column() -> None:
    """A long or unprintable name is replaced by its checksum."""
    for name in ("x" * 5_000, "a\x00b", "\ud800"):
        found = verified(
            Scheme.BEARER, [SECRET], OPTIONS, received(Scheme.BEARER, headers=GOOD[Scheme.BEARER] | {"x-id": name})
        )
        assert found is not None
        assert len(found.names[0]) <= 255
        assert found.names[0].isprintable()


def test_hmac_in_base64_is_taken_too() -> None:
    """Senders write it either way."""
    headers = {"x-mark": "v=" + base64.b64encode(mac()).decode()}
    assert check(Scheme.HMAC, received(Scheme.HMAC, headers=headers))
