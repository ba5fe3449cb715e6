"""What a worker and its codec process say to each other: one line of JSON each. Plain data, so that a process that
foreign audio has taken over can send nothing but figures.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from api_models.encodings import NO_TAGS, AudioTags
from api_models.formats import AudioFormat, DeliveryFormat
from worker.audio.container import Container
from worker.audio.errors import BadAudio, BadAudioError
from worker.audio.measures import Measures
from worker.audio.take import Take


class CodecCrashError(Exception):
    """The process ended in the middle of a request, or answered nonsense."""


@dataclass(frozen=True, slots=True)
class InspectRequest:
    """Look at `path`; write its WAV to `into` where it is none of 16-bit samples."""

    path: Path
    into: Path
    is_measured: bool


@dataclass(frozen=True, slots=True)
class Inspected:
    """A take as a WAV, and how it sounds where that was asked for."""

    take: Take
    measures: Measures | None


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """Write `take` to `into` in this form, at that loudness."""

    take: Take
    into: Path
    form: AudioFormat
    target_lufs: float | None
    measures: Measures | None
    """Of the take, where they are known."""
    sample_rate: int | None = None
    """Hz; None keeps the take's."""
    mp3_bitrate: int | None = None
    """kbit/s; None leaves it to the codec."""
    tags: AudioTags = NO_TAGS


@dataclass(frozen=True, slots=True)
class Encoded:
    """The gain in decibels, and the measures of the take before it where any were needed."""

    gain_db: float
    measures: Measures | None


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """Write the stored audio at `path` to `into`, as one channel of 24 kHz at this speed."""

    path: Path
    into: Path
    form: DeliveryFormat
    speed: float


@dataclass(frozen=True, slots=True)
class Rendered:
    """Frames of 24 kHz that were written."""

    frames: int


Request = InspectRequest | EncodeRequest | RenderRequest
Result = Inspected | Encoded | Rendered


def write_request(request: Request) -> bytes:
    """One line."""
    return _line({"do": type(request).__name__, **asdict(request)})


def read_request(line: bytes) -> Request:
    """The inverse of `write_request`."""
    said = json.loads(line)
    if said["do"] == InspectRequest.__name__:
        return InspectRequest(Path(said["path"]), Path(said["into"]), said["is_measured"])
    if said["do"] == RenderRequest.__name__:
        return RenderRequest(
            Path(said["path"]), Path(said["into"]), DeliveryFormat(said["form"]), _finite(said["speed"])
        )
    return EncodeRequest(
        _take(said["take"]),
        Path(said["into"]),
        AudioFormat(said["form"]),
        said["target_lufs"],
        _measures(said["measures"]),
        said["sample_rate"],
        said["mp3_bitrate"],
        AudioTags(**said["tags"]),
    )


def write_result(result: Result) -> bytes:
    """One line."""
    return _line({"result": type(result).__name__, **asdict(result)})


def write_error(error: BadAudioError | OSError) -> bytes:
    """One line."""
    if isinstance(error, BadAudioError):
        return _line({"bad": error.reason, "message": error.message})
    return _line({"errno": error.errno or 0, "message": error.strerror or str(error)})


def read_result(line: bytes) -> Result:
    """What the process answered. Raises BadAudioError, OSError: as raised there; CodecCrashError: the line is none of
    its answers.
    """
    try:
        said = json.loads(line)
        if "bad" in said:
            raise BadAudioError(BadAudio(said["bad"]), str(said["message"]))
        if "errno" in said:
            raise OSError(int(said["errno"]), str(said["message"]))
        if said["result"] == Inspected.__name__:
            return Inspected(_take(said["take"]), _measures(said["measures"]))
        if said["result"] == Rendered.__name__:
            return Rendered(int(said["frames"]))
        return Encoded(_finite(said["gain_db"]), _measures(said["measures"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CodecCrashError(f"no answer of a codec process: {line[:200]!r}") from error


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, default=str).encode() + b"\n"


def _take(said: dict[str, Any]) -> Take:
    return Take(
        Path(said["path"]),
        Container(said["container"]),
        int(said["sample_rate"]),
        int(said["channels"]),
        int(said["frames"]),
        int(said["missing_frames"]),
    )


def _measures(said: dict[str, Any] | None) -> Measures | None:
    return None if said is None else Measures(**{name: _finite(figure) for name, figure in said.items()})


def _finite(figure: object) -> float:
    if not isinstance(figure, int | float) or not math.isfinite(figure):
        raise ValueError(f"{figure!r} is no finite number")
    return float(figure)
