"""The blocking client: one POST whose answer is the audio."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from api_models.speech import Speech
from worker.concurrency.reactor import Reactor
from worker.http_client.requests import Outgoing
from worker.segmind.answers import Answer, Credits
from worker.segmind.api import Api
from worker.segmind.balance import balance
from worker.segmind.client import NO_HANDLE, Handle
from worker.segmind.reader import open_reader
from worker.segmind.spool import Draft
from worker.segmind.transport import call_failure


class ClientV1:
    """`POST /v1/{model}`. One per process; thread-safe."""

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
        reactor: Reactor | None = None,
    ) -> None:
        """Timeouts in seconds; the read timeout applies to the answer's head, and again to its body. Raises
        UnusableKeyError: the key is not a valid header value; UnusableAddressError: the base URL is invalid.
        """
        self._api = Api(
            base_url=base_url,
            api_key=api_key,
            connections=connections,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            reactor=reactor or Reactor(),
        )
        self._reader = open_reader(self._api, connections=connections, max_audio_bytes=max_audio_bytes, clock=clock)

    async def synthesize(self, speech: Speech, spool: Path, handle: Handle = NO_HANDLE) -> Answer:  # noqa: ARG002 - a v1 call leaves nothing to poll
        """Buy one take; see `Client`.

        A request counts as sent once the operating system has accepted all of it, even if the kept-alive connection
        then
        breaks: the API may have acted on it, so it is never repeated here.
        """
        body = Outgoing(json.dumps(speech.body(), ensure_ascii=False).encode())
        # Create the draft first, so that an unwritable disk is detected before the call is paid for.
        with Draft(spool) as draft:
            try:
                exchange = await self._api.post(self._api.target("v1", speech.model), body)
            except HTTPError as error:
                return self._reader.unanswered(call_failure(error, body), error)
            with exchange as response:
                return self._reader.take(response, draft)

    def credits(self) -> Credits | Answer:
        return balance(self._api, self._reader)

    def close(self) -> None:
        self._api.close()
        self._reader.downloads.close()
