"""Every take as a WAV: the same sound at the same rate, with a correct header."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import pytest
import soundfile

from tests.unit.audio.test_container import tone
from tests.unit.audio.test_take import FMT, encode, saved, wav
from worker.audio.container import Container
from worker.audio.conversion import as_wav
from worker.audio.errors import BadAudioError
from worker.audio.take import Take, accept


def samples_of(path: Path) -> bytes:
    """The samples, read by Python's own WAV reader, which believes the header."""
    with wave.open(str(path), "rb") as sound:
        return sound.readframes(sound.getnframes())


def test_a_wav_stays_the_file_it_is(tmp_path: Path) -> None:
    """Nothing is written where nothing is to be done."""
    take = accept(saved(tmp_path, wav(FMT)))
    assert as_wav(take, tmp_path / "out.wav") is take
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("length", [4800, 4801])
def test_headerless_samples_get_a_header(tmp_path: Path, length: int) -> None:
    """The samples are untouched, and half a sample at the end is left out."""
    content = tone(2401)[:length]
    take = as_wav(accept(saved(tmp_path, content)), tmp_path / "out.wav")
    assert (take.container, take.path, take.sample_rate, take.frames) == (
        Container.WAV, tmp_path / "out.wav", 24_000, 2400,
    )  # fmt: skip
    assert samples_of(take.path) == content[:4800]
    assert accept(take.path) == take


@pytest.mark.parametrize("promised", [0, 0xFFFFFFFF])
def test_a_streamed_wav_gets_true_sizes(tmp_path: Path, promised: int) -> None:
    """Chunks before the samples stay; the sizes are those of the file."""
    data = tone(1200)
    content = wav((b"LIST", b"INFOISFT"), FMT, data=data + b"\x01", promised=promised, riff=promised)
    take = as_wav(accept(saved(tmp_path, content)), tmp_path / "out.wav")
    assert take.frames == 1200
    assert samples_of(take.path) == data
    written = take.path.read_bytes()
    assert int.from_bytes(written[4:8], "little") == len(written) - 8
    assert b"INFOISFT" in written
    assert as_wav(take, tmp_path / "again.wav") is take


def test_samples_of_odd_size_are_padded(tmp_path: Path) -> None:
    """RIFF wants chunks of even length, and the padding is no sample."""
    fmt = (b"fmt ", b"\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0")
    take = as_wav(accept(saved(tmp_path, wav(fmt, data=b"\x80" * 301, promised=0))), tmp_path / "out.wav")
    assert take.frames == 301
    assert take.path.stat().st_size % 2 == 0
    assert accept(take.path) == take


@pytest.mark.parametrize(
    ("form", "subtype", "written"),
    [
        ("FLAC", "PCM_16", "PCM_16"),
        ("FLAC", "PCM_24", "PCM_24"),
        ("OGG", "VORBIS", "PCM_16"),
        ("OGG", "OPUS", "PCM_16"),
        ("MP3", "MPEG_LAYER_III", "PCM_16"),
    ],
)
def test_encoded_sound_is_decoded(tmp_path: Path, form: str, subtype: str, written: str) -> None:
    """Rate, channels and length stay; what no encoder lost isn't lost here either."""
    source = [[math.sin(at / 9) / 3, math.sin(at / 7) / 3] for at in range(100_000)]
    encode(tmp_path / "a", form, subtype, source, rate=48_000)
    take = accept(tmp_path / "a")
    made = as_wav(take, tmp_path / "out.wav")
    assert made == Take(tmp_path / "out.wav", Container.WAV, 48_000, 2, take.frames)
    assert accept(made.path) == made
    assert soundfile.info(made.path).subtype == written
    before, after = (soundfile.read(path, dtype="int32")[0] for path in (take.path, made.path))
    tolerance = 0 if form == "FLAC" else 2**18  # four steps of 16 bits
    assert int(abs(before - after).max()) <= tolerance


def test_loud_sound_is_clipped_not_wrapped(tmp_path: Path) -> None:
    """A lossy decoder can overshoot; a wrapped sample would be a click."""
    encode(tmp_path / "a", "OGG", "VORBIS", [[math.copysign(0.999, math.sin(at / 20))] for at in range(24_000)])
    made = as_wav(accept(tmp_path / "a"), tmp_path / "out.wav")
    before, after = soundfile.read(tmp_path / "a")[0], soundfile.read(made.path)[0]
    assert before.max() > 1
    assert abs(before.clip(-1, 1) - after).max() < 0.001


def test_sound_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    """Half a WAV never stands where a whole one is expected."""
    encode(tmp_path / "a", "FLAC", "PCM_16", [[math.sin(at / 9) / 3] for at in range(200_000)])
    take = accept(tmp_path / "a")
    content = bytearray((tmp_path / "a").read_bytes())
    (tmp_path / "a").write_bytes(content[: len(content) // 2])
    with pytest.raises(BadAudioError):
        as_wav(take, tmp_path / "out.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
