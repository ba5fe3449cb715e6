"""The client's verification of webhooks, against the specification's own library and our sender."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook as Reference

from ttsq_client import Webhook, WebhookError
from worker.webhooks import signatures

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
SECRET, OTHER = signatures.new_secret(), signatures.new_secret()
BODY = json.dumps({"type": "job.succeeded", "timestamp": "x", "data": {"id": "1"}, "audio_url": "/a"}).encode()


def receiver(*secrets: str) -> Webhook:
    """One whose clock stands still."""
    return Webhook(secrets or (SECRET,), clock=NOW.timestamp)


def headers(*secrets: str, at: datetime = NOW, body: bytes = BODY) -> dict[str, str]:
    """Of a message of ours."""
    return signatures.headers(secrets or (SECRET,), "evt_17", at, body)


def test_a_message_of_ours_is_taken() -> None:
    """With its parts; names of headers in any case, and of a WSGI environment."""
    given = headers()
    wsgi = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in given.items()}
    for form in (given, {name.title(): value for name, value in given.items()}, wsgi):
        message = receiver().verify(BODY, form)
        assert (message.id, message.type, message.sent_at) == ("evt_17", "job.succeeded", NOW)
        assert (message.data, message.content["audio_url"]) == ({"id": "1"}, "/a")


def test_a_message_of_the_specifications_library_is_taken() -> None:
    """Neither implementation is ours alone."""
    signature = Reference(SECRET).sign("evt_17", NOW, BODY.decode())
    given = {"webhook-id": "evt_17", "webhook-timestamp": str(int(NOW.timestamp())), "webhook-signature": signature}
    assert receiver().verify(BODY, given).id == "evt_17"


@pytest.mark.parametrize("known", [(SECRET,), (OTHER, SECRET), (SECRET, OTHER)])
@pytest.mark.parametrize("signed", [(SECRET,), (SECRET, OTHER), (OTHER, SECRET)])
def test_either_secret_will_do_while_it_is_rotated(known: tuple[str, ...], signed: tuple[str, ...]) -> None:
    """On both sides."""
    assert receiver(*known).verify(BODY, headers(*signed)).id == "evt_17"


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_recent_message_is_taken(seconds: int) -> None:
    """Clocks differ."""
    assert receiver().verify(BODY, headers(at=NOW + timedelta(seconds=seconds))).id == "evt_17"


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
def test_an_old_or_early_message_is_refused(seconds: int) -> None:
    """However well it is signed."""
    with pytest.raises(WebhookError, match="too old"):
        receiver().verify(BODY, headers(at=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "evt_18"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1," + "A" * 43 + "="},
        {"webhook-signature": "v1,\u00e9\udcff"},
        {"webhook-signature": ""},
        {"webhook-timestamp": "\u0661"},
        {"webhook-timestamp": "1" * 400},
        {"webhook-timestamp": "-1"},
    ],
)
def test_a_changed_message_is_refused(changed: dict[str, str]) -> None:
    """With one error, whatever was changed."""
    with pytest.raises(WebhookError):
        receiver().verify(BODY, headers() | changed)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(name: str) -> None:
    """Each of the three."""
    given = headers()
    del given[name]
    with pytest.raises(WebhookError, match="missing"):
        receiver().verify(BODY, given)


def test_another_version_of_the_signature_is_none() -> None:
    """Only `v1` is known."""
    given = headers()
    with pytest.raises(WebhookError):
        receiver().verify(BODY, given | {"webhook-signature": given["webhook-signature"].replace("v1,", "v2,")})


def test_another_body_is_refused() -> None:
    """Also the same JSON written in another way."""
    for body in (BODY + b" ", json.dumps(json.loads(BODY), indent=1).encode(), b""):
        with pytest.raises(WebhookError):
            receiver().verify(body, headers())


def test_text_is_refused_with_the_remedy() -> None:
    """It was decoded, and perhaps changed by that."""
    with pytest.raises(TypeError, match=r"request\.body"):
        receiver().verify(BODY.decode(), headers())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"5", b'{"type": 1, "data": {}}', b'{"type": "a"}', b"\xff", b"[" * 9_999]
)
def test_what_is_signed_and_no_message_is_refused(body: bytes) -> None:
    """Another system may use the secret."""
    with pytest.raises(WebhookError, match="not one of ttsq"):
        receiver().verify(body, headers(body=body))


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_",), ("whsec_c2hvcnQ=",), ("not base64 at all!",)])
def test_a_useless_secret_is_refused_and_not_shown(secrets: tuple[str, ...]) -> None:
    """An empty one would verify what anyone signs."""
    with pytest.raises(ValueError, match="secret") as error:
        Webhook(secrets)
    assert not any(secret.removeprefix("whsec_") and secret in str(error.value) for secret in secrets)


def test_no_secret_is_shown() -> None:
    """In logs and tracebacks."""
    assert SECRET not in repr(Webhook(SECRET))
    assert SECRET.removeprefix("whsec_") not in repr(vars(Webhook(SECRET)).keys())
