"""Messages whose fields stand at the first level."""

from __future__ import annotations

from api_models.event_samples import SAMPLES, message
from api_models.flat_events import flat
from api_models.happenings import Happening


def test_nested_fields_are_joined_with_an_underscore() -> None:
    """Lists and plain values stay; the type and time of the message are never replaced by fields of its data."""
    found = flat("x", "now", {"id": "1", "audio": {"url": "/a"}, "tags": ["b"], "type": "other", "counts": {"ok": 2}})
    assert found == {"type": "x", "timestamp": "now", "id": "1", "audio_url": "/a", "tags": ["b"], "counts_ok": 2}


def test_a_job_without_audio_has_the_same_names() -> None:
    """A mapping made from a success fits a failure."""
    names = {frozenset(message(kind, SAMPLES[kind])) for kind in Happening if kind.startswith("job.")}
    assert len(names) == 1
    assert message(Happening.JOB_FAILED, SAMPLES[Happening.JOB_FAILED])["audio_url"] is None


def test_each_event_type_has_a_sample_without_nesting() -> None:
    """But for `data`, which holds what other receivers read."""
    assert set(SAMPLES) == set(Happening)
    for kind, data in SAMPLES.items():
        found = message(kind, data)
        assert found["data"] == data
        assert not [name for name, value in found.items() if isinstance(value, dict) and name != "data"]
