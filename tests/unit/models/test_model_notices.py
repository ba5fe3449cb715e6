"""Notices of what ends: from 90 days before a model's last day, and 14 before that of its last price."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from api_models.model_file import user_models
from api_models.model_notices import NoticeKind, notices, price_days, sunset_days
from api_models.registry import MODELS
from tests.unit.models.models_files import EXAMPLE, NEW_PRICE, changed

LAST = date(2027, 6, 30)
ENDING = user_models(changed("mean_seconds = 5.0", 'sunset = 2027-06-30\nsuccessor = "gemini-3.1-flash-tts"'), "f")


@pytest.mark.parametrize(
    ("days", "kinds"),
    [(91, []), (90, [NoticeKind.SUNSET_NEAR]), (0, [NoticeKind.SUNSET_NEAR]), (-1, [NoticeKind.SUNSET_PASSED])],
)
def test_a_sunset_is_announced_and_then_stated(days: int, kinds: list[NoticeKind]) -> None:
    """With the successor as the remedy."""
    found = notices(ENDING.values(), LAST - timedelta(days=days))
    assert [notice.kind for notice in found] == kinds
    assert all(notice.days == days and "gemini-3.1-flash-tts" in notice.remedy for notice in found)


@pytest.mark.parametrize(
    ("day", "kinds"),
    [
        (date(2027, 12, 31), []),
        (date(2028, 12, 17), [NoticeKind.PRICE_ENDS]),
        (date(2028, 12, 31), [NoticeKind.PRICE_ENDS]),
        (date(2029, 1, 1), [NoticeKind.PRICE_MISSING]),
    ],
)
def test_the_end_of_the_last_price_row_is_announced(day: date, kinds: list[NoticeKind]) -> None:
    """A row that another one follows is no end."""
    models = user_models(
        EXAMPLE.replace("valid_from = 2028-01-01", "valid_from = 2028-01-01\nvalid_until = 2028-12-31"), "f"
    )
    assert [notice.kind for notice in notices(models.values(), day)] == kinds


def test_the_built_in_models_have_nothing_to_say() -> None:
    """A healthy installation shows no warning."""
    assert not notices(MODELS.values(), LAST)
    assert {(sunset_days(model, LAST), price_days(model, LAST)) for model in MODELS.values()} == {(None, None)}


def test_a_gap_between_rows_is_a_missing_price() -> None:
    """Before the first row too."""
    model = user_models(NEW_PRICE.replace("2027-01-01", "2027-02-01"), "f")["gemini-3.1-flash-tts"]
    assert price_days(model, date(2027, 1, 15)) == -1
    assert price_days(model, date(2027, 2, 1)) is None
