"""The filter of job lists: what it means, and what is said about a faulty one."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_models.job_filter import Comparison, JobFilter, parse
from api_models.problems import InvalidInputError
from api_models.status import JobStatus

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", JobFilter()),
        ("  state:failed  ", JobFilter(states=(JobStatus.FAILED,))),
        ("state:failed,expired STATE:failed", JobFilter(states=(JobStatus.FAILED, JobStatus.EXPIRED))),
        ("code:bad_audio model:gemini-3.1-flash-tts", JobFilter(code="bad_audio", model="gemini-3.1-flash-tts")),
        ('batch:"my batch.csv"', JobFilter(batch="my batch.csv")),
        ("voice:Kore tag:evening id:line-7", JobFilter(voice="Kore", tag="evening", id="line-7")),
        ("cost:>0.02", JobFilter(costs=((Comparison.OVER, Decimal("0.02")),))),
        ("cost:<=$1 cost:>=0", JobFilter(costs=((Comparison.AT_MOST, Decimal(1)), (Comparison.AT_LEAST, Decimal(0))))),
        ("priority:-1", JobFilter(priorities=((Comparison.EQUAL, -1),))),
        ("since:2h", JobFilter(since=NOW - timedelta(hours=2))),
        ("until:7d", JobFilter(until=NOW - timedelta(days=7))),
        ("since:2026-11-30", JobFilter(since=datetime(2026, 11, 30, tzinfo=UTC))),
        ("since:2026-11-30T08:00+01:00", JobFilter(since=datetime(2026, 11, 30, 7, tzinfo=UTC))),
        ('ferry "ten past four" text:leaves', JobFilter(texts=("ferry", "ten past four", "leaves"))),
        (r'"he said \"no\""', JobFilter(texts=('he said "no"',))),
        ("tenant:acme", JobFilter(tenant="acme")),
    ],
)
def test_terms_are_read(text: str, expected: JobFilter) -> None:
    """Each in its own way, all of them together."""
    assert parse(text, now=NOW) == expected


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("sate:failed", 'did you mean "state"?'),
        ("state:faild", 'did you mean "failed"?'),
        ("state:sleeping", "it is one of scheduled"),
        ("cost:cheap", "write cost:>0.02"),
        ("cost:1.2.3", "write cost:>0.02"),
        ("priority:1.5", "whole number"),
        ("since:yesterday", "write 2h, 7d, 2026-12-01"),
        ("since:9999-12-31", "supported range"),
        ('"open', "closing quote"),
        ("http://x", "the terms are"),
        ("code:a\x00b", "cannot be stored"),
        ('code:""', "has no value"),
        ("x " * 31, "at most 30 terms"),
        ("x" * 1_001, "at most 1,000 characters"),
    ],
)
def test_a_faulty_filter_is_refused_with_the_remedy(text: str, remedy: str) -> None:
    """It names the term."""
    with pytest.raises(InvalidInputError) as refused:
        parse(text, now=NOW)
    assert remedy in str(refused.value)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else happens."""
    with suppress(InvalidInputError):
        assert isinstance(parse(text, now=NOW), JobFilter)


def test_another_tenants_jobs_are_out_of_reach() -> None:
    """A filter can only be narrowed to the caller's tenant."""
    assert parse("state:failed", now=NOW).of_tenant("acme").tenant == "acme"
    assert parse("tenant:acme", now=NOW).of_tenant("acme").tenant == "acme"
    with pytest.raises(InvalidInputError, match="only jobs of"):
        parse("tenant:globex", now=NOW).of_tenant("acme")
