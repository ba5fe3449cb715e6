"""How audio is encoded beyond its format: MP3 bitrate, sample rate, and the tags that players show."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from typing import Annotated, Final

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from api_models.formats import AudioFormat
from api_models.hints import quoted
from api_models.values import blank_is_none

API_SAMPLE_RATE: Final = 24_000
"""Hz of the API's audio, which is kept unless another rate is requested."""
SAMPLE_RATES: Final = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Hz. Those of MPEG audio; WAV and FLAC accept them too."""
OPUS_RATES: Final = frozenset({8_000, 12_000, 16_000, 24_000, 48_000})
"""RFC 6716."""

_MPEG_1: Final = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG_2: Final = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG_2_5: Final = (8, 16, 24, 32, 40, 48, 56, 64)
MP3_BITRATES: Final = tuple(sorted({*_MPEG_1, *_MPEG_2}))
"""kbit/s that some sample rate has (ISO 11172-3 and 13818-3)."""

MAX_TAG_CHARACTERS: Final = 500
TAG_FIELDS: Final = ("title", "artist", "album", "track")
TRACK: Final = re.compile(r"[0-9]{1,4}(?:/[0-9]{1,4})?")
_KILO: Final = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?) ?(?:k|kbps|kbit/s|khz)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AudioTags:
    """What players show. They are no part of the content: a copy of bought audio gets its own."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    track: str | None = None

    def kept(self) -> str | None:
        """Encode as JSON without empty tags; None if all are empty."""
        found = {name: value for name, value in asdict(self).items() if value is not None}
        return json.dumps(found, ensure_ascii=False) if found else None

    @classmethod
    def read(cls, kept: str | None) -> AudioTags:
        found = json.loads(kept or "{}")
        return cls(**{name: found.get(name) for name in TAG_FIELDS})


NO_TAGS: Final = AudioTags()


def form_of(audio_format: AudioFormat, loudness: float | None, mp3_bitrate: int | None, sample_rate: int | None) -> str:
    """The output form in the fingerprint. Unset values add nothing, so that earlier fingerprints stay valid."""
    parts = [str(audio_format)]
    parts += [] if loudness is None else [f"{loudness:g}"]
    parts += [] if mp3_bitrate is None else [f"{mp3_bitrate}k"]
    parts += [] if sample_rate is None else [f"{sample_rate}Hz"]
    return " ".join(parts)


def bitrates_at(rate: int) -> tuple[int, ...]:
    """The MP3 bitrates of a sample rate, in kbit/s."""
    return _MPEG_1 if rate >= 32_000 else _MPEG_2 if rate >= 16_000 else _MPEG_2_5


def bitrate_fault(bitrate: int, sample_rate: int | None) -> str | None:
    """Return why an MP3 of this sample rate cannot have this bitrate, or None."""
    rate = sample_rate or API_SAMPLE_RATE
    if bitrate in bitrates_at(rate):
        return None
    other = next((rate for rate in (44_100, 24_000) if bitrate in bitrates_at(rate)), None)
    if other is None:
        return f"{bitrate}k is no MP3 bitrate; choose one of {', '.join(f'{known}k' for known in MP3_BITRATES)}"
    known = ", ".join(f"{one}k" for one in bitrates_at(rate))
    return f"{bitrate}k does not exist at {rate} Hz; set the sample rate to {other}, or choose one of {known}"


def rate_fault(sample_rate: int, audio_format: AudioFormat) -> str | None:
    """Return why a format cannot have this sample rate, or None."""
    known = sorted(OPUS_RATES) if audio_format is AudioFormat.OPUS else SAMPLE_RATES
    if sample_rate in known:
        return None
    return f"{sample_rate} is no sample rate of {audio_format}; choose one of {', '.join(map(str, known))}"


def _thousands(value: object) -> float | None:
    """Parse `44100`, `"44100"` or `"44.1k"`."""
    if isinstance(value, str):
        if found := _KILO.fullmatch(value.strip()):
            return float(found[1]) * 1_000
        value = value.strip().lower().removesuffix("hz").strip()
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def bitrate(value: object) -> int | None:
    """Parse an MP3 bitrate in kbit/s: `192k`, `192`, or `192000` in bit/s."""
    if blank_is_none(value) is None:
        return None
    number = _thousands(value)
    kilo = None if number is None else number / 1_000 if number >= 8_000 else number
    if kilo is None or kilo != int(kilo) or int(kilo) not in MP3_BITRATES:
        raise PydanticCustomError(
            "mp3_bitrate",
            "{value} is no MP3 bitrate; choose one of {known}",
            {"value": quoted(value), "known": ", ".join(f"{one}k" for one in MP3_BITRATES)},
        )
    return int(kilo)


def sample_rate(value: object) -> int | None:
    """Parse a sample rate in Hz: `44100`, `44.1k` or `44.1 kHz`."""
    if blank_is_none(value) is None:
        return None
    number = _thousands(value)
    if number is None or number not in SAMPLE_RATES:
        raise PydanticCustomError(
            "sample_rate",
            "{value} is no sample rate; choose one of {known}",
            {"value": quoted(value), "known": ", ".join(map(str, SAMPLE_RATES))},
        )
    return int(number)


def tag_text(value: object) -> str | None:
    """Parse a tag: one line of text. JSON producers may send numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:g}" if isinstance(value, float) else str(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise PydanticCustomError("tag_text", "must be text", {})
    text = " ".join(value.encode("utf-8", "replace").decode().replace("\x00", " ").split())
    if len(text) > MAX_TAG_CHARACTERS:
        raise PydanticCustomError(
            "tag_text",
            "has {size} characters, more than the {limit} that a tag may have; shorten it",
            {"size": f"{len(text):,}", "limit": MAX_TAG_CHARACTERS},
        )
    return text or None


def track(value: object) -> str | None:
    """Parse a track number, such as `3` or `3/12`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = tag_text(value)
    if text is not None and not TRACK.fullmatch(text):
        raise PydanticCustomError(
            "track", "{value} is no track number; write a number, such as 3 or 3/12", {"value": quoted(value)}
        )
    return text


OptionalBitrate = Annotated[int | None, BeforeValidator(bitrate)]
"""kbit/s."""
OptionalRate = Annotated[int | None, BeforeValidator(sample_rate)]
"""Hz."""
OptionalTagText = Annotated[str | None, BeforeValidator(tag_text)]
OptionalTrack = Annotated[str | None, BeforeValidator(track)]
