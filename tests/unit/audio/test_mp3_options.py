"""MP3 options: every frame has the requested bitrate and rate, and players see the tags."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import soundfile

from api_models.encodings import SAMPLE_RATES, AudioTags, bitrates_at
from api_models.formats import AudioFormat
from tests.unit.audio.test_encoding import SECONDS, a_take
from worker.audio import id3
from worker.audio.encoding import encode
from worker.audio.take import accept

TAGS = AudioTags("Kapitel 3: Grüße 🎧", "Ann", "Buch", "3/12")
_MPEG_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def frames(content: bytes) -> Counter[tuple[int, int]]:
    """Kbit/s and rate of each MPEG frame (ISO 11172-3, 2.4.2.3)."""
    place, found = 0, Counter[tuple[int, int]]()
    while place + 4 <= len(content):
        assert content[place] == 0xFF
        assert content[place + 1] & 0xE0 == 0xE0
        version = content[place + 1] >> 3 & 3
        kilo = (_MPEG_1 if version == 3 else _MPEG_2)[content[place + 2] >> 4]
        rate = _RATES[version][content[place + 2] >> 2 & 3]
        found[kilo, rate] += 1
        place += (144 if version == 3 else 72) * kilo * 1_000 // rate + (content[place + 2] >> 1 & 1)
    return found


def tag_texts(content: bytes) -> dict[str, str]:
    """The text frames of an ID3v2.3 header."""
    assert content[:5] == b"ID3\x03\x00"
    size = int.from_bytes(bytes([0, 0, 0, 0]), "big")
    for byte in content[6:10]:
        size = size << 7 | byte
    place, found = 10, dict[str, str]()
    while place < 10 + size:
        length = int.from_bytes(content[place + 4 : place + 8], "big")
        found[content[place : place + 4].decode()] = content[place + 11 : place + 10 + length].decode("utf-16")
        place += 10 + length
    assert content[place] == 0xFF
    return found


@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_every_frame_has_the_bitrate_and_the_rate(tmp_path: Path, rate: int) -> None:
    """All bitrates of the rate, lowest and highest included."""
    take = a_take(tmp_path)
    for bitrate in bitrates_at(rate):
        encode(take, tmp_path / "out.mp3", AudioFormat.MP3, sample_rate=rate, mp3_bitrate=bitrate)
        assert set(frames((tmp_path / "out.mp3").read_bytes())) == {(bitrate, rate)}


@pytest.mark.parametrize("form", [AudioFormat.WAV, AudioFormat.FLAC, AudioFormat.OPUS])
def test_other_formats_have_the_rate_too(tmp_path: Path, form: AudioFormat) -> None:
    """And last as long as before."""
    encode(a_take(tmp_path), tmp_path / "out", form, sample_rate=48_000)
    found = soundfile.info(tmp_path / "out")
    assert found.samplerate == 48_000
    assert found.frames == pytest.approx(48_000 * SECONDS, abs=1_000)


def test_a_player_sees_the_tags_and_the_sound_is_the_same(tmp_path: Path) -> None:
    """The tags stand before the audio, which isn't changed by them."""
    take = a_take(tmp_path)
    encode(take, tmp_path / "plain.mp3", AudioFormat.MP3)
    encode(take, tmp_path / "tagged.mp3", AudioFormat.MP3, tags=TAGS)
    content = (tmp_path / "tagged.mp3").read_bytes()
    assert tag_texts(content) == {"TIT2": TAGS.title, "TPE1": "Ann", "TALB": "Buch", "TRCK": "3/12"}
    assert content.endswith((tmp_path / "plain.mp3").read_bytes())
    assert accept(tmp_path / "tagged.mp3").sample_rate == take.sample_rate
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.mp3", "tagged.mp3", "take.wav"]


def test_tags_are_replaced_and_removed(tmp_path: Path) -> None:
    """A copy shows its own title, not its source's."""
    encode(a_take(tmp_path), tmp_path / "a.mp3", AudioFormat.MP3)
    plain = (tmp_path / "a.mp3").read_bytes()
    id3.retag(tmp_path / "a.mp3", tmp_path / "a.mp3", TAGS)
    id3.retag(tmp_path / "a.mp3", tmp_path / "a.mp3", AudioTags(title="Other"))
    assert tag_texts((tmp_path / "a.mp3").read_bytes()) == {"TIT2": "Other"}
    id3.retag(tmp_path / "a.mp3", tmp_path / "b.mp3", AudioTags())
    assert (tmp_path / "b.mp3").read_bytes() == plain
