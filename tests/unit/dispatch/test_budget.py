"""Budgets in admission: as many start as surely fit, the rest is held, and what is unknown is tried with care."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_models.registry import MODELS
from tests.factories import MODEL, OTHER_MODEL, a_lane
from worker.dispatch.budget import FIRST_CALLS, Allowance, allowance
from worker.store.money import ceilings
from worker.store.money.ceilings import Ceiling
from worker.store.money.in_flight import Flight, Load
from worker.store.money.limits import Limit

BATCH = UUID(int=7)
OTHER_BATCH = UUID(int=8)
LANE = a_lane(lane=BATCH, limited=True)
LOAD = Load(text_bytes=100, submitted=False)
PRICE = MODELS[MODEL].price
KNOWN = {MODEL: Ceiling(PRICE, 100)}


def of_batch(amount: str, spent: str = "0", batch: UUID = BATCH) -> Limit:
    """A batch's budget."""
    return Limit("default", batch, "book.csv", Decimal(amount), Decimal(spent))


def of_month(amount: str, spent: str = "0") -> Limit:
    """The default tenant's budget of a month."""
    return Limit("default", None, "default", Decimal(amount), Decimal(spent))


def flying(count: int, batch: UUID | None = BATCH, model: str = MODEL) -> list[Flight]:
    """Calls in flight."""
    return [Flight("default", batch, model, 100)] * count


def starts(books: Allowance, *, load: Load = LOAD, most: int = 1_000) -> int:
    """How many jobs of the lane may start."""
    number = 0
    while number < most and books.serve(LANE, load):
        number += 1
    return number


def test_as_many_start_as_surely_fit() -> None:
    """A dollar covers 149 calls of $0.0067, and not the 150th."""
    assert starts(allowance(KNOWN, [of_batch("1")], [])) == 149


def test_what_is_spent_and_in_flight_is_taken_off_first() -> None:
    """Of the same dollar, with 100 calls paid and 40 under way, nine are left."""
    assert starts(allowance(KNOWN, [of_batch("1", spent="0.67")], flying(40))) == 9


def test_to_the_last_digit() -> None:
    """A budget of exactly N calls covers them all, one of a picodollar less does not."""
    exact = PRICE * 10
    assert starts(allowance(KNOWN, [of_batch(str(exact))], [])) == 10
    assert starts(allowance(KNOWN, [of_batch(str(exact - Decimal("1e-12")))], [])) == 9


def test_the_tighter_of_two_limits_holds() -> None:
    """A batch with plenty left waits for its tenant's month, and the other way round."""
    assert starts(allowance(KNOWN, [of_batch("10"), of_month("0.0134")], [])) == 2
    assert starts(allowance(KNOWN, [of_batch("0.0134"), of_month("10")], [])) == 2


def test_other_batches_count_against_the_month_and_not_against_the_batch() -> None:
    """What the tenant has in flight elsewhere is its month's affair."""
    offload = flying(2, OTHER_BATCH) + flying(1, None)
    assert starts(allowance(KNOWN, [of_batch("0.0335")], offload)) == 5
    assert starts(allowance(KNOWN, [of_month("0.0335")], offload)) == 2


def test_a_lane_without_a_limit_starts_at_will() -> None:
    """Whatever the others may spend, and even where nothing is known of its model."""
    books = allowance({}, [of_batch("0", batch=OTHER_BATCH)], [])
    assert starts(books, most=50) == 50


def test_a_used_up_budget_starts_nothing() -> None:
    """Nor does one that was lowered below what is spent."""
    assert starts(allowance(KNOWN, [of_batch("1", spent="1")], [])) == 0
    assert starts(allowance(KNOWN, [of_batch("1", spent="3")], [])) == 0


def test_a_model_of_unknown_cost_starts_with_few_calls() -> None:
    """Those in flight count among them; once one has told its cost, the rest follows."""
    assert starts(allowance({}, [of_batch("100")], [])) == FIRST_CALLS
    assert starts(allowance({}, [of_batch("100")], flying(FIRST_CALLS - 1))) == 1
    assert starts(allowance({}, [of_batch("100")], flying(FIRST_CALLS + 5, model=OTHER_MODEL))) == FIRST_CALLS
    assert starts(allowance(KNOWN, [of_batch("100")], flying(FIRST_CALLS)), most=50) == 50


def test_what_was_submitted_already_is_never_held() -> None:
    """Its call is made and paid for: holding it would lose the audio. It is among those in flight, and counts once."""
    books = allowance(KNOWN, [of_batch("0.0201")], flying(2))
    assert books.serve(LANE, Load(100, submitted=True))
    assert books.serve(LANE, Load(100, submitted=True))
    assert books.serve(LANE, LOAD)
    assert not books.serve(LANE, LOAD)


def test_a_call_costs_at_most_the_dearest_seen_or_the_price() -> None:
    """Whichever is more; a longer text than any seen costs more in proportion, and never less than the price."""
    dear = {MODEL: Ceiling(Decimal("0.02"), 1_000)}
    cheap = {MODEL: Ceiling(Decimal("0.001"), 10)}
    assert ceilings.at_most({}, MODEL, 4_000) == PRICE
    assert ceilings.at_most(dear, MODEL, 10) == Decimal("0.02")
    assert ceilings.at_most(dear, MODEL, 4_000) == Decimal("0.08")
    assert ceilings.at_most(cheap, MODEL, 20) == PRICE
    assert ceilings.at_most(cheap, MODEL, 1_000) == Decimal("0.1")
    assert ceilings.at_most({}, "a-model-of-tomorrow", 10) == 0


def test_proportions_are_rounded_up() -> None:
    """A third of a cent is never a little too little."""
    assert ceilings.at_most({MODEL: Ceiling(Decimal("0.01"), 3)}, MODEL, 4) == Decimal("0.013334")


@given(
    st.lists(st.tuples(st.integers(1, 4_000), st.decimals("0.0001", "0.2", places=6)), min_size=1, max_size=30),
    st.integers(1, 4_000),
)
def test_costs_that_follow_the_length_are_never_underestimated(seen: list[tuple[int, Decimal]], size: int) -> None:
    """Whatever was seen before, where a call costs a fixed part and so much a byte."""
    fixed, per_byte = seen[0][1], seen[-1][1] / 1_000
    spoken = [length for length, _ in seen]
    known = {MODEL: Ceiling(max(fixed + per_byte * length for length in spoken), max(spoken))}
    assert ceilings.at_most(known, MODEL, size) >= fixed + per_byte * size


@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_budget_is_never_overdrawn(count: int) -> None:
    """Spent, in flight and started together stay within it."""
    limit = of_batch("0.5", spent="0.1")
    started = starts(allowance(KNOWN, [limit], flying(count)))
    assert limit.spent + PRICE * (count + started) <= limit.amount
    assert limit.spent + PRICE * (count + started + 1) > limit.amount
