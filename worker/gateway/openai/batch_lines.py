"""Reads a file of requests, one JSON object a line, into jobs: all of them valid, or every error with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final

from api_models.formats import DeliveryFormat
from api_models.jobs import JobIn
from api_models.openai import BatchLine, SpeechIn
from api_models.problems import Fault
from worker.gateway import strict_json
from worker.gateway.batched_enqueue import MAX_ROWS, Line
from worker.gateway.openai.requests import Dialect
from worker.gateway.problems import ProblemError

MAX_ERRORS: Final = 1_000
"""Shown of one file; the last one counts the rest."""
MAX_LINE_BYTES: Final = 256 * 1024
FORMS: Final = frozenset({DeliveryFormat.MP3, DeliveryFormat.OPUS, DeliveryFormat.FLAC, DeliveryFormat.WAV})
"""Those that a worker stores. The others are made for one response."""


@dataclass(slots=True)
class Reading:
    lines: list[Line] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    total_errors: int = 0
    _names: dict[str, int] = field(default_factory=dict)

    def refuse(self, line: int, fault: Fault) -> None:
        self.total_errors += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(_error(line, str(fault), fault.field))

    def accept(self, number: int, job: JobIn) -> None:
        first = self._names.setdefault(job.custom_id or "", number)
        if first != number:
            self.refuse(number, Fault(field="custom_id", message=f"is already used in line {first}; use a unique one"))
        elif len(self.lines) >= MAX_ROWS:
            if len(self.lines) == MAX_ROWS:
                self.refuse(number, Fault(message=f"a file may have at most {MAX_ROWS:,} lines; split it"))
        else:
            self.lines.append(Line(number, job))

    def finish(self) -> Reading:
        if not self.lines and not self.total_errors:
            self.refuse(1, Fault(message="the file has no requests"))
        if hidden := self.total_errors - len(self.errors):
            self.errors.append(_error(None, f"and {hidden:,} more errors", None))
        return self


def read(content: IO[bytes], dialect: Dialect, queueing: Mapping[str, Any]) -> Reading:
    """Validate every line. `queueing` are fields of all jobs."""
    found = Reading()
    for number, line in _lines(content):
        try:
            job = _job(line, dialect, queueing)
        except ProblemError as problem:
            for fault in problem.faults or (Fault(message=problem.detail),):
                found.refuse(number, fault)
            continue
        if isinstance(job, list):
            for fault in job:
                found.refuse(number, fault)
        else:
            found.accept(number, job)
    return found.finish()


def _lines(content: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Numbered from 1, without the empty ones. A line that is too long is cut, and so no valid JSON."""
    number = 0
    while line := content.readline(MAX_LINE_BYTES):
        number += 1
        while not line.endswith(b"\n") and (rest := content.readline(MAX_LINE_BYTES)):
            if rest.endswith(b"\n"):
                break
        if line.strip():
            yield number, line.strip()


def _job(line: bytes, dialect: Dialect, queueing: Mapping[str, Any]) -> JobIn | list[Fault]:
    request = strict_json.parsed(BatchLine, line)
    wanted = strict_json.validated(SpeechIn, request.body)
    job = dialect.job(wanted, custom_id=request.custom_id, **_form(wanted), **queueing)
    unsupported = list(_unsupported(wanted))
    if isinstance(job, list):
        return job + unsupported
    return unsupported or job


def _form(wanted: SpeechIn) -> dict[str, Any]:
    return {"format": wanted.response_format.value} if wanted.response_format in FORMS else {}


def _unsupported(wanted: SpeechIn) -> Iterator[Fault]:
    if wanted.response_format not in FORMS:
        known = ", ".join(sorted(FORMS))
        yield Fault(
            field="response_format", message=f"{wanted.response_format} is not stored by batches (known: {known})"
        )
    if wanted.speed != 1:
        yield Fault(field="speed", message="must be 1 in a batch; ask for another speed with a single request")
    if wanted.stream_format != "audio":
        yield Fault(field="stream_format", message="must be audio in a batch")


def _error(line: int | None, message: str, param: str | None) -> dict[str, Any]:
    return {"code": "invalid_request", "line": line, "message": message, "param": param}
