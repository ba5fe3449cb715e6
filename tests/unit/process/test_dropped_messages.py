"""Dropped messages are counted one by one, and logged so that a flood doesn't fill the disk."""

from __future__ import annotations

import pytest
import structlog

from worker.process.dropped_messages import LOGGED_PER_MINUTE, DroppedMessages, Refusal, UnusableMessageError


def test_a_flood_is_counted_and_summed_up() -> None:
    now = [0.0]
    dropped = DroppedMessages(clock=lambda: now[0])
    with structlog.testing.capture_logs() as logged:
        for _ in range(1_000):
            dropped.add(UnusableMessageError("not_json", "it is no JSON"), queue="ttsq")
        now[0] = 61.0
        dropped.add(UnusableMessageError("too_large", "it is too large"), queue="ttsq")
    assert len(logged) == LOGGED_PER_MINUTE + 1
    assert (logged[-1]["total"], logged[-1]["unlogged"]) == (1_001, 1_000 - LOGGED_PER_MINUTE)
    assert dropped.by_reason == {"not_json": 1_000, "too_large": 1}


@pytest.mark.parametrize("submission", [None, "order-17"])
def test_only_a_producer_is_told(submission: str | None) -> None:
    told: list[Refusal] = []
    dropped = DroppedMessages(told.append)
    dropped.add(UnusableMessageError("eta", "eta is not supported", submission=submission), queue="ttsq")
    assert told == ([Refusal("order-17", "eta is not supported")] if submission else [])
