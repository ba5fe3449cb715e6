"""A client that buys the one way and follows the other: what was submitted before is polled, whatever is set now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from api_models.speech import Speech
from worker.segmind.answers import Answer, Credits
from worker.segmind.client import NO_HANDLE, Client, Handle


@dataclass(frozen=True, slots=True)
class Following:
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
