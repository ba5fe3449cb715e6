"""Keys: plain names stay plain, strange ones become harmless and stay distinct."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_models.key_templates import FLAT_TEMPLATE, SHARED_TEMPLATE
from worker.artifacts.keys import checked_key, object_key

JOB = "0190a000-0000-7000-8000-000000000000"
ANY_TEXT = st.text(min_size=1, max_size=300)


def key(name: str, *, template: str = SHARED_TEMPLATE, tenant: str = "acme", batch: str | None = "b1") -> str:
    """A WAV's key, all but the tested part ordinary."""
    return object_key(template, tenant=tenant, batch=batch, custom_id=name, job=JOB, model="m", ext="wav")


def test_the_shared_layout() -> None:
    """Tenant, then batch or `jobs`, then the name with its extension; outside a batch the name is the job's id."""
    assert key("line-1") == "acme/b1/line-1.wav"
    assert key("line-1", batch=None) == f"acme/jobs/{JOB}.wav"


@pytest.mark.parametrize("name", ["0001", "Kapitel 1 – Größe", "日本語", "100%", "50%25 off"[:3], "a.b", "v1.2"])
def test_a_runs_own_folder_has_the_names_as_given(name: str) -> None:
    """What a file name can hold isn't changed."""
    assert key(name, template=FLAT_TEMPLATE) == f"{name}.wav"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.wav"),
        ("..", "%2E..wav"),
        (".ttsq", "%2Ettsq.wav"),
        ("a\\b:c", "a%5Cb%3Ac.wav"),
        ("tab\there\x00", "tab%09here%00.wav"),
        ("%2F", "%252F.wav"),
        ("\ud800", "%ED%A0%80.wav"),
        ("{tenant}", "{tenant}.wav"),
    ],
)
def test_what_could_do_harm_is_encoded(name: str, expected: str) -> None:
    """Ways upwards, separators, control characters and what looks encoded already are percent-encoded."""
    assert key(name, template=FLAT_TEMPLATE) == expected


@given(name=ANY_TEXT, tenant=ANY_TEXT, batch=ANY_TEXT)
def test_any_text_makes_a_key_that_every_store_takes(name: str, tenant: str, batch: str) -> None:
    """Whatever the input, the key has three segments and stays inside the store."""
    made = key(name, tenant=tenant, batch=batch)
    assert checked_key(made) == made
    assert made.count("/") == 2
    assert made.endswith(".wav")


@given(one=ANY_TEXT, other=ANY_TEXT)
def test_different_names_make_different_keys(one: str, other: str) -> None:
    """Encoding and shortening never bring two names together."""
    assert (key(one) == key(other)) == (one == other)


def test_long_names_are_cut_and_still_tell_apart() -> None:
    """Two names that differ only at the end of 300 characters have keys of their own."""
    one, other = key("é" * 300 + "1"), key("é" * 300 + "2")
    assert one != other
    assert len(one.rpartition("/")[2].encode()) <= 210


def test_an_empty_part_is_refused() -> None:
    """A job without tenant or name is a fault of the caller."""
    with pytest.raises(ValueError, match="empty"):
        key("")


def test_a_key_too_long_for_a_store_is_refused() -> None:
    """File systems and S3 have limits; the error comes before the upload."""
    with pytest.raises(ValueError, match="too long"):
        checked_key("a" * 221)
    with pytest.raises(ValueError, match="too long"):
        checked_key("/".join(["a" * 200] * 5))
