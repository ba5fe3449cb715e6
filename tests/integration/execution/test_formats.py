"""Audio in the form that was asked for: encoded after it was judged, stored under the right name and type."""

from __future__ import annotations

import math
import shutil
from decimal import Decimal
from typing import Final

import numpy as np
import pytest
import soundfile

from api_models.formats import AudioFormat
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import PRICE, Workshop
from worker.audio.container import Container
from worker.audio.gate import GateLimits
from worker.audio.measurement import measure
from worker.audio.take import accept
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Take
from worker.segmind.answers import Answer

SUCCEEDED, FAILED, QUEUED = JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.QUEUED
TEXT: Final = "The ferry leaves at noon, and the bakery behind the harbour opens at six, as it has for forty years."
CONTAINERS: Final = {
    AudioFormat.WAV: Container.WAV,
    AudioFormat.FLAC: Container.FLAC,
    AudioFormat.MP3: Container.MP3,
    AudioFormat.OPUS: Container.OGG,
}
PADDING_MS: Final = 100
"""Lossy codecs add silence at both ends."""


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """It speaks."""
    return EmulatorConfig()


@pytest.fixture
def limits() -> GateLimits:
    """Takes are judged."""
    return GateLimits()


@pytest.mark.parametrize("form", AudioFormat)
def test_a_job_ends_in_the_form_it_asked_for(shop_on_both: Workshop, form: AudioFormat) -> None:
    """Name, type, checksum and length are those of the very file, its rate is the API's, and the spool is empty."""
    shop = shop_on_both
    row = shop.run(shop.job(text=TEXT, audio_format=None if form is AudioFormat.WAV else str(form)))
    assert (row.status, row.cost) == (SUCCEEDED, PRICE)
    path = shop.file(row.id, ext=str(form))
    assert row.uri == path.as_uri()
    take, found = accept(path), shop.store.head(f"default/jobs/{row.id}.{form}")
    assert found is not None
    assert (take.container, take.sample_rate) == (CONTAINERS[form], 24_000)
    assert abs(take.duration_ms - row.duration_ms) <= PADDING_MS
    assert (row.content_type, row.sha256, row.audio_bytes) == (found.content_type, found.sha256, found.size)
    assert row.content_type == form.content_type
    assert shop.spooled() == []


def test_a_take_is_judged_before_it_is_encoded(shop: Workshop) -> None:
    """A bad one is refused as it came, and kept as it came."""
    shop.script(take=Take.TRUNCATED, times=1)
    job = shop.job(text=TEXT, audio_format="opus")
    assert shop.run(job).status == QUEUED
    (attempt,) = shop.books(job)
    assert attempt.take_uri == (shop.audio / f"default/jobs/refused/{job}.1.wav").as_uri()
    assert shop.run(job).content_type == "audio/ogg"


@pytest.mark.parametrize("form", [AudioFormat.WAV, AudioFormat.MP3])
def test_a_loudness_is_reached_over_the_whole_file(shop: Workshop, form: AudioFormat) -> None:
    """Within half a unit; the row records the measured loudness."""
    row = shop.run(shop.job(text=TEXT, target_lufs=-30.0, audio_format=None if form is AudioFormat.WAV else str(form)))
    found = measure(accept(shop.file(row.id, ext=str(form))))
    assert math.isclose(found.loudness_lufs, -30, abs_tol=0.5)
    assert math.isclose(row.loudness_lufs, -30, abs_tol=0.01)
    assert math.isclose(row.peak_dbfs, found.peak_dbfs, abs_tol=1)


def test_a_loudness_is_measured_where_takes_are_not_judged(shop: Workshop) -> None:
    """The gain needs it."""
    shop.limits = None
    row = shop.run(shop.job(text=TEXT, target_lufs=-30.0))
    assert math.isclose(measure(accept(shop.file(row.id))).loudness_lufs, -30, abs_tol=0.1)


def test_a_spooled_answer_is_encoded_as_well(shop_on_both: Workshop) -> None:
    """A worker died after its call: the next one makes of the answer what was asked for, and buys nothing."""
    shop = shop_on_both
    source = shop.run(shop.job(text=TEXT))
    job = shop.job(text=TEXT, use_cache=False, audio_format="flac")
    claim = shop.claim(job)
    spooled = shop.spool.path_for(job, claim.attempt)
    shutil.copyfile(shop.file(source.id), spooled)
    shop.spool.keep_receipt(spooled, Answer(status=200, cost=Decimal("0.0042"), request_id="req-9"))
    spooled.with_suffix(".wav").write_bytes(b"what the dead worker had begun to encode")
    shop.die()
    row = shop.restarted().run(job)
    assert (row.status, row.cost, row.content_type) == (SUCCEEDED, Decimal("0.0042"), "audio/flac")
    assert accept(shop.file(job, ext="flac")).frames == accept(shop.file(source.id)).frames
    assert shop.bought() == 1
    assert shop.spooled() == []


def test_an_encoded_object_that_was_not_recorded_is_found(shop: Workshop) -> None:
    """The row names the object with the type it has."""
    job = shop.job(text=TEXT, audio_format="mp3")
    first = shop.run(job)
    again = shop.job(
        id=job.__class__(int=job.int ^ 1), text=TEXT, audio_format="mp3", recover=True, attempt=1, use_cache=False
    )
    source, target = shop.file(job, ext="mp3"), f"default/jobs/{again}.mp3"
    metadata = {"ttsq-job": str(again), "ttsq-fingerprint": shop.row(again).fingerprint, "ttsq-cost": "0.0042"}
    shop.store.put(target, source, content_type="audio/mpeg", sha256=first.sha256, metadata=metadata)
    row = shop.run(again)
    assert (row.status, row.content_type, row.sha256, row.cost) == (
        SUCCEEDED,
        "audio/mpeg",
        first.sha256,
        Decimal("0.0042"),
    )
    assert shop.bought() == 1


def test_a_copy_has_the_form_of_its_source(shop: Workshop) -> None:
    """Equal contents have equal forms, so a copy is never of another one."""
    first = shop.run(shop.job(text=TEXT, audio_format="mp3", target_lufs=-20.0))
    copy = shop.run(shop.job(text=TEXT, fingerprint=first.fingerprint, audio_format="mp3", target_lufs=-20.0))
    assert (copy.cached, copy.content_type, copy.uri) == (True, "audio/mpeg", shop.file(copy.id, ext="mp3").as_uri())
    assert (copy.sha256, copy.loudness_lufs) == (first.sha256, first.loudness_lufs)


def test_what_a_codec_cannot_hold_ends_the_job_at_once(shop: Workshop) -> None:
    """Another take would have the same rate: it is not bought, and what was bought is kept."""
    job = shop.job(text=TEXT, audio_format="opus", recover=True, attempt=1)
    time = np.arange(7 * 44_100) / 44_100
    wave = 0.2 * np.sin(2 * np.pi * (200 + 40 * np.sin(time)) * time)
    with shop.spool.path_for(job, 1).open("wb") as file:
        soundfile.write(file, wave, 44_100, subtype="PCM_16", format="WAV")
    row = shop.run(job)
    assert (row.status, row.code) == (FAILED, "bad_audio")
    assert "44,100 Hz" in row.message
    assert shop.books(job)[-1].verdict == VerdictKind.BAD_TAKE
    assert (shop.audio / f"default/jobs/refused/{job}.2.wav").is_file()
    assert shop.bought() == 0
