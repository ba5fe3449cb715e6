"""Identifiers in OpenAI's form: a prefix and the hex digits of a UUID."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from worker.gateway.openai.errors import INVALID, OpenAIError

FILE: Final = "file-"
OUTPUT: Final = "file-output-"
ERRORS: Final = "file-errors-"
"""The files that a batch's results are read from, by the id of the batch."""
BATCH: Final = "batch_"
REQUEST: Final = "batch_req_"
_DIGITS: Final = re.compile(r"[0-9a-f]{32}")


def made(prefix: str, of: UUID) -> str:
    return prefix + of.hex


def parsed(prefix: str, given: str) -> UUID | None:
    digits = given.removeprefix(prefix)
    return UUID(hex=digits) if given.startswith(prefix) and _DIGITS.fullmatch(digits) else None


def missing(what: str, given: str, param: str) -> OpenAIError:
    return OpenAIError(404, INVALID, f"No such {what}: {given[:80]}", code="not_found", param=param)
