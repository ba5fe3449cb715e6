"""What docs/operations.md says in figures and names is so."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final

import pytest

from api_models.registry import MODELS
from worker import settings

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SIZES: Final = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
SECONDS: Final = (7.7, 18.4)
NOT_SETTINGS: Final = {"TTSQ_"}


@pytest.mark.parametrize("row", SIZES, ids=lambda row: f"{row[0]} a minute")
def test_the_slots_follow_from_rate_and_latency(row: tuple[str, str, str]) -> None:
    """For each rate and both models."""
    rate, *slots = map(int, row)
    assert slots == [math.ceil(rate * seconds / 60) for seconds in SECONDS]


def test_every_published_rate_is_listed() -> None:
    """And the seconds are those that the registry has."""
    assert [int(rate) for rate, *_ in SIZES] == [5, 60, 120, 500, 1000]
    assert sorted(float(model.mean_seconds) for model in MODELS.values()) == sorted(SECONDS)


def test_every_setting_that_is_named_exists() -> None:
    """A name copied from the page must be valid."""
    named = set(re.findall(r"\b(?:TTSQ|SEGMIND)_[A-Z0-9_]+\b", PAGE))
    assert named
    assert named <= set(settings.names())


def test_every_event_of_the_log_that_is_named_is_written_somewhere() -> None:
    """Alerts are built on these names."""
    section = PAGE.split("| event | level | means |")[1].split("##")[0]
    events = {
        name
        for line in section.splitlines()
        for name in re.findall(r"`([a-z_]+)`", line.split("|")[1] if "|" in line else "")
    }
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "worker").rglob("*.py"))
    assert len(events) > 10
    assert {name for name in events if f'"{name}"' not in sources} == set()
