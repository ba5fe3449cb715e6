"""The balance as the v1 client reads it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.integration.segmind.v1.scripted import bare
from tests.servers.bare import reply, reset
from worker.emulator.server import Emulator
from worker.segmind.answers import Answer, Credits, Failure
from worker.segmind.client import Client
from worker.segmind.verdicts import verdict


def test_credits(client: Client, emulator: Emulator) -> None:
    """The balance is exact, and asking for it is no call."""
    emulator.admin.account(credits=Decimal("0.1"), free_credits=Decimal("0.0184"))
    found = client.credits()
    assert found == Credits(paid=Decimal("0.1"), free=Decimal("0.0184"))
    assert isinstance(found, Credits)
    assert found.total == Decimal("0.1184")
    assert emulator.state().calls == 0


def test_credits_with_a_bad_key(client: Client, emulator: Emulator) -> None:
    """The credits endpoint is the key's check: a refused key closes the gate by the same table."""
    emulator.admin.account(key_valid=False)
    found = client.credits()
    assert isinstance(found, Answer)
    assert (found.status, found.sent, verdict(found).code) == (401, False, "bad_key")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"credits": null}',
        b'{"credits": "much"}',
        b'{"credits": NaN}',
        b"[" * 9_000,
    ],
)
def test_unreadable_credits(body: bytes) -> None:
    """A balance that can't be read is an answer that says so, never a wrong figure."""
    with bare(reply("200 OK", body)) as (client, _):
        found = client.credits()
    assert isinstance(found, Answer)
    assert (found.status, found.failure, found.sent) == (200, Failure.UNREADABLE, False)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"credits": 3, "free-credits": 0.0184}', Credits(Decimal(3), Decimal("0.0184"))),
        (b'{"credits": 0.10000000000000000001}', Credits(Decimal("0.10000000000000000001"), Decimal(0))),
        (b'{"credits": "1.50", "free-credits": -0.01}', Credits(Decimal("1.50"), Decimal("-0.01"))),
    ],
)
def test_credits_are_never_floats(body: bytes, expected: Credits) -> None:
    """Figures are read to the last digit, as numbers or as text."""
    with bare(reply("200 OK", body)) as (client, _):
        assert client.credits() == expected


def test_credits_of_a_dead_api() -> None:
    """No connection is an answer too, and nothing was sent that could cost."""
    with bare(reset) as (client, _):
        found = client.credits()
    assert isinstance(found, Answer)
    assert (found.failure, found.sent) == (Failure.RESET, False)
