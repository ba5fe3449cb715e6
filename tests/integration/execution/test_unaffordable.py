"""A job that was to copy finds the audio gone: a call in its place needs a budget that covers it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest

from api_models.access import EVERYTHING
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import PRICE, Workshop
from tests.factories import NOW
from tests.integration.execution.test_copies import SAME, forget
from worker.execution.attempt import UNAFFORDABLE_WAIT_SECONDS
from worker.store.access import api_keys
from worker.store.money import budgets

TOO_LITTLE: Final = PRICE / 2
Limited = tuple[dict[str, Any], Callable[[Decimal], None]]
"""The columns of a job under a budget, and how it is raised."""


def of_batch(shop: Workshop) -> Limited:
    batch = shop.batch(max_cost=TOO_LITTLE)

    def raise_to(amount: Decimal) -> None:
        with shop.database.begin() as connection:
            budgets.limit_batch(connection, batch, amount)

    return {"batch_id": batch, "custom_id": "a", "lane": batch}, raise_to


def of_month(shop: Workshop) -> Limited:
    def raise_to(amount: Decimal) -> None:
        with shop.database.begin() as connection:
            budgets.limit_month(connection, "acme", amount)

    raise_to(TOO_LITTLE)
    return {"tenant": "acme"}, raise_to


def of_key(shop: Workshop) -> Limited:
    with shop.database.begin() as connection:
        record, _ = api_keys.make(
            connection, tenant="acme", name="robot", scopes=EVERYTHING, rate=None, budget=TOO_LITTLE, now=NOW
        )

    def raise_to(amount: Decimal) -> None:
        with shop.database.begin() as connection:
            budgets.limit_key(connection, record.id, amount)

    return {"tenant": "acme", "key_id": record.id}, raise_to


@pytest.mark.parametrize("limited", [of_batch, of_month, of_key])
def test_a_copy_that_is_gone_is_not_bought_beyond_the_budget(
    shop_on_both: Workshop, limited: Callable[[Workshop], Limited]
) -> None:
    """It goes back for a minute, at the cost of no attempt, and says why; with a higher budget it buys."""
    shop = shop_on_both
    columns, raise_to = limited(shop)
    source: UUID = shop.run(shop.job(**SAME)).id
    forget(shop, shop.file(source))
    job = shop.job(**SAME, **columns)

    held = shop.run(job)

    assert (held.status, held.attempts_used, shop.bought()) == (JobStatus.SCHEDULED, 0, 1)
    (entry,) = shop.books(job)
    assert (entry.verdict, entry.code, entry.cost) == (VerdictKind.RELEASED, "budget", 0)
    assert "raise the budget" in entry.message
    assert (held.not_before - entry.finished_at).total_seconds() <= UNAFFORDABLE_WAIT_SECONDS
    raise_to(2 * PRICE)
    spoken = shop.run(job)
    assert (spoken.status, spoken.cached, shop.bought()) == (JobStatus.SUCCEEDED, False, 2)


def test_a_copy_that_is_there_is_taken_whatever_the_budget(shop_on_both: Workshop) -> None:
    """It costs nothing."""
    shop = shop_on_both
    columns, _ = of_batch(shop)
    shop.run(shop.job(**SAME))
    spoken = shop.run(shop.job(**SAME, **columns))
    assert (spoken.status, spoken.cached, shop.bought()) == (JobStatus.SUCCEEDED, True, 1)
