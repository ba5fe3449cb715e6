"""`ttsq keys budget`: what the jobs of a key may cost, set, raised and lifted."""

from __future__ import annotations

from decimal import Decimal

import pytest

from api_models.access import EVERYTHING
from tests.factories import NOW
from tests.terminal import Ttsq
from worker.store.access import api_keys
from worker.store.database import Database
from worker.store.money import limits


@pytest.fixture
def queue(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A migrated queue that the command works on."""
    monkeypatch.setenv("TTSQ_DATABASE_URL", database.url.render_as_string(hide_password=False))
    return database


@pytest.fixture
def key(queue: Database) -> api_keys.KeyRecord:
    """One without a budget."""
    return make(queue, "studio")


def make(queue: Database, name: str) -> api_keys.KeyRecord:
    """A key of that name."""
    with queue.begin() as connection:
        record, _ = api_keys.make(
            connection, tenant="acme", name=name, scopes=EVERYTHING, rate=None, budget=None, now=NOW
        )
    return record


def budget(queue: Database, key: api_keys.KeyRecord) -> Decimal | None:
    """What the dispatcher limits the key's jobs to."""
    with queue.read() as connection:
        limit = limits.of_key(connection, key.id)
    return None if limit is None else limit.amount


def test_a_budget_is_set_raised_and_lifted(ttsq: Ttsq, queue: Database, key: api_keys.KeyRecord) -> None:
    """By the key's name, its id or its beginning."""
    shown = ttsq("keys", "budget", "studio", "0.50")
    assert (shown.code, budget(queue, key)) == (0, Decimal("0.50"))
    assert "Budget of studio: $0.5000" in shown.out
    assert ttsq("keys", "list", "--json").data["budget"] == "0.5"
    assert ttsq("keys", "budget", str(key.id), "25").code == 0
    assert budget(queue, key) == Decimal(25)
    lifted = ttsq("keys", "budget", key.prefix, "none")
    assert (lifted.code, budget(queue, key)) == (0, None)
    assert lifted.out.endswith("removed.\n")


def test_a_revoked_keys_budget_can_be_raised(ttsq: Ttsq, queue: Database, key: api_keys.KeyRecord) -> None:
    """Its jobs may wait for that."""
    assert ttsq("keys", "revoke", "studio").code == 0
    assert ttsq("keys", "budget", "studio", "3").code == 0
    assert budget(queue, key) == Decimal(3)


@pytest.mark.parametrize("dollars", ["-1", "NaN", "Infinity", "1000001", "ten", ""])
def test_an_amount_that_is_no_budget_is_refused(
    ttsq: Ttsq, queue: Database, key: api_keys.KeyRecord, dollars: str
) -> None:
    """Nothing is changed."""
    assert ttsq("keys", "budget", "studio", "2").code == 0
    shown = ttsq("keys", "budget", "--", "studio", dollars)
    assert (shown.code, budget(queue, key)) == (2, Decimal(2))
    assert "is not a budget" in shown.err


def test_a_key_that_is_unknown_or_ambiguous_is_refused(ttsq: Ttsq, queue: Database, key: api_keys.KeyRecord) -> None:
    """Two keys of one name are told apart by their ids."""
    assert ttsq("keys", "budget", "other", "1").code == 2
    twin = make(queue, "studio")
    shown = ttsq("keys", "budget", "studio", "1")
    assert shown.code == 2
    assert {str(key.id), str(twin.id)} <= set(shown.err.replace(",", " ").split())
    assert (budget(queue, key), budget(queue, twin)) == (None, None)
