"""The blocking client: one POST, and the audio is its body. Knows nothing of what an answer means for a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError

from api_models.speech import Speech
from worker.segmind.answers import Answer, Credits
from worker.segmind.downloads import Downloads
from worker.segmind.errors import UnusableKeyError
from worker.segmind.reader import Reader
from worker.segmind.spool import Draft
from worker.segmind.transport import NO_RETRIES, USER_AGENT, Outgoing, address, call_failure, pool

PROBE_SECONDS: Final = 5.0
"""For the credits endpoint to be reached, and again to answer: it only reads a figure."""


class ClientV1:
    """`POST /v1/{model}`. One for a process; safe to share between threads."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: SecretStr,
        connections: int,
        connect_timeout: float,
        read_timeout: float,
        max_audio_bytes: int,
        clock: Callable[[], datetime],
    ) -> None:
        """Timeouts in seconds; the read timeout holds for the wait for an answer, and again for its whole body.

        Raises:
            UnusableKeyError: the key can't stand in a header.
            UnusableAddressError: the base URL is no address.
        """
        key = _header_value(api_key)
        api = address(base_url)
        self._path = f"{(api.path or '').rstrip('/')}/v1/"
        self._pool = pool(api, connections=connections)
        self._timeout = Timeout(connect=connect_timeout, read=read_timeout)
        self._headers = {"x-api-key": key, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        self._reader = Reader(
            key=SecretStr(key),
            body_seconds=read_timeout,
            max_audio_bytes=max_audio_bytes,
            downloads=Downloads(api=api, timeout=self._timeout, body_seconds=read_timeout, max_bytes=max_audio_bytes),
            clock=clock,
        )

    def synthesize(self, speech: Speech, spool: Path) -> Answer:
        """Buy one take; see `Client`.

        A kept-alive connection that dies under the request counts as sent once the whole request was handed to the
        operating system: the API may have acted on it, so it is never repeated from here.
        """
        body = Outgoing(json.dumps(speech.body(), ensure_ascii=False).encode())
        # The draft is opened first: a disk that takes no file must be found out before the call is paid for.
        with Draft(spool) as draft:
            try:
                response = self._post(speech.model, body)
            except HTTPError as error:
                return self._reader.unanswered(call_failure(error, body), error)
            with closing(response):
                return self._reader.take(response, draft)

    def credits(self) -> Credits | Answer:
        """The account's balance; see `Client`. Costs nothing, so its answers are never marked as sent."""
        try:
            response = self._get("get-user-credits")
        except HTTPError as error:
            return replace(self._reader.unanswered(call_failure(error), error), sent=False)
        with closing(response):
            found = self._reader.balance(response)
        return found if isinstance(found, Credits) else replace(found, sent=False)

    def close(self) -> None:
        """Close all idle connections; calls in flight end by themselves."""
        self._pool.close()

    def _post(self, model: str, body: Outgoing) -> BaseHTTPResponse:
        return self._pool.urlopen(
            "POST",
            self._path + model,
            body=body,
            headers={**self._headers, "Content-Type": "application/json", "Content-Length": str(len(body))},
            timeout=self._timeout,
            retries=NO_RETRIES,
            redirect=False,
            preload_content=False,
        )

    def _get(self, endpoint: str) -> BaseHTTPResponse:
        return self._pool.urlopen(
            "GET",
            self._path + endpoint,
            headers=self._headers,
            timeout=Timeout(connect=PROBE_SECONDS, read=PROBE_SECONDS),
            retries=NO_RETRIES,
            redirect=False,
            preload_content=False,
        )


def _header_value(api_key: SecretStr) -> str:
    """The key without the white space that copying adds."""
    key = api_key.get_secret_value().strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UnusableKeyError
    return key
