"""A rehearsal: the bundled emulator in this process, with its own queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from api_models.origins import REHEARSAL
from worker import settings as settings_page
from worker.cli.database import REHEARSAL_DATABASE, REHEARSAL_DATABASE_URL
from worker.settings import Settings

FOLDER: Final = REHEARSAL_DATABASE.parent
DATABASE_URL: Final = REHEARSAL_DATABASE_URL
ORIGIN: Final = REHEARSAL
LATENCY_SECONDS: Final = 0.15
"""Short enough to wait for, long enough to see progress."""
JITTER: Final = 0.02


@contextmanager
def stage() -> Iterator[Settings]:
    """Yield the settings of a rehearsal while its emulator runs. Other settings apply unchanged."""
    from worker.emulator.config import EmulatorConfig  # noqa: PLC0415 - loads a web server
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
        # This emulator has no rate limit to discover.
        unlimited = settings.model_copy(update={"segmind_rpm": "unlimited"})
        yield unlimited if settings.segmind_rpm is None else settings
