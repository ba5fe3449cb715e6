"""A rehearsal: the bundled emulator in this process, and a queue of its own that real runs never see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from api_models.origins import REHEARSAL
from worker import settings as settings_page
from worker.settings import HOME, Settings

FOLDER: Final = HOME / "rehearsal"
DATABASE_URL: Final = f"sqlite:///{FOLDER}/ttsq.db"
ORIGIN: Final = REHEARSAL
LATENCY_SECONDS: Final = 0.3
"""Quick enough to be waited for, slow enough to see the queue at work."""
JITTER: Final = 0.04


@contextmanager
def stage() -> Iterator[Settings]:
    """The settings of a rehearsal, for as long as its emulator runs. What else is set holds for it too."""
    from worker.emulator.config import EmulatorConfig  # noqa: PLC0415 - a web server that only a rehearsal needs
    from worker.emulator.server import Emulator  # noqa: PLC0415 - likewise

    config = EmulatorConfig(latency_seconds=LATENCY_SECONDS, jitter=JITTER)
    with Emulator(config) as emulator:
        settings = settings_page.load(
            SEGMIND_BASE_URL=emulator.base_url,
            SEGMIND_API_KEY=emulator.key,
            TTSQ_DATABASE_URL=DATABASE_URL,
            TTSQ_BROKER_URL="memory://",
            TTSQ_SPOOL_DIR=FOLDER / "spool",
            TTSQ_ARTIFACTS_URL=None,
        )
        # This emulator has no rate limit that could be found.
        unlimited = settings.model_copy(update={"segmind_rpm": "unlimited"})
        yield unlimited if settings.segmind_rpm is None else settings
