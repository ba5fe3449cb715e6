"""Reads HTTP responses into answers: the only place where the API's bytes become values.

Never judges an answer, and removes the API key wherever the API echoed it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

import structlog
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from worker.http_client.reasons import reason
from worker.http_client.responses import Response
from worker.segmind import account
from worker.segmind.answers import Answer, Credits, Failure
from worker.segmind.api import Api
from worker.segmind.codes import codes
from worker.segmind.downloads import Downloads
from worker.segmind.embedded_audio import unwrap
from worker.segmind.error_text import error_message, parse, tidy
from worker.segmind.errors import BrokenBodyError
from worker.segmind.spool import OPENING_BYTES, Draft, is_plain, is_text
from worker.segmind.transport import pieces
from worker.segmind.v2_replies import Page, metered, request_id

log = structlog.get_logger("ttsq.segmind")

MAX_TEXT_BYTES: Final = 64 * 1024
"""Of an error body, or of the balance."""

MAX_HEADER_CHARACTERS: Final = 200
"""Of a header value that is stored, such as a request id."""

_UNSENT: Final = frozenset({Failure.CONNECT, Failure.TIMEOUT_CONNECT, Failure.SEND})


@dataclass(frozen=True, slots=True)
class Reader:
    key: SecretStr
    max_audio_bytes: int
    downloads: Downloads
    clock: Callable[[], datetime]

    def take(self, response: Response, draft: Draft) -> Answer:
        """Read the answer to a synthesis; its audio becomes the spool file."""
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
        if response.undecoded and not is_plain(draft.read(OPENING_BYTES)):
            message = self.tidy(f"content-encoding {response.undecoded}")
            return replace(answer, failure=Failure.UNDECODABLE, message=message)
        if is_text(draft.read(OPENING_BYTES)) and (nothing := unwrap(draft, self.downloads)):
            message, codes_found = self.tidy(nothing.message), self.without_key(nothing.codes)
            return replace(answer, failure=nothing.failure, message=message, codes=codes_found)
        return replace(answer, audio=draft.keep(), size=draft.size, sha256=draft.sha256)

    def balance(self, response: Response) -> Credits | Answer:
        if not 200 <= response.status < 300:
            return self.refusal(response)
        try:
            body = b"".join(self._pieces(response, MAX_TEXT_BYTES))
        except BrokenBodyError as error:
            return replace(self._head(response), failure=error.failure)
        said = error_message(body, self.key.get_secret_value())
        if response.undecoded and not is_plain(body[:OPENING_BYTES]):
            said = self.tidy(f"content-encoding {response.undecoded}")
        return _credits(body) or replace(self._head(response), failure=Failure.UNREADABLE, message=said)

    def page(self, response: Response) -> Page:
        """Read one v2 reply into memory. Raises BrokenBodyError: a 2xx is incomplete or can't be decoded."""
        if 200 <= response.status < 300:
            body = b"".join(self._pieces(response, self.max_audio_bytes))
            if response.undecoded and not is_plain(body[:OPENING_BYTES]):
                raise BrokenBodyError(Failure.UNDECODABLE)
            return self._paged(self._head(response), body)
        body = self._lenient_body(response, self.max_audio_bytes)
        return self._paged(self._refused(response, body), body)

    def said(self, page: Page) -> str:
        return error_message(page.body[:MAX_TEXT_BYTES], self.key.get_secret_value())

    def codes(self, document: object) -> tuple[str, ...]:
        return self.without_key(codes(document))

    def without_key(self, named: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(code for code in named if self._word(code) == code)

    def refusal(self, response: Response) -> Answer:
        """Read an answer that isn't a 2xx. Its status is clear, so a broken body is no failure."""
        return self._refused(response, self._lenient_body(response, MAX_TEXT_BYTES))

    def _lenient_body(self, response: Response, limit_bytes: int) -> bytes:
        body = bytearray()
        with suppress(BrokenBodyError):
            for piece in self._pieces(response, limit_bytes):
                body += piece
        return b"" if response.undecoded and not is_plain(bytes(body[:OPENING_BYTES])) else bytes(body)

    def _refused(self, response: Response, body: bytes) -> Answer:
        said = error_message(body[:MAX_TEXT_BYTES], self.key.get_secret_value())
        if not said and (location := response.headers.get("location")):
            said = self.tidy(f"redirects to {location}")
        reset_at = account.reset_at(response.headers, self.clock())
        return replace(self._head(response), message=said, codes=self.codes(_document(body)), reset_at=reset_at)

    def unanswered(self, failure: Failure, error: HTTPError) -> Answer:
        """The answer for a call without an HTTP answer."""
        return Answer(failure=failure, sent=failure not in _UNSENT, message=self.tidy(reason(error)))

    def _paged(self, answer: Answer, body: bytes) -> Page:
        text = is_text(body[:OPENING_BYTES])
        document = parse(body.decode("utf-8", "replace").lstrip("\ufeff")) if text else None
        handle = request_id(document)
        # An id that contains the key, or that tidying changes, can't be stored and so can't be polled later.
        handle = handle if handle and self._word(handle) == handle else None
        metered_answer = metered(answer, document)
        return Page(
            replace(metered_answer, disbelieved_cost=self.tidy(metered_answer.disbelieved_cost)),
            body,
            document,
            handle,
        )

    def _pieces(self, response: Response, limit_bytes: int) -> Iterator[bytes]:
        return pieces(response, limit_bytes=limit_bytes)

    def _head(self, response: Response) -> Answer:
        headers = response.headers
        doubtful = self._word(account.disbelieved(headers.get("x-cost"))) or ""
        if doubtful:
            log.warning("cost_disbelieved", cost=doubtful, remedy="check the charge in the Segmind console")
        return Answer(
            status=response.status,
            sent=True,
            disbelieved_cost=doubtful,
            content_type=self._word(headers.get("content-type")) or "",
            cost=account.cost(headers.get("x-cost")),
            remaining_credits=account.amount(headers.get("x-remaining-credits")),
            request_id=self._word(headers.get("x-request-id")),
            generation_seconds=account.seconds(headers.get("x-generation-time")),
        )

    def tidy(self, text: str) -> str:
        return tidy(text, self.key.get_secret_value())

    def _word(self, value: str | None) -> str | None:
        return self.tidy(value)[:MAX_HEADER_CHARACTERS] if value else None


def open_reader(api: Api, *, connections: int, max_audio_bytes: int, clock: Callable[[], datetime]) -> Reader:
    """Create the reader for `api`. Linked files share its timeouts and size limit."""
    downloads = Downloads(
        api=api.url,
        connections=connections,
        connect_seconds=api.connect_seconds,
        read_seconds=api.read_seconds,
        max_bytes=max_audio_bytes,
        reactor=api.reactor,
    )
    return Reader(api.key, max_audio_bytes, downloads, clock)


def _document(body: bytes) -> object:
    return parse(body[:MAX_TEXT_BYTES].decode("utf-8", "replace").lstrip("\ufeff"))


def _credits(body: bytes) -> Credits | None:
    try:
        document = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    paid, free = (account.amount(str(document.get(name))) for name in ("credits", "free-credits"))
    return None if paid is None else Credits(paid=paid, free=free or Decimal(0))
