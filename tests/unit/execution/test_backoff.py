"""The waits between the tries of a job: exponential, with full jitter, up to five minutes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.execution.settlements import CAP_SECONDS, FIRST_SECONDS, next_delay


@given(tries=st.integers(min_value=0, max_value=10_000), seed=st.integers())
def test_a_delay_lies_within_its_bound(tries: int, seed: int) -> None:
    """Never negative, never over the doubled bound or the cap, for any number of tries."""
    bound = min(CAP_SECONDS, FIRST_SECONDS * 2 ** min(tries, 30))
    assert 0 <= next_delay(tries, random.Random(seed)) <= bound


@pytest.mark.parametrize("tries", [1, 4, 50])
def test_the_jitter_is_full(tries: int) -> None:
    """Jobs that failed together come back spread evenly over the whole wait."""
    rng = random.Random(7)
    bound = min(CAP_SECONDS, FIRST_SECONDS * 2**tries)
    shares = [next_delay(tries, rng) / bound for _ in range(500)]
    assert min(shares) < 0.05
    assert max(shares) > 0.95
    assert sum(shares) / len(shares) == pytest.approx(0.5, abs=0.06)


def test_waits_grow_from_try_to_try() -> None:
    """With the same throw of the dice each try waits longer, until the cap."""
    waits = [next_delay(tries, random.Random(3)) for tries in range(9)]
    assert waits[:8] == sorted(set(waits[:8]))
