"""MP3s with the bitrate, rate and tags that were asked for, also where the audio is a copy of another job's."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from api_models.encodings import NO_TAGS
from api_models.status import JobStatus
from tests.attempt_harness import Workshop
from tests.unit.audio.test_mp3_options import frames, tag_texts
from worker.audio.id3 import retag
from worker.audio.take import accept
from worker.emulator.config import EmulatorConfig

TEXT: Final = "The ferry leaves at noon."
MP3: Final[dict[str, Any]] = {"text": TEXT, "audio_format": "mp3", "mp3_bitrate": 192, "sample_rate": 44_100}


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """It speaks."""
    return EmulatorConfig()


def tagged(**tags: str) -> str:
    """As the row keeps them."""
    return json.dumps(tags)


def test_an_mp3_has_its_bitrate_its_rate_and_its_tags(shop: Workshop) -> None:
    """The row describes the file that is stored, tags included."""
    row = shop.run(shop.job(**MP3, audio_tags=tagged(title="Fähre", track="3/12")))
    content = shop.file(row.id, ext="mp3").read_bytes()
    assert tag_texts(content) == {"TIT2": "Fähre", "TRCK": "3/12"}
    assert row.audio_bytes == len(content)
    assert accept(shop.file(row.id, ext="mp3")).sample_rate == 44_100


def test_a_copy_has_its_own_tags_and_costs_nothing(shop_on_both: Workshop) -> None:
    """One call for three jobs of one content: other tags, none, and the same."""
    shop = shop_on_both
    first = shop.run(shop.job(**MP3, audio_tags=tagged(title="One")))
    other = shop.run(shop.job(**MP3, audio_tags=tagged(title="Two", artist="Ann")))
    plain = shop.run(shop.job(**MP3))
    same = shop.run(shop.job(**MP3, audio_tags=tagged(title="One")))
    assert [row.status for row in (first, other, plain, same)] == [JobStatus.SUCCEEDED] * 4
    assert [row.cached for row in (first, other, plain, same)] == [False, True, True, True]
    assert shop.bought() == 1
    files = [shop.file(row.id, ext="mp3") for row in (first, other, plain, same)]
    assert tag_texts(files[1].read_bytes()) == {"TIT2": "Two", "TPE1": "Ann"}
    assert set(frames(files[2].read_bytes())) == {(192, 44_100)}
    assert files[0].read_bytes() == files[3].read_bytes()
    retag(files[0], files[0].with_name("untagged"), NO_TAGS)
    assert files[0].with_name("untagged").read_bytes() == files[2].read_bytes()
    assert shop.spooled() == []


@pytest.mark.parametrize("others", [{"mp3_bitrate": 128}, {"sample_rate": 48_000}, {"mp3_bitrate": None}])
def test_another_bitrate_or_rate_is_another_content(shop: Workshop, others: dict[str, Any]) -> None:
    """It can't be made of the first without losing quality, so it is bought."""
    shop.run(shop.job(**MP3))
    row = shop.run(shop.job(**(MP3 | others)))
    assert (row.status, row.cached) == (JobStatus.SUCCEEDED, False)
    assert shop.bought() == 2
