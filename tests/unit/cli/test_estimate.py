"""What calls will cost and how long they will take, from what is known before."""

from __future__ import annotations

from decimal import Decimal

import pytest

from api_models.registry import MODELS
from tests.factories import MODEL, OTHER_MODEL
from worker.cli.money.estimate import ENOUGH_TEXTS, Basis, Estimate, Need, Speed, basis, estimate
from worker.store.money.pricing import Seen

FREE = Speed(None, None)
BASES = {MODEL: Basis(Decimal("0.0067"), 8.0, None), OTHER_MODEL: Basis(Decimal("0.005"), 20.0, 40)}


def of(calls: int, speed: Speed, *, model: str = MODEL) -> Estimate:
    """The estimate for `calls` texts of one model, all to be bought."""
    return estimate([Need(model, 10, buy=True)] * calls, BASES, speed)


def test_each_model_has_its_own_line_and_price() -> None:
    """In the registry's order; what needn't be bought is counted and costs nothing."""
    needs = [Need(OTHER_MODEL, 5, buy=True), Need(MODEL, 10, buy=True), Need(MODEL, 90, buy=False)]
    found = estimate(needs, BASES, FREE)
    assert [(part.model, part.texts, part.calls, part.copies, part.characters) for part in found.parts] == [
        (MODEL, 2, 1, 1, 10),
        (OTHER_MODEL, 1, 1, 0, 5),
    ]
    assert (found.texts, found.calls, found.copies, found.characters) == (3, 2, 1, 15)
    assert found.cost == Decimal("0.0117")


def test_nothing_to_buy_costs_nothing_and_takes_no_time() -> None:
    """However many texts there are."""
    found = estimate([Need(MODEL, 10, buy=False)] * 9, BASES, Speed(60, 1))
    assert (found.calls, found.cost, found.seconds) == (0, Decimal(0), 0.0)
    assert estimate([], BASES, FREE).seconds == 0.0


@pytest.mark.parametrize(
    ("calls", "speed", "seconds"),
    [
        (1, FREE, 8.0),
        (1_000, FREE, 8.0),
        (10, Speed(None, 5), 16.0),
        (11, Speed(None, 5), 24.0),
        (61, Speed(60, 100), 68.0),
        (61, Speed(60, 1), 488.0),
    ],
)
def test_the_narrower_of_pace_and_slots_determines_the_time(calls: int, speed: Speed, seconds: float) -> None:
    """Starts a minute, or rounds of slots; the last call has to end as well."""
    assert of(calls, speed).seconds == pytest.approx(seconds)


@pytest.mark.parametrize(("dollars", "calls"), [("0", 0), ("0.67", 100), ("1.34", 200), ("99", 200), ("-1", 0)])
def test_money_pays_for_a_part_of_the_calls(dollars: str, calls: int) -> None:
    """In proportion, and never for more than there are."""
    assert of(200, FREE).calls_for(Decimal(dollars)) == calls


def test_what_was_seen_counts_once_there_is_enough_of_it() -> None:
    """Before that the registry's price stands."""
    few, many = (Seen(texts, Decimal("0.009"), 3.0) for texts in (ENOUGH_TEXTS - 1, ENOUGH_TEXTS))
    listed = Basis(MODELS[MODEL].price, MODELS[MODEL].mean_seconds, None, MODELS[MODEL].price_today)
    assert basis(MODEL, None) == basis(MODEL, few) == listed
    assert basis(MODEL, many) == Basis(Decimal("0.009"), 3.0, ENOUGH_TEXTS)
