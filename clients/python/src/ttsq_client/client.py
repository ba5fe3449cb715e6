"""The client: every call that a producer makes of a gateway."""

from __future__ import annotations

import json
import math
import os
import random
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, Unpack

from ttsq_client import event_stream, models
from ttsq_client.address import Address, Proxies
from ttsq_client.chunks import CHUNK_JOBS, chunks
from ttsq_client.downloads import Expected, download
from ttsq_client.encoding import encoded
from ttsq_client.errors import (
    ApiError,
    ConnectionFailedError,
    NotFoundError,
    PartlySubmittedError,
    TtsqError,
    UnexpectedResponseError,
    WaitTimeoutError,
)
from ttsq_client.models import Batch, Event, Job, JobFields, JobRequest, Model, Quote, Reader, Spend, Voice
from ttsq_client.retry import Retry
from ttsq_client.transport import Key, Limits, Stream, Transport

WAIT_SECONDS: Final = 30
"""Of one long poll; proxies cut longer ones."""
POLL_SECONDS: Final = 1.0
PAGE: Final = 200
MAX_AUDIO_BYTES: Final = 2**30
MAX_LINE_BYTES: Final = 1024 * 1024
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,150}")
_EXTENSIONS: Final = {"audio/wav": "wav", "audio/flac": "flac", "audio/mpeg": "mp3", "audio/ogg": "opus"}


class Client:
    """Talks to one gateway. Safe to share between threads; close it, or use it as a context manager."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        *,
        connect_seconds: float = 5.0,
        read_seconds: float = 30.0,
        retry: Retry | None = None,
        proxy: str | None = None,
        trust_environment: bool = True,
        ca_certs: str | None = None,
        connections: int = 4,
    ) -> None:
        """`url` may have a path, as behind a proxy: `https://example.org/speech`.

        `proxy` is used for every address; without it HTTP_PROXY, HTTPS_PROXY and NO_PROXY are obeyed, unless
        `trust_environment` is false. `ca_certs` is a file of certificate authorities in place of the system's.

        Raises:
            ValueError: the address, the key or a limit cannot be used. The key is not shown.
        """
        self._transport = Transport(
            Address.parse(url),
            Key(key),
            Limits(connect_seconds, read_seconds),
            retry or Retry(),
            Proxies(proxy, trust_environment),
            ca_certs,
            connections,
            rng=random.Random(),  # noqa: S311 - of delays
        )

    @classmethod
    def from_environment(cls) -> Self:
        """Return a client of the gateway at `TTSQ_URL`, with the key in `TTSQ_KEY`; both may be unset."""
        return cls(os.environ.get("TTSQ_URL") or "http://127.0.0.1:8000", os.environ.get("TTSQ_KEY") or None)

    def __repr__(self) -> str:
        return f"Client({self._transport.address.base!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    # Submitting

    def submit(self, text: str, *, idempotency_key: str | None = None, **fields: Unpack[JobFields]) -> Job:
        """Submit one text. The job is stored durably when this returns.

        Without an idempotency key the call has one of its own, so that its retries make one job. With a key that the
        program remembers, such as `order-17`, the same call returns the same job for 48 hours.
        """
        headers = {"Idempotency-Key": idempotency_key or secrets.token_urlsafe(24)}
        body = encoded({"text": text, **fields})
        return models.job(self._transport.call("POST", "/v1/jobs", body=body, headers=headers).json())

    def submit_many(
        self,
        jobs: Iterable[str | JobRequest | Mapping[str, Any]],
        *,
        name: str = "batch",
        idempotency_key: str | None = None,
        max_cost: Decimal | str | None = None,
        webhook_url: str | None = None,
        chunk: int = CHUNK_JOBS,
    ) -> list[Batch]:
        """Submit texts as batches of at most `chunk` jobs. The iterable is read once, a chunk at a time.

        Chunks are cut by their content alone, and each has a key made from `idempotency_key` and its number: the same
        call after a crash returns the batches that exist and submits the rest. `max_cost` limits each batch, in US
        dollars. `webhook_url` receives `batch.finished` of each.

        Raises:
            PartlySubmittedError: a later chunk failed. It has the batches before, and the key to resume with.
        """
        once = idempotency_key or secrets.token_urlsafe(24)
        common = {"max_cost": max_cost, "webhook_url": webhook_url}
        made: list[Batch] = []
        for number, part in enumerate(chunks(jobs, chunk), start=1):
            shown = name if number == 1 else f"{name} {number}"
            given = {key: value for key, value in common.items() if value is not None}
            body = encoded({"name": shown, "jobs": part, **given})
            headers = {"Idempotency-Key": f"{once}-{number}"}
            try:
                found = self._transport.call("POST", "/v1/batches", body=body, headers=headers).json()
            except TtsqError as error:
                if not made:
                    raise
                raise PartlySubmittedError(made, once, error) from error
            made.append(models.batch(found))
        return made

    def quote(self, jobs: Iterable[str | JobRequest | Mapping[str, Any]]) -> Quote:
        """Estimate what texts would cost; at most 10,000. Nothing is queued or charged."""
        body = {"jobs": list(chain.from_iterable(chunks(jobs, CHUNK_JOBS)))}
        return models.quote(self._transport.call("POST", "/v1/quote", body=body).json())

    # Following

    def job(self, job_id: str) -> Job:
        """Return one job as it stands."""
        return models.job(self._get(f"/v1/jobs/{_id(job_id)}"))

    def jobs(
        self,
        *,
        status: str | Sequence[str] = (),
        batch_id: str | None = None,
        tag: str | None = None,
        code: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Job]:
        """Yield jobs, the newest first, page by page."""
        statuses = [status] if isinstance(status, str) else list(status)
        query = {"status": statuses, "batch_id": batch_id, "tag": tag, "code": code}
        yield from map(models.job, self._pages("/v1/jobs", "jobs", query | _times(since, until)))

    def batch(self, batch_id: str) -> Batch:
        """Return one batch and its progress."""
        return models.batch(self._get(f"/v1/batches/{_id(batch_id)}"))

    def batches(self) -> Iterator[Batch]:
        """Yield batches, the newest first, page by page."""
        yield from map(models.batch, self._pages("/v1/batches", "batches", {}))

    def results(self, batch_id: str) -> Iterator[Job]:
        """Yield a batch's jobs in the order of submission, as they stand."""
        url = self._transport.address.url(f"/v1/batches/{_id(batch_id)}/results")
        with self._transport.open("GET", url, headers={"Accept": "application/x-ndjson"}) as stream:
            _require(stream, 200)
            for line in _lines(stream):
                yield models.job(_parsed(line))

    def wait(self, job: Job | str, timeout: float | None = None, *, appears_within: float = 0.0) -> Job:
        """Return the job when it has finished, with or without audio.

        It is a long poll: the gateway responds at the end of the job. A lost connection is retried. A job that was
        submitted by the inbox may appear some seconds after the commit: it is looked for `appears_within` seconds.

        Raises:
            WaitTimeoutError: it has not finished after `timeout` seconds. The job continues.
            NotFoundError: there is no such job.
        """
        began = time.monotonic()
        ends = math.inf if timeout is None else began + timeout
        while True:
            asked = time.monotonic()
            seconds = max(0, math.ceil(min(ends - asked, WAIT_SECONDS)))
            try:
                found = self._awaited(_id(job), seconds)
            except NotFoundError:
                if time.monotonic() >= began + appears_within:
                    raise
                self._transport.sleep(POLL_SECONDS)
                continue
            if found.has_finished:
                return found
            self._pause(found, asked, ends)

    def _awaited(self, job_id: str, seconds: int) -> Job:
        headers = {"Prefer": f"wait={seconds}"} if seconds else {}
        return models.job(self._transport.call("GET", f"/v1/jobs/{job_id}", headers=headers, seconds=seconds).json())

    def wait_batch(self, batch: Batch | str, timeout: float | None = None) -> Batch:
        """Return the batch when all of its jobs have finished and its result files are written.

        Raises:
            WaitTimeoutError: they have not after `timeout` seconds. The batch continues.
        """
        ends = math.inf if timeout is None else time.monotonic() + timeout
        batch_id = _id(batch)
        while True:
            began = time.monotonic()
            found = self.batch(batch_id)
            if found.finished_at is not None:
                return found
            self._pause(found, began, ends)

    def _pause(self, found: Job | Batch, began: float, ends: float) -> None:
        """Wait before the next look, unless the gateway has kept this one waiting."""
        now = time.monotonic()
        if now >= ends:
            raise WaitTimeoutError(found)
        self._transport.sleep(max(0.0, min(POLL_SECONDS - (now - began), ends - now)))

    def events(self, *, after: int | None = None, types: Sequence[str] = ()) -> Iterator[Event]:
        """Yield events as they occur, without an end. A lost connection resumes after the last one.

        `after` is the id of an event that was handled, 0 for the whole log; None begins with new events. Remember the
        id of each event that was handled, and a program that starts again misses none.

        Raises:
            ConnectionFailedError: the gateway stayed away for all attempts.
            ApiError: the key was revoked, or the request is invalid.
        """
        last = None if after is None else str(after)
        attempt = 1
        while True:
            try:
                for message in self._stream(last, types):
                    attempt, last = 1, message.id or last
                    if message.data is not None:
                        yield models.event(_parsed(message.data))
                delay = self._transport.retry.delay(attempt, None, self._transport.rng)
            except (ApiError, ConnectionFailedError) as error:
                after_seconds = error.retry_after if isinstance(error, ApiError) else None
                passing = isinstance(error, ConnectionFailedError) or error.status in {408, 429} or error.status >= 500
                delay = self._transport.retry.delay(attempt, after_seconds, self._transport.rng) if passing else None
                if delay is None:
                    raise
            if delay is None:
                raise ConnectionFailedError("the gateway ends the event stream again and again", possibly_sent=True)
            self._transport.sleep(delay)
            attempt += 1

    def _stream(self, last: str | None, types: Sequence[str]) -> Iterator[event_stream.Message]:
        url = self._transport.address.url("/v1/events/stream", {"type": list(types)})
        headers = {"Accept": "text/event-stream"} | ({} if last is None else {"Last-Event-ID": last})
        with self._transport.open("GET", url, headers=headers) as stream:
            _require(stream, 200)
            if not stream.headers.get("content-type", "").startswith("text/event-stream"):
                raise UnexpectedResponseError("the event stream is none; is there a proxy in front?", status=200)
            yield from event_stream.messages(stream.parts(paced=False))

    def event_log(self, *, after: int = 0, types: Sequence[str] = ()) -> Iterator[Event]:
        """Yield the events that there are, the oldest first, and end."""
        while True:
            query = {"after": after, "limit": PAGE, "type": list(types)}
            page = Reader(self._get("/v1/events", query)).items("events")
            yield from (found := [models.event(one) for one in page])
            if len(found) < PAGE:
                return
            after = found[-1].id

    # Audio

    def download(self, job: Job | str, path: str | os.PathLike[str], *, max_bytes: int = MAX_AUDIO_BYTES) -> Path:
        """Write the audio of a succeeded job to `path`, and return that.

        The file appears at once and whole: size and checksum are the gateway's, and a broken download resumes. Audio in
        a bucket is read from there, and the bucket never receives the key.

        Raises:
            JobFailedError: the job finished without audio.
            IncompleteAudioError: it did not arrive whole. `path` is as it was.
        """
        found = self.job(job) if isinstance(job, str) else job
        if found.audio is None and not found.has_finished:
            found = self.job(found.id)
        found.raise_if_failed()
        audio = found.audio
        expected = Expected(None if audio is None else audio.bytes, None if audio is None else audio.sha256, max_bytes)
        download(self._transport, f"/v1/jobs/{_id(found)}/audio", Path(path), expected)
        return Path(path)

    def download_batch(self, batch: Batch | str, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the audio of all succeeded jobs of a batch into a folder, and return the files.

        A file is named by its `custom_id`, or by the job's id where that is no plain name.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        return [
            self.download(job, target / file_name(job))
            for job in self.results(_id(batch))
            if job.status == "succeeded" and job.audio is not None
        ]

    # Changing

    def cancel(self, job: Job | str) -> Job:
        """Cancel a job. A call in flight is still paid for."""
        return models.job(self._post(f"/v1/jobs/{_id(job)}/cancel"))

    def retry(self, job: Job | str) -> Job:
        """Retry a job that finished without audio, under the same id."""
        return models.job(self._post(f"/v1/jobs/{_id(job)}/retry", repeatable=False))

    def delete(self, job: Job | str) -> Job:
        """Delete text and audio of a finished job. Its cost stays."""
        return models.job(self._transport.call("DELETE", f"/v1/jobs/{_id(job)}").json())

    def cancel_batch(self, batch: Batch | str) -> int:
        """Cancel what has not finished, and return how many jobs that were."""
        return Reader(self._post(f"/v1/batches/{_id(batch)}/cancel")).number("jobs")

    def retry_batch(self, batch: Batch | str, *, code: str | None = None) -> int:
        """Retry jobs that finished without audio, or those with this code, and return how many."""
        found = self._post(f"/v1/batches/{_id(batch)}/retry", {"code": code}, repeatable=False)
        return Reader(found).number("jobs")

    def pause_batch(self, batch: Batch | str) -> Batch:
        """Start none of its jobs until it is resumed."""
        return models.batch(self._post(f"/v1/batches/{_id(batch)}/pause"))

    def resume_batch(self, batch: Batch | str) -> Batch:
        """Resume a paused batch."""
        return models.batch(self._post(f"/v1/batches/{_id(batch)}/resume"))

    # Account

    def models(self) -> list[Model]:
        """Return the models with their prices."""
        return [models.model(one) for one in Reader(self._get("/v1/models")).items("models")]

    def voices(self) -> list[Voice]:
        """Return the voices."""
        return [models.voice(one) for one in Reader(self._get("/v1/voices")).items("voices")]

    def spend(self, *, by: str = "day", since: datetime | None = None, until: datetime | None = None) -> Spend:
        """Return the exact cost of the tenant's calls, by `day`, `model`, `batch` and what else the gateway knows."""
        found = Reader(self._get("/v1/spend", {"by": by, **_times(since, until)}))
        return Spend(found.amount("paid"), tuple(Reader(line).raw for line in found.items("lines")))

    def credits(self) -> Decimal | None:
        """Return the account's balance as the API last reported it; None before that."""
        return Reader(self._get("/v1/credits")).optional_amount("remaining")

    def _get(self, path: str, query: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - any JSON value
        return self._transport.call("GET", path, query=query).json()

    def _post(self, path: str, query: Mapping[str, object] | None = None, *, repeatable: bool = True) -> Any:  # noqa: ANN401 - as above
        return self._transport.call("POST", path, query=query, repeatable=repeatable).json()

    def _pages(self, path: str, name: str, query: Mapping[str, object]) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            page = Reader(self._get(path, {**query, "limit": PAGE, "cursor": cursor}))
            yield from page.items(name)
            following = page.optional_id("next_cursor")
            if following is None or following == cursor:
                return
            cursor = following


def file_name(job: Job) -> str:
    """Return a file name for a job's audio that cannot lead out of a folder."""
    kind = (job.audio.content_type if job.audio else None) or ""
    extension = _EXTENSIONS.get(kind.partition(";")[0].strip(), "audio")
    plain = job.custom_id is not None and _FILE_NAME.fullmatch(job.custom_id)
    return f"{job.custom_id if plain else job.id}.{extension}"


def _id(given: Job | Batch | str) -> str:
    value = given if isinstance(given, str) else given.id
    return models.checked_id(value, ValueError(f"{value!r} is not the id of a job or batch"))


def _times(since: datetime | None, until: datetime | None) -> dict[str, object]:
    return encoded({"since": since, "until": until})


def _require(stream: Stream, status: int) -> None:
    if stream.status != status:
        raise UnexpectedResponseError(f"HTTP {stream.status} instead of {status}", status=stream.status)


def _parsed(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnexpectedResponseError("a line of the response is not JSON") from None


def _lines(stream: Stream) -> Iterator[bytes]:
    rest = bytearray()
    for part in stream.parts():
        rest += part
        *lines, last = rest.split(b"\n")
        rest = bytearray(last)
        if len(rest) > MAX_LINE_BYTES:
            raise UnexpectedResponseError(f"a line of the response is longer than {MAX_LINE_BYTES:,} bytes")
        yield from map(bytes, filter(None, lines))
    if rest:
        raise ConnectionFailedError("the response broke off within a line", possibly_sent=True)
