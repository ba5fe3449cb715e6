"""What a worker and its listening process say to each other: one line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worker.acceptance.findings import Finding, Reason, Rung, TimeSource, WordTime
from worker.acceptance.rate import RateLine


class ListeningError(Exception):
    """Nothing could be heard: the process ended, was too slow, or met an error that it names."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the operator supplied."""

    espeak: str = ""
    """Path of espeak-ng; empty for the one on PATH."""
    recogniser: str = ""
    """Folder of the recogniser's model; empty without one."""


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """Judge the WAV at `path` by these rungs."""

    path: Path
    text: str
    language: str
    model: str
    voice: str
    rungs: tuple[Rung, ...]
    lines: Mapping[str, RateLine]
    """Learned rates of the voice, by the source of their references."""
    tools: Tools


@dataclass(frozen=True, slots=True)
class WordsRequest:
    """Find the words of `text` in the WAV at `path`."""

    path: Path
    text: str
    language: str
    tools: Tools


Request = ListenRequest | WordsRequest


@dataclass(frozen=True, slots=True)
class Heard:
    findings: tuple[Finding, ...]
    reference: float | None = None
    """Seconds that the text takes by the reference; None where the text says too little for one."""
    source: str = ""


def write_request(request: Request) -> bytes:
    return _line({"do": type(request).__name__, **asdict(request), "path": str(request.path)})


def read_request(line: bytes) -> Request:
    """The inverse of `write_request`."""
    said = json.loads(line)
    tools = Tools(**said["tools"])
    if said["do"] == WordsRequest.__name__:
        return WordsRequest(Path(said["path"]), said["text"], said["language"], tools)
    return ListenRequest(
        Path(said["path"]),
        said["text"],
        said["language"],
        said["model"],
        said["voice"],
        tuple(map(Rung, said["rungs"])),
        {source: RateLine(**line) for source, line in said["lines"].items()},
        tools,
    )


def write_heard(heard: Heard) -> bytes:
    return _line(asdict(heard))


def read_heard(line: bytes) -> Heard:
    """Raises ListeningError."""
    said = _answer(line)
    try:
        return Heard(tuple(map(_finding, said["findings"])), said["reference"], said["source"])
    except (KeyError, TypeError, ValueError) as error:
        raise ListeningError(f"no answer of a listening process: {line[:200]!r}") from error


def write_words(words: Sequence[WordTime]) -> bytes:
    """Without the words themselves, which their places in the text tell."""
    rows = [[one.start, one.end, one.char_start, one.char_end, one.source, one.confidence] for one in words]
    return _line({"words": rows})


def read_words(line: bytes, text: str) -> tuple[WordTime, ...]:
    """Raises ListeningError."""
    said = _answer(line)
    try:
        return tuple(
            WordTime(text[first:last], float(start), float(end), int(first), int(last), TimeSource(source), float(sure))
            for start, end, first, last, source, sure in said["words"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ListeningError(f"no answer of a listening process: {line[:200]!r}") from error


def write_error(error: Exception) -> bytes:
    return _line({"error": f"{type(error).__name__}: {error}"[:500]})


def _answer(line: bytes) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise ListeningError(f"no answer of a listening process: {line[:200]!r}") from error
    if "error" in said:
        raise ListeningError(str(said["error"]))
    return said


def _finding(said: dict[str, Any]) -> Finding:
    return Finding(**said | {"rung": Rung(said["rung"]), "reason": Reason(said["reason"])})


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, default=str).encode() + b"\n"
