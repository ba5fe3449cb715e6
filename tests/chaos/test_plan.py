"""Plans: repeatable, complete, and over in time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.plan import AIMS, Kind, make_plan
from tests.chaos.services import Service, led_through


@given(seed=st.integers(0, 10**6), seconds=st.floats(1, 600))
def test_the_seed_makes_the_plan(seed: int, seconds: float) -> None:
    """Made again it is the same; every step begins and ends within its time, at a host that there is."""
    plan = make_plan(seed, seconds, hosts=3)
    assert plan == make_plan(seed, seconds, hosts=3)
    assert all(step.at >= 0 and 0 <= step.seconds <= seconds - step.at for step in plan)
    assert all(step.host in range(3) for step in plan)
    assert [step.at for step in plan] == sorted(step.at for step in plan)


@given(seed=st.integers(0, 10**6))
def test_a_long_plan_leaves_nothing_out(seed: int) -> None:
    """Four minutes are enough for every kind, every host and every service."""
    plan = make_plan(seed, 240, hosts=3)
    assert {step.kind for step in plan} == set(Kind)
    assert {step.host for step in plan} == {0, 1, 2}
    assert {step.service for step in plan} == set(Service)


def test_another_seed_makes_another_plan() -> None:
    """Else a seed would mean nothing."""
    assert make_plan(1, 120, hosts=3) != make_plan(2, 120, hosts=3)


def test_every_kind_is_about_something() -> None:
    """The table is whole."""
    assert set(AIMS) == set(Kind)


def test_settings_are_led_another_way() -> None:
    """Host and port change; users, passwords, databases and paths stay."""
    there = {
        "TTSQ_DATABASE_URL": "postgresql+psycopg://me:secret@127.0.0.1:5432/queue",
        "TTSQ_BROKER_URL": "redis://127.0.0.1:6379/0",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000",
        "SEGMIND_BASE_URL": "http://127.0.0.1:8000",
        "TTSQ_CONCURRENCY": "5",
    }
    ways = {service: ("10.0.0.1", number) for number, service in enumerate(Service, 1)}
    assert led_through(there, ways) == {
        "TTSQ_DATABASE_URL": "postgresql+psycopg://me:secret@10.0.0.1:1/queue",
        "TTSQ_BROKER_URL": "redis://10.0.0.1:2/0",
        "AWS_ENDPOINT_URL_S3": "http://10.0.0.1:3",
        "SEGMIND_BASE_URL": "http://10.0.0.1:4",
    }
