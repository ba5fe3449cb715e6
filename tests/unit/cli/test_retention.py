"""`--expires-after` deletes what was paid for: a mistake in it is asked about."""

from __future__ import annotations

import pytest

from worker.cli.console.errors import BadOptionError
from worker.cli.run.options import retention


@pytest.mark.parametrize("value", ["3", " 30 ", "0", "2592000", "1.5"])
def test_a_number_without_a_unit_is_refused(value: str) -> None:
    """It would mean seconds, and was hardly meant so."""
    with pytest.raises(BadOptionError) as refused:
        retention(value)
    assert f"write {value.strip()}d for days" in refused.value.remedy


@pytest.mark.parametrize(("value", "warned"), [("59m", True), ("3s", True), ("1h", False), ("30d", False)])
def test_less_than_an_hour_is_warned_of(value: str, warned: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Results may be gone before they are fetched."""
    assert retention(value) == value
    assert ("will be deleted" in capsys.readouterr().err) is warned
