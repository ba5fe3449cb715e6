"""Which rungs listen, by the setting."""

from __future__ import annotations

import pytest

from worker.process.factories import chosen_rungs, missing_for_rungs
from worker.settings import load


@pytest.mark.parametrize(
    ("setting", "expected"), [("", set()), ("signal", {"signal"}), ("shape, rate", {"rate", "shape"})]
)
def test_those_that_are_named_listen(setting: str, expected: set[str]) -> None:
    assert set(chosen_rungs(load(TTSQ_TAKE_RUNGS=setting))) == expected


def test_automatically_those_that_can_judge_but_for_one_that_refuses_good_takes() -> None:
    settings = load(TTSQ_TAKE_RUNGS="auto")
    able = {rung for rung, lacks in missing_for_rungs(settings).items() if not lacks}
    assert "signal" in able
    assert set(chosen_rungs(settings)) == able - {"signal"}
