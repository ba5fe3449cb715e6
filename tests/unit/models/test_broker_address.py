"""Addresses of Redis behind Sentinels, as people write them."""

from __future__ import annotations

import pytest

from api_models.broker_address import SentinelAddress, sentinel_address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sentinel://one?master_name=m", SentinelAddress((("one", 26_379),), "m")),
        (
            "sentinel://u:p%40x@one:1,two:2,[::1]:3/4?master_name=m&sentinel_password=s",
            SentinelAddress((("one", 1), ("two", 2), ("::1", 3)), "m", 4, "u", "p@x", sentinel_password="s"),
        ),
        (
            "sentinel://:p@one:1/2;sentinel://:p@two:2/2?master_name=m",
            SentinelAddress((("one", 1), ("two", 2)), "m", 2, None, "p"),
        ),
        ("redis://one:1/2", None),
        ("memory://", None),
    ],
)
def test_an_address_is_understood_in_both_spellings(url: str, expected: SentinelAddress | None) -> None:
    """Hosts with commas, or repeated as Celery's own documentation has it."""
    assert sentinel_address(url) == expected


def test_celery_is_given_one_address_for_each_sentinel() -> None:
    found = sentinel_address("sentinel://u:p;%40@one:1,[::1]:2/3?master_name=m&sentinel_username=w".replace(";", "%3B"))
    assert found is not None
    assert found.celery_url() == "sentinel://u:p%3B%40@one:1/3;sentinel://u:p%3B%40@[::1]:2/3"
    options = found.transport_options(seconds=5)
    assert (options["master_name"], options["sentinel_kwargs"]["username"]) == ("m", "w")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("sentinel://one:1/0", "needs the name of the primary"),
        ("sentinel://one:1/0?master_name=", "needs the name of the primary"),
        ("sentinel:///0?master_name=m", "names no Sentinel"),
        ("sentinel://hidden@one:x/0?master_name=m", "without a valid port"),
        ("sentinel://one:99999/0?master_name=m", "without a valid port"),
        ("sentinel://hidden@one:1/x?master_name=m", "database's number"),
        ("sentinel://hidden@one:1/0?master_name=m&master=x", "unknown option"),
    ],
)
def test_what_is_missing_is_named_and_no_password_is(url: str, part: str) -> None:
    with pytest.raises(ValueError, match=part) as caught:
        sentinel_address(url)
    assert "hidden" not in str(caught.value)
