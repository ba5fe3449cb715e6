"""A part that was chosen or pinned is what later versions of its document copy, whatever else has its content."""

from __future__ import annotations

import pytest
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from tests.attempt_harness import Workshop
from worker.audio.gate import GateLimits
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Take
from worker.store.transitions import choices

TEXT = "The ferry leaves at noon, and the bakery behind the harbour opens at six."


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """It speaks."""
    return EmulatorConfig()


@pytest.fixture
def limits() -> GateLimits:
    """Lenient: short takes are good."""
    return GateLimits(min_length=0.1, min_unfinished_length=0.1)


@pytest.mark.parametrize("pinned", [0, 1, 2])
def test_the_pinned_take_is_copied(shop_on_both: Workshop, pinned: int) -> None:
    shop, parent = shop_on_both, uuid7()
    rules = [
        Rule(effect=Effect(take=Take.TRUNCATED, share=share), match=Match(nth_of_text=(number,)))
        for number, share in ((1, 0.5), (2, 0.7), (3, 0.9))
    ]
    shop.emulator.admin.rules(rules)
    part = {"text": TEXT, "parent": parent, "part": 1}
    bought = [shop.run(shop.job(**part, use_cache=False, chosen=number == 0)) for number in range(3)]
    assert len({row.sha256 for row in bought}) == 3
    with shop.database.begin() as connection:
        assert choices.pin(connection, bought[pinned].id, pinned=True)
    copy = shop.run(shop.job(text=TEXT, parent=uuid7(), part=1, chosen=True))
    assert (copy.status, copy.cached, copy.sha256) == (JobStatus.SUCCEEDED, True, bought[pinned].sha256)
