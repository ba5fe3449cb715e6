"""Accepting: whole audio of any container is a take with true measures; everything else is refused with a reason."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import soundfile

from tests.unit.audio.test_container import tone
from worker.audio.container import Container
from worker.audio.errors import BadAudioError
from worker.audio.take import accept

PCM_16_MONO = struct.pack("<HHIIHH", 1, 1, 24_000, 48_000, 2, 16)


def wav(
    *chunks: tuple[bytes, bytes], data: bytes = b"\x01\x00" * 2400, promised: int | None = None, riff: int | None = None
) -> bytes:
    """A WAV of these chunks, then the samples; sizes as given, where they shall be wrong."""
    body = b"WAVE" + b"".join(
        name + len(part).to_bytes(4, "little") + part + b"\0" * (len(part) % 2) for name, part in chunks
    )
    body += b"data" + (len(data) if promised is None else promised).to_bytes(4, "little") + data
    return b"RIFF" + (len(body) if riff is None else riff).to_bytes(4, "little") + body


def saved(folder: Path, content: bytes) -> Path:
    """A spool file: its name says nothing of the container."""
    path = folder / "spooled.audio"
    path.write_bytes(content)
    return path


def reason(folder: Path, content: bytes) -> str:
    """Why the content isn't accepted."""
    with pytest.raises(BadAudioError) as caught:
        accept(saved(folder, content))
    assert caught.value.message
    return caught.value.reason


FMT = (b"fmt ", PCM_16_MONO)
EXTENSIBLE = struct.pack("<HHIIHHHHIH", 0xFFFE, 2, 48_000, 288_000, 6, 24, 22, 24, 3, 1) + b"\0" * 14


@pytest.mark.parametrize(
    ("content", "sample_rate", "channels", "frames"),
    [
        (wav(FMT), 24_000, 1, 2400),
        (wav((b"LIST", b"INFOISFT"), FMT, (b"fact", b"\x60\x09\0\0")), 24_000, 1, 2400),
        (wav((b"JUNK", b"\0" * 9001), FMT), 24_000, 1, 2400),
        (wav(FMT) + b"LIST\x04\0\0\0INFO", 24_000, 1, 2400),
        (wav(FMT, data=b"\x01\x00\x02"), 24_000, 1, 1),
        (wav(FMT, promised=0xFFFFFFFF, riff=0xFFFFFFFF), 24_000, 1, 2400),
        (wav(FMT, promised=0xFFFFFFFF - 36), 24_000, 1, 2400),
        (wav(FMT, promised=0x7FFFFFFF), 24_000, 1, 2400),
        (wav(FMT, promised=0, riff=0), 24_000, 1, 2400),
        (wav((b"fmt ", EXTENSIBLE), data=b"\x01" * 600), 48_000, 2, 100),
        (wav((b"fmt ", struct.pack("<HHIIHHH", 3, 1, 16_000, 64_000, 4, 32, 0)), data=b"\0" * 64), 16_000, 1, 16),
        (wav((b"fmt ", struct.pack("<HHIIHHH", 7, 1, 8_000, 8_000, 1, 8, 0)), data=b"\x55" * 80), 8_000, 1, 80),
    ],
    ids=[
        "plain", "chunks before", "long chunk before", "chunk after", "odd length", "streamed, all bits",
        "streamed, all bits less the header", "streamed, 2 GiB", "streamed, zero", "extensible", "float", "µ-law",
    ],
)  # fmt: skip
def test_wav_in_all_its_forms(tmp_path: Path, content: bytes, sample_rate: int, channels: int, frames: int) -> None:
    """Rate, channels and frames are those of the samples that are there, whatever stands around them."""
    take = accept(saved(tmp_path, content))
    assert (take.container, take.sample_rate, take.channels, take.frames) == (
        Container.WAV, sample_rate, channels, frames,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (wav(FMT, data=b""), "no_frames"),
        (wav(FMT, data=b"\x01"), "no_frames"),
        (wav(FMT, data=b"") + b"LIST\x04\0\0\0INFO", "no_frames"),
        (wav(FMT, promised=4802), "cut_off"),
        (wav(FMT)[:-1], "cut_off"),
        (wav(FMT)[:44] + b"\x01\x00", "cut_off"),
        (wav(FMT)[:40], "unreadable"),
        (wav(FMT)[:12], "unreadable"),
        (wav(), "unreadable"),
        (wav((b"fmt ", b"\x01\x00")), "unreadable"),
        (wav((b"fmt ", struct.pack("<HHIIHH", 1, 0, 24_000, 48_000, 2, 16))), "unreadable"),
        (wav((b"fmt ", struct.pack("<HHIIHH", 1, 1, 0, 0, 2, 16))), "unreadable"),
        (b"RIFF\0\0\0\0WAVE" + b"JUNK\0\0\0\0" * 100, "unreadable"),
        (b'{"error": "no audio today"}', "not_audio"),
        (b"<html>nothing to hear</html>", "not_audio"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not_audio"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "unsupported"),
        (b"fLaC\0\0\0\x22 no header", "unreadable"),
        (b"OggS\0\x02 no page at all", "unreadable"),
        (b"ID3\x04\0\0\0\0\0\0 no frame at all", "unreadable"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    """A 200 is no promise of audio: each way to have none, or not all, has its reason."""
    assert reason(tmp_path, content) == why


def encode(path: Path, form: str, subtype: str, samples: Sequence[Sequence[float]], rate: int = 24_000) -> None:
    """Write the samples by libsndfile."""
    soundfile.write(path, samples, rate, format=form, subtype=subtype)


@pytest.mark.parametrize(
    ("form", "subtype", "container"),
    [
        ("FLAC", "PCM_16", Container.FLAC),
        ("OGG", "VORBIS", Container.OGG),
        ("OGG", "OPUS", Container.OGG),
        ("MP3", "MPEG_LAYER_III", Container.MP3),
        ("RF64", "PCM_16", Container.WAV),
        ("WAV", "IMA_ADPCM", Container.WAV),
    ],
)
def test_containers_that_need_a_library(tmp_path: Path, form: str, subtype: str, container: Container) -> None:
    """Two seconds in stereo are two seconds in stereo; encoders may add a part of a block."""
    encode(tmp_path / "a", form, subtype, [[math.sin(at / 9) / 3, 0.0] for at in range(48_000)])
    take = accept(tmp_path / "a")
    assert (take.container, take.sample_rate, take.channels) == (container, 24_000, 2)
    assert 2000 <= take.duration_ms <= 2100


@pytest.mark.parametrize(("form", "subtype"), [("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")])
def test_encoded_sound_that_was_cut_off(tmp_path: Path, form: str, subtype: str) -> None:
    """The header's promise is held against what can be decoded."""
    encode(tmp_path / "a", form, subtype, [[math.sin(at / 9) / 3] for at in range(96_000)])
    content = (tmp_path / "a").read_bytes()
    assert reason(tmp_path, content[: len(content) // 2]) == "cut_off"


def test_headerless_samples(tmp_path: Path) -> None:
    """They are 24 kHz, 16 bits, mono; half a sample at the end doesn't count."""
    take = accept(saved(tmp_path, tone(36_000) + b"\x01"))
    assert (take.container, take.sample_rate, take.channels, take.frames) == (Container.PCM, 24_000, 1, 36_000)
    assert take.duration_ms == 1500


def test_a_missing_file_is_no_bad_audio(tmp_path: Path) -> None:
    """A missing file is the caller's error, not the API's."""
    with pytest.raises(FileNotFoundError):
        accept(tmp_path / "gone")


def test_a_plain_wav_needs_no_audio_library(tmp_path: Path) -> None:
    """The usual answer is accepted without numpy and soundfile, which take long to import."""
    path = saved(tmp_path, wav(FMT))
    program = (
        "import sys; from pathlib import Path; from worker.audio.take import accept; "
        f"accept(Path({str(path)!r})); print({{'numpy', 'soundfile'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
