"""The submitting client: one POST that returns a handle, then polls until the run finishes.

The handle is committed before the first poll, so that no crash leads to a second submission.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from api_models.speech import Speech
from worker.concurrency.reactor import Reactor
from worker.http_client.requests import Outgoing
from worker.segmind.answers import Answer, Credits, Failure
from worker.segmind.api import Api
from worker.segmind.balance import balance
from worker.segmind.client import NO_HANDLE, Handle
from worker.segmind.documents import is_blank
from worker.segmind.embedded_audio import NoAudio, bring
from worker.segmind.error_text import reports_failure
from worker.segmind.errors import BrokenBodyError
from worker.segmind.polling import Cadence, Poller, Seen, run_at
from worker.segmind.reader import open_reader
from worker.segmind.spool import Draft
from worker.segmind.transport import call_failure
from worker.segmind.v2_replies import Page, Stage


class ClientV2:
    """`POST /v2/{model}`, then `GET /v2/requests/{id}`. One per process; thread-safe."""

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
        pause: Callable[[float], Future[bool]],
        run_timeout: float,
        poll_first_seconds: float = 2.0,
        poll_last_seconds: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        reactor: Reactor | None = None,
    ) -> None:
        """Timeouts in seconds; `run_timeout` is how long one call polls before it leaves the run to a later one.

        `pause` waits and resolves to whether the worker is stopping. Raises UnusableKeyError: the key is not a valid
        header value; UnusableAddressError: the base URL is invalid.
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
        self._first_wait = poll_first_seconds
        self._poller = Poller(
            api=self._api,
            reader=self._reader,
            cadence=Cadence(poll_first_seconds, poll_last_seconds),
            run_timeout=run_timeout,
            pause=pause,
            monotonic=monotonic,
            rng=rng or random.Random(),  # noqa: S311 - it spreads polls, it guards nothing
        )

    async def synthesize(self, speech: Speech, spool: Path, handle: Handle = NO_HANDLE) -> Answer:
        """Buy one take, or poll the submitted request of `handle`; see `Client`."""
        # Create the draft first, so that an unwritable disk is detected before the call is paid for.
        with Draft(spool) as draft:
            if handle.request_id:
                run = run_at(self._api, handle.request_id)
                return self._delivered(run.request_id, await self._poller.follow(run, wait=0.0), draft)
            submitted = await self._submit(speech)
            if isinstance(submitted, Answer) or submitted.is_audio:
                return self._delivered(None, submitted, draft)
            return await self._taken(submitted, draft, handle)

    def credits(self) -> Credits | Answer:
        return balance(self._api, self._reader)

    def close(self) -> None:
        self._api.close()
        self._reader.downloads.close()

    async def _submit(self, speech: Speech) -> Seen:
        """Submit the text. If the reply is lost, the API may or may not act on it."""
        body = Outgoing(json.dumps(speech.body(), ensure_ascii=False).encode())
        try:
            with await self._api.post(self._api.target("v2", speech.model), body) as response:
                return self._reader.page(response)
        except HTTPError as error:
            return self._reader.unanswered(call_failure(error, body), error)
        except BrokenBodyError as error:
            lost = Failure.UNREADABLE if error.failure is Failure.TOO_LARGE else error.failure
            arrived = lost in {Failure.UNREADABLE, Failure.UNDECODABLE}
            return Answer(status=200 if arrived else None, failure=lost, sent=True)

    async def _taken(self, page: Page, draft: Draft, handle: Handle) -> Answer:
        if page.stage is Stage.REFUSED:
            return page.answer
        if page.request_id is None:
            return self._without_handle(page, draft)
        run = run_at(self._api, page.request_id, page)
        if page.stage is Stage.FAILED:
            return self._poller.failed(run, page)
        await handle.keep(run.request_id)
        seen: Seen = page
        if page.stage is Stage.RUNNING or not page.has_output:
            seen = await self._poller.follow(run, wait=self._first_wait if page.stage is Stage.RUNNING else 0.0)
        return self._delivered(run.request_id, seen, draft)

    def _without_handle(self, page: Page, draft: Draft) -> Answer:
        """Handle a reply without a request id: the audio itself, an error, or an unknown reply."""
        if page.stage is Stage.COMPLETED and page.has_output:
            return self._delivered(None, page, draft)
        if not page.is_accepted:
            return page.answer
        failure = Failure.RUN_FAILED if reports_failure(page.document) else Failure.UNREADABLE
        message = self._reader.said(page) or "the reply names no request"
        return replace(page.answer, failure=failure, message=message, codes=self._reader.codes(page.document))

    def _delivered(self, request_id: str | None, seen: Seen, draft: Draft) -> Answer:
        """Write the output to the spool; pass on an `Answer`."""
        if isinstance(seen, Answer):
            return seen
        # A page may have any HTTP status; from here on only its run status counts.
        answer = replace(seen.answer, status=200, message="", reset_at=None, request_id=request_id)
        # After a disk error the handle remains valid, so the cost is left to the attempt that finishes the run.
        draft.open(answer if request_id is None else replace(answer, cost=None))
        nothing = self._fill(seen, draft)
        if nothing is not None:
            return self._without_audio(answer, nothing)
        return replace(answer, audio=draft.keep(), size=draft.size, sha256=draft.sha256)

    def _without_audio(self, answer: Answer, nothing: NoAudio) -> Answer:
        """A run is billed once: while its handle remains valid, the cost is left to the attempt that finishes it."""
        spent = nothing.useless or answer.request_id is None
        return replace(
            answer,
            failure=nothing.failure,
            message=self._reader.tidy(nothing.message),
            codes=self._reader.without_key(nothing.codes),
            cost=answer.cost if spent else None,
            handle_spent=spent,
        )

    def _fill(self, page: Page, draft: Draft) -> NoAudio | None:
        if page.is_audio:
            draft.write(page.body)
            return None
        if found := page.audio():
            return bring(found, draft, self._reader.downloads)
        said, named = self._reader.said(page), self._reader.codes(page.document)
        if reports_failure(page.document):
            return NoAudio(Failure.RUN_FAILED, said, named, useless=True)
        if is_blank(page.document):
            return NoAudio(Failure.EMPTY, said, named, useless=True)
        # This program may be unable to read it: retry the same output before paying for another.
        return NoAudio(Failure.UNREADABLE, said, named, useless=bool(named))
