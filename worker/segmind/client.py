"""What every client of the API can do. Execution and the probes know this Protocol and no HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from api_models.speech import Speech
from worker.segmind.answers import Answer, Credits


class Handle(Protocol):
    """What a job's attempts know of a request that was submitted for it."""

    @property
    def request_id(self) -> str | None:
        """What an earlier attempt submitted: it is polled, and nothing is submitted again."""
        ...

    async def keep(self, request_id: str) -> None:
        """Commit what was just submitted. No poll is made before this has returned; what it raises passes through."""
        ...


@dataclass(frozen=True, slots=True)
class NoHandle:
    """Knows of no request, and keeps none: a crash leaves what was submitted unfound."""

    request_id: None = None

    async def keep(self, request_id: str) -> None:
        """Forget it."""


NO_HANDLE: Final = NoHandle()


class Client(Protocol):
    """One account at the API. Safe to share between threads."""

    async def synthesize(self, speech: Speech, spool: Path, handle: Handle = NO_HANDLE) -> Answer:
        """Buy one take; its body lands in `spool`, which appears only when the body is whole.

        Never raises for what the network or the API does.

        Raises:
            SpoolError: this machine couldn't keep the answer.
        """
        ...

    def credits(self) -> Credits | Answer:
        """The account's balance, free of charge: also the vendor's own way to check a key. An `Answer` says why not."""
        ...

    def close(self) -> None:
        """Close all idle connections; calls in flight end by themselves."""
        ...


@dataclass(frozen=True, slots=True)
class SubmitOrPollClient:
    """For a queue that has changed from v2 to v1: nothing that it submitted is bought again."""

    buyer: Client
    """Makes the calls that cost."""
    follower: Client
    """Polls what a handle names."""

    async def synthesize(self, speech: Speech, spool: Path, handle: Handle = NO_HANDLE) -> Answer:
        """Buy one take, or go on with the one that `handle` names; see `Client`."""
        client = self.buyer if handle.request_id is None else self.follower
        return await client.synthesize(speech, spool, handle)

    def credits(self) -> Credits | Answer:
        """The account's balance; see `Client`."""
        return self.buyer.credits()

    def close(self) -> None:
        """Close all idle connections; calls in flight end by themselves."""
        self.buyer.close()
        self.follower.close()
