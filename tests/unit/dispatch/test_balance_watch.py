"""When a balance counts as low, and when as recovered."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.factories import NOW
from worker.dispatch.gates.balance import falls, recovers
from worker.store.money.balances import Balance

LOW = Decimal(1)


@pytest.mark.parametrize(
    ("remaining", "said", "falling", "recovering"),
    [
        ("1", False, False, False),
        ("0.999999999999", False, True, False),
        ("0.5", True, False, False),
        ("1", True, False, False),
        ("1.099999999999", True, False, False),
        ("1.1", True, False, True),
        ("5", False, False, False),
    ],
)
def test_it_falls_once_and_recovers_well_above(remaining: str, said: bool, falling: bool, recovering: bool) -> None:
    """Answers that come in another order than they were given must not let it fall twice."""
    balance = Balance(Decimal(remaining), NOW, low=said)
    assert (falls(balance, LOW), recovers(balance, LOW)) == (falling, recovering)


def test_a_threshold_of_nothing_never_warns() -> None:
    """Zero disables the warning."""
    assert not falls(Balance(Decimal(0), NOW, low=False), Decimal(0))
