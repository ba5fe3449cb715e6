"""MP3 and FLAC whose headers have no length, or a wrong one: whole files are read whole, and cut ones are not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import soundfile

from worker.audio.container import frame_bytes
from worker.audio.decoding import decode
from worker.audio.errors import BadAudioError
from worker.audio.lengths import with_mp3_frames
from worker.audio.take import accept

FRAMES: Final = 168_000
PADDING: Final = 2 * 1_152
"""Silence that an encoder of MP3 adds, and that only its own header distinguishes from sound."""
ID3: Final = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
TAG: Final = b"TAG" + b" " * 125
KINDS: Final = [
    (24_000, 1, "VARIABLE"),
    (44_100, 2, "VARIABLE"),
    (22_050, 2, "AVERAGE"),
    (44_100, 1, "CONSTANT"),
    (8_000, 1, "VARIABLE"),
]


def sound(channels: int = 1) -> np.ndarray:
    """Silence, noise and a tone, which take very different bit rates."""
    noise = 0.4 * np.random.default_rng(1).normal(size=48_000).clip(-2, 2)
    tone = 0.3 * np.sin(np.arange(48_000) * 0.1)
    mono = np.concatenate([np.zeros(24_000), noise, np.zeros(48_000), tone]).astype(np.float32)
    return np.stack([mono] * channels, axis=1)


def mp3(rate: int, channels: int, mode: str) -> bytes:
    """As an encoder writes it that can go back to its header."""
    file = io.BytesIO()
    soundfile.write(file, sound(channels), rate, format="MP3", bitrate_mode=mode, compression_level=0.1)
    return file.getvalue()


def streamed(content: bytes) -> bytes:
    """As an encoder sends it that can't: without the first frame, which is the header."""
    return content[frame_bytes(content[:4]) :]


def flac(frames: int) -> bytes:
    """With this number of samples in its header."""
    file = io.BytesIO()
    soundfile.write(file, sound(), 24_000, format="FLAC")
    content = bytearray(file.getvalue())
    content[21] = content[21] & 0xF0 | frames >> 32
    content[22:26] = (frames & 0xFFFF_FFFF).to_bytes(4, "big")
    return bytes(content)


def lengths(folder: Path, content: bytes) -> tuple[int, int]:
    """What is accepted, and what is decoded."""
    path = folder / "take"
    path.write_bytes(content)
    return accept(path, is_whole=True).frames, decode(path, folder / "take.wav")


@pytest.mark.parametrize(("rate", "channels", "mode"), KINDS)
@pytest.mark.parametrize("around", [(b"", b""), (ID3, b""), (b"", TAG)], ids=["", "id3", "tag"])
def test_an_mp3_without_a_header_is_whole(
    tmp_path: Path, rate: int, channels: int, mode: str, around: tuple[bytes, bytes]
) -> None:
    """Whatever the bit rate of its first frames makes of its length."""
    accepted, decoded = lengths(tmp_path, around[0] + streamed(mp3(rate, channels, mode)) + around[1])
    assert accepted == decoded
    assert FRAMES <= decoded <= FRAMES + PADDING


@pytest.mark.parametrize("declared", [0, 1, 100, 0x7FFF_FFFF])
def test_a_wrong_number_of_frames_in_an_mp3_is_corrected(tmp_path: Path, declared: int) -> None:
    """Too small a number would drop the end of the sound without a word; one beyond all bounds, all of it."""
    content = bytearray(mp3(24_000, 1, "VARIABLE"))
    at = content.find(b"Xing") + 8
    content[at : at + 4] = declared.to_bytes(4, "big")
    accepted, decoded = lengths(tmp_path, bytes(content))
    assert accepted == decoded
    assert FRAMES - PADDING <= decoded <= FRAMES + PADDING


def test_a_right_header_stays(tmp_path: Path) -> None:
    """With what it says of the encoder's silence."""
    assert lengths(tmp_path, mp3(24_000, 1, "VARIABLE")) == (FRAMES, FRAMES)


@pytest.mark.parametrize("declared", [0, 2**36 - 1])
def test_a_flac_of_unknown_length_is_whole(tmp_path: Path, declared: int) -> None:
    """As sent by an encoder that can't go back to its header."""
    assert lengths(tmp_path, flac(declared)) == (FRAMES, FRAMES)


@pytest.mark.parametrize("content", [mp3(24_000, 1, "VARIABLE"), flac(FRAMES), flac(0)], ids=["mp3", "flac", "unknown"])
def test_what_is_cut_is_refused(tmp_path: Path, content: bytes) -> None:
    """Where the header or a broken frame shows it."""
    with pytest.raises(BadAudioError):
        lengths(tmp_path, content[: len(content) // 2])


def test_damage_in_the_middle_is_no_end() -> None:
    """The frames behind it aren't counted, so nothing is corrected by it."""
    content = streamed(mp3(44_100, 2, "CONSTANT"))
    damaged = content[:9_000] + bytes(2_000) + content[11_000:]
    assert with_mp3_frames(content) != content
    assert with_mp3_frames(damaged) == damaged
