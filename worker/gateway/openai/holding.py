"""Holds a speech request until its job has finished, its client has left, or nothing can come of waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Scope

from worker.gateway.middleware.api_keys import Caller
from worker.gateway.openai.errors import SERVER, OpenAIError
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError
from worker.store.access import joined_requests
from worker.store.access.joined_requests import Joined

QUOTA_SECONDS: Final = 0.5
"""Between two looks at what may keep the job from starting, and at the key."""
RETRY_SECONDS: Final = 1


class Client(Protocol):
    """A request, or what stands for one."""

    @property
    def scope(self) -> Scope: ...

    def receive(self) -> Awaitable[Message]:
        """Return the client's next message, at last that it has disconnected."""
        ...


class ClientLeftError(Exception):
    """The client has disconnected."""


async def until_finished(client: Client, gateway: Gateway, joined: Joined, *, caller: Caller, model: str) -> None:
    """Return when the job has finished.

    Raises:
        ClientLeftError: the client disconnected. The last one cancels a job that nothing was paid for.
        OpenAIError: an account, model or budget holds the job, which is treated the same; or the hold time has passed.
        ProblemError: the caller's key was revoked meanwhile, which is treated the same as well.
    """
    try:
        finished = await _wait(client, gateway, joined, caller=caller, model=model)
    except (ClientLeftError, OpenAIError, ProblemError):
        await run_in_threadpool(_leave, gateway, joined, cancels=True)
        raise
    if not finished:
        await run_in_threadpool(_leave, gateway, joined, cancels=False)
        raise _still_running(joined)


async def _wait(client: Client, gateway: Gateway, joined: Joined, *, caller: Caller, model: str) -> bool:
    seconds = gateway.settings.openai_hold_seconds
    finished = asyncio.create_task(gateway.watch.until_finished(joined.job_id, seconds))
    left = asyncio.create_task(_disconnected(client))
    try:
        while True:
            await asyncio.wait({finished, left}, timeout=QUOTA_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if finished.done():
                return finished.result()
            if left.done():
                raise ClientLeftError
            await gateway.keyring.refuse_outdated(caller)
            if refusal := await gateway.quota.refusal(caller, model):
                raise refusal
    finally:
        finished.cancel()
        left.cancel()


async def _disconnected(client: Client) -> None:
    while (await client.receive())["type"] != "http.disconnect":
        pass


def _leave(gateway: Gateway, joined: Joined, *, cancels: bool) -> None:
    with gateway.database.begin() as connection:
        joined_requests.leave(connection, joined, now=gateway.database.now(connection), cancels=cancels)


def _still_running(joined: Joined) -> OpenAIError:
    return OpenAIError(
        503,
        SERVER,
        "The audio is not ready yet. Send the same request again: it joins the job and is charged once.",
        code="not_ready",
        retries=True,
        headers={"retry-after": str(RETRY_SECONDS), "x-ttsq-job-id": str(joined.job_id)},
    )
