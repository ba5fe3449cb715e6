"""The Protocol of API clients. Execution and probes know only this and no HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from api_models.registry import MODELS
from api_models.speech import Speech
from worker.segmind.answers import Answer, Credits


class Handle(Protocol):
    """The record of a request submitted for a job."""

    @property
    def request_id(self) -> str | None:
        """The request of an earlier attempt: poll it instead of submitting again."""
        ...

    async def keep(self, request_id: str) -> None:
        """Commit a submitted request. Polling starts after this returns; its exceptions propagate."""
        ...


@dataclass(frozen=True, slots=True)
class NoHandle:
    """Stores nothing: a crash loses the submitted request."""

    request_id: None = None

    async def keep(self, request_id: str) -> None:
        """Does nothing."""


NO_HANDLE: Final = NoHandle()


class Client(Protocol):
    """One account at the API. Thread-safe."""

    async def synthesize(self, speech: Speech, spool: Path, handle: Handle = NO_HANDLE) -> Answer:
        """Buy one take; its body is written to `spool`, which appears only when complete.

        Network and API errors are returned, not raised. Raises SpoolError: this machine couldn't store the answer.
        """
        ...

    def credits(self) -> Credits | Answer:
        """The account's balance, free of charge; an `Answer` describes the error."""
        ...

    def close(self) -> None:
        """Close idle connections; calls in flight finish."""
        ...


@dataclass(frozen=True, slots=True)
class VersionedClient:
    """Calls each model by the settings' version, or by another one if the model lacks it.

    Requests already submitted are polled, not bought again, after a queue switched from v2 to v1.
    """

    preferred: Literal["v1", "v2"]
    """The settings' version."""
    blocking: Client
    polling: Client

    async def synthesize(self, speech: Speech, spool: Path, handle: Handle = NO_HANDLE) -> Answer:
        client = self.polling if handle.request_id is not None else self._buyer(speech.model)
        return await client.synthesize(speech, spool, handle)

    def credits(self) -> Credits | Answer:
        return (self.blocking if self.preferred == "v1" else self.polling).credits()

    def close(self) -> None:
        self.blocking.close()
        self.polling.close()

    def _buyer(self, slug: str) -> Client:
        known = MODELS.get(slug)
        version = self.preferred if known is None else known.version(self.preferred)
        return self.blocking if version == "v1" else self.polling
