"""Finds the words of a take, where what that needs is installed. Imports and starts nothing before the first take."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from worker.documents.captions.cues import Span
    from worker.execution.listening.pool import ListeningPool

NEEDED: Final = "pocketsphinx"

log = structlog.get_logger("ttsq.execution")


@dataclass(slots=True)
class Aligner:
    """One per worker. Safe to share between threads."""

    environment: Callable[[], Mapping[str, str]]
    espeak: str = ""
    """Path of espeak-ng; empty for the one on PATH."""
    is_on: bool = True
    processes: ListeningPool | None = None
    """Those that listen to takes already; None to start some when they are needed."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_available(self) -> bool:
        return self.is_on and find_spec(NEEDED) is not None

    def words(self, path: Path, text: str, language: str) -> Sequence[Span]:
        """Return the words of a WAV in its seconds; nothing where they can't be told. Blocks for a fraction of the
        take's own length.
        """
        if not self.is_available:
            return ()
        from worker.acceptance.findings import TimeSource  # noqa: PLC0415 - see the module
        from worker.documents.captions.cues import Span  # noqa: PLC0415 - likewise
        from worker.execution.listening.messages import ListeningError, Tools, WordsRequest  # noqa: PLC0415 - likewise

        try:
            found = self._started().words(WordsRequest(path, text, language, Tools(self.espeak)))
        except (ListeningError, OSError) as error:
            log.warning("alignment_failed", error=str(error).splitlines()[0] if str(error) else type(error).__name__)
            return ()
        if any(word.source is TimeSource.ACTIVITY for word in found):
            return ()  # pauses tell more than letters alone
        return [
            Span(word.start, word.end, word.char_start, word.char_end, str(word.source), word.confidence)
            for word in found
        ]

    def close(self) -> None:
        if self.processes is not None:
            self.processes.close()

    def _started(self) -> ListeningPool:
        from worker.execution.listening.pool import ListeningPool  # noqa: PLC0415 - see the module

        with self._lock:
            if self.processes is None:
                self.processes = ListeningPool(os.cpu_count() or 1, self.environment())
            return self.processes
