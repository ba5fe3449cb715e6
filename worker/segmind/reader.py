"""Reads HTTP responses into answers: headers, body, words. The one place where the API's bytes become values.

It never judges, and lets no API key through, wherever the API may have echoed it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from pydantic import SecretStr
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from worker.segmind import account
from worker.segmind.answers import Answer, Credits, Failure
from worker.segmind.downloads import Downloads
from worker.segmind.errors import BrokenBodyError
from worker.segmind.sniffing import OPENING_BYTES, is_text
from worker.segmind.spool import Draft
from worker.segmind.transport import pieces, reason
from worker.segmind.unwrapping import unwrap
from worker.segmind.words import tidy, words

MAX_WORDS_BYTES: Final = 64 * 1024
"""Of a body that holds words, or the balance."""

MAX_HEADER_CHARACTERS: Final = 200
"""Of a header's value that is kept, such as a request id."""

_UNSENT: Final = frozenset({Failure.CONNECT, Failure.TIMEOUT_CONNECT, Failure.SEND})


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads for one account."""

    key: SecretStr
    body_seconds: float
    max_audio_bytes: int
    downloads: Downloads
    clock: Callable[[], datetime]

    def take(self, response: BaseHTTPResponse, draft: Draft) -> Answer:
        """What an answer to a synthesis brought; its audio, if any, becomes the spool file."""
        if not 200 <= response.status < 300:
            return self.refusal(response)
        answer = self._head(response)
        draft.open(answer)
        try:
            for piece in self._pieces(response, self.max_audio_bytes):
                draft.write(piece)
        except BrokenBodyError as error:
            return replace(answer, failure=error.failure)
        if not draft.size:
            return replace(answer, failure=Failure.EMPTY)
        if is_text(draft.read(OPENING_BYTES)) and (nothing := unwrap(draft, self.downloads)):
            return replace(answer, failure=nothing.failure, message=self._tidy(nothing.words))
        return replace(answer, audio=draft.keep(), size=draft.size)

    def balance(self, response: BaseHTTPResponse) -> Credits | Answer:
        """What an answer of the credits endpoint says."""
        if not 200 <= response.status < 300:
            return self.refusal(response)
        try:
            body = b"".join(self._pieces(response, MAX_WORDS_BYTES))
        except BrokenBodyError as error:
            return replace(self._head(response), failure=error.failure)
        return _credits(body) or replace(
            self._head(response), failure=Failure.UNREADABLE, message=words(body, self.key.get_secret_value())
        )

    def refusal(self, response: BaseHTTPResponse) -> Answer:
        """An answer that isn't a 2xx. Its status is clear, so whatever becomes of its body, that is no failure."""
        body = bytearray()
        try:
            for piece in self._pieces(response, MAX_WORDS_BYTES):
                body += piece
        except BrokenBodyError:
            pass
        said = words(bytes(body), self.key.get_secret_value())
        if not said and (location := response.headers.get("location")):
            said = self._tidy(f"redirects to {location}")
        return replace(self._head(response), message=said, reset_at=account.reset_at(response.headers, self.clock()))

    def unanswered(self, failure: Failure, error: HTTPError) -> Answer:
        """A call that came to no HTTP answer."""
        return Answer(failure=failure, sent=failure not in _UNSENT, message=self._tidy(reason(error)))

    def _pieces(self, response: BaseHTTPResponse, limit_bytes: int) -> Iterator[bytes]:
        return pieces(response, limit_bytes=limit_bytes, seconds=self.body_seconds)

    def _head(self, response: BaseHTTPResponse) -> Answer:
        headers = response.headers
        return Answer(
            status=response.status,
            sent=True,
            content_type=self._word(headers.get("content-type")) or "",
            cost=account.cost(headers.get("x-cost")),
            remaining_credits=account.amount(headers.get("x-remaining-credits")),
            request_id=self._word(headers.get("x-request-id")),
            generation_seconds=account.seconds(headers.get("x-generation-time")),
        )

    def _tidy(self, text: str) -> str:
        return tidy(text, self.key.get_secret_value())

    def _word(self, value: str | None) -> str | None:
        return self._tidy(value)[:MAX_HEADER_CHARACTERS] if value else None


def _credits(body: bytes) -> Credits | None:
    try:
        document = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    paid, free = (account.amount(str(document.get(name))) for name in ("credits", "free-credits"))
    return None if paid is None else Credits(paid=paid, free=free or Decimal(0))
