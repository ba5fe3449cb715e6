"""What every client of the API can do. Execution and the probes know this Protocol and no HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from api_models.speech import Speech
from worker.segmind.answers import Answer, Credits


class Client(Protocol):
    """One account at the API. Safe to share between threads."""

    def synthesize(self, speech: Speech, spool: Path) -> Answer:
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
