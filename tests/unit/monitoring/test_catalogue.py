"""The table of metrics, and what is rendered from it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests import metrics_page
from worker.monitoring.catalogue import FAMILIES, Family, Kind

DOCS: Final = Path(__file__).parents[3] / "docs"


def test_the_page_of_metrics_is_current() -> None:
    """After a change: `python -m tests.metrics_page > docs/metrics.md`."""
    assert (DOCS / "metrics.md").read_text(encoding="utf-8") == metrics_page.page()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_names_follow_prometheus(family: Family) -> None:
    """Counters end in `_total` and nothing else does; each has a sentence."""
    assert (family.kind is Kind.COUNTER) == family.name.endswith("_total")
    assert family.description.endswith(".")
    assert "le" not in family.labels


def test_each_name_is_used_once() -> None:
    """Two families of a name can't be told apart."""
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
