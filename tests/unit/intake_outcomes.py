"""The result of reading a few bytes: the rows, or the faults as a user sees them. For the intake's tests."""

from __future__ import annotations

import io

import pytest

from api_models.problems import InvalidInputError
from api_models.speech import JobRequest
from worker.intake.kinds import Kind
from worker.intake.reader import read_all
from worker.intake.validation import Defaults


def encoded(content: str | bytes) -> io.BytesIO:
    return io.BytesIO(content.encode() if isinstance(content, str) else content)


def requests_of(
    content: str | bytes, kind: Kind | None = None, defaults: Defaults | None = None
) -> dict[int, JobRequest]:
    """The request of each line."""
    rows = read_all(encoded(content), kind=kind, defaults=defaults or Defaults())
    return {row.line: row.request for row in rows}


def texts_of(content: str | bytes, kind: Kind | None = None) -> dict[int, str]:
    """The text of each line."""
    return {line: request.text for line, request in requests_of(content, kind).items()}


def names_of(content: str | bytes, kind: Kind | None = None) -> dict[int, str | None]:
    """The custom_id of each line."""
    return {line: request.custom_id for line, request in requests_of(content, kind).items()}


def faults_of(
    content: str | bytes,
    kind: Kind | None = None,
    defaults: Defaults | None = None,
    max_text_bytes: int | None = None,
) -> list[str]:
    """The faults, one sentence each."""
    with pytest.raises(InvalidInputError) as caught:
        read_all(encoded(content), kind=kind, defaults=defaults or Defaults(), max_text_bytes=max_text_bytes)
    return [str(fault) for fault in caught.value.faults]
