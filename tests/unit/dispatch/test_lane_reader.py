"""What the settings choose: how the API is called, and where a good take ends."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

from api_models.problems import InvalidInputError
from tests.unit.models.models_files import EXAMPLE
from worker import settings
from worker.audio.gate import GateLimits
from worker.process.factories import StartError, open_client, require_descriptors, take_limits
from worker.segmind.client import VersionedClient
from worker.segmind.v1 import ClientV1
from worker.segmind.v2 import ClientV2

KEY = "SG_0123456789abcdef"


def test_v1_is_the_default_and_follows_what_v2_submitted() -> None:
    """As the vendor's pages for these models show it; handles of an earlier setting are still polled."""
    with closing(open_client(settings.load(SEGMIND_API_KEY=KEY))) as client:
        assert isinstance(client, VersionedClient)
        assert isinstance(client.blocking, ClientV1)
        assert isinstance(client.polling, ClientV2)


def test_v2_is_chosen_by_its_setting() -> None:
    """For everything."""
    with closing(open_client(settings.load(SEGMIND_API_KEY=KEY, SEGMIND_API="v2"))) as client:
        assert isinstance(client, ClientV2)


def test_a_model_is_called_by_an_api_that_serves_it() -> None:
    """Whatever the setting: the first that its entry names."""
    models = Path("models.toml")
    models.write_text(EXAMPLE, encoding="utf-8")
    loaded = settings.load(SEGMIND_API_KEY=KEY, SEGMIND_API="v2", TTSQ_MODELS=str(models))
    with closing(open_client(loaded)) as client:
        assert isinstance(client, VersionedClient)
        assert client._buyer("acme-voice") is client.blocking
        assert client._buyer("gemini-3.1-flash-tts") is client.polling
    settings.load()


def test_takes_are_judged_by_the_fact_sheets_limits() -> None:
    """Unless the operator sets others."""
    assert take_limits(settings.load()) == GateLimits()


def test_every_limit_has_its_setting() -> None:
    """One name each."""
    found = take_limits(
        settings.load(
            TTSQ_TAKE_MIN_LENGTH="0.4",
            TTSQ_TAKE_MAX_LENGTH="2.5",
            TTSQ_TAKE_MIN_PEAK_DBFS="-40",
            TTSQ_TAKE_MAX_SILENCE="0.7",
            TTSQ_TAKE_CHARACTERS_PER_SECOND="12",
        )
    )
    assert found == GateLimits(
        min_length=0.4, max_length=2.5, min_peak_dbfs=-40, max_silence_share=0.7, characters_per_second=12
    )


def test_checks_can_be_left_out() -> None:
    """For load tests."""
    assert take_limits(settings.load(TTSQ_TAKE_CHECKS="off")) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEGMIND_API", "v3"),
        ("TTSQ_RUN_TIMEOUT", "0"),
        ("TTSQ_TAKE_CHECKS", "maybe"),
        ("TTSQ_TAKE_MIN_LENGTH", "1.1"),
        ("TTSQ_TAKE_MAX_LENGTH", "0.9"),
        ("TTSQ_TAKE_MIN_PEAK_DBFS", "1"),
        ("TTSQ_TAKE_MAX_SILENCE", "-0.1"),
        ("TTSQ_TAKE_CHARACTERS_PER_SECOND", "0"),
    ],
)
def test_values_that_make_no_sense_are_refused(name: str, value: str) -> None:
    """By name."""
    with pytest.raises(InvalidInputError) as refused:
        settings.load(**{name: value})
    assert [fault.field for fault in refused.value.faults] == [name]


def test_more_calls_than_descriptors_are_no_worker() -> None:
    """An answer that finds no file to be written to would be paid for nothing: the start says what to raise."""
    with pytest.raises(StartError, match="open files") as caught:
        require_descriptors(sys.maxsize)
    assert "TTSQ_CONCURRENCY" in caught.value.remedy
    require_descriptors(1)
