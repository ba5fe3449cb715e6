"""Everything that one gateway process shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.execution.destinations import Destinations
from worker.gateway.event_stream import Watch
from worker.gateway.metrics import Figures
from worker.gateway.middleware.api_keys import Keyring
from worker.gateway.uploads import Submissions
from worker.process import factories
from worker.settings import Settings
from worker.store.database import Database
from worker.webhooks.addresses import Allowed


@dataclass(slots=True)
class Gateway:
    """The parts of one gateway process."""

    settings: Settings
    database: Database
    keyring: Keyring
    submissions: Submissions
    watch: Watch
    figures: Figures
    places: Destinations
    allowed: Allowed
    written: Callable[[], None]
    """Called when there are new jobs."""

    @property
    def context(self) -> dict[str, Any]:
        """What the rules of a job need to know."""
        return {"max_text_bytes": self.settings.max_text_bytes}

    def now(self) -> datetime:
        """This machine's time, for what is only noted."""
        return datetime.now(UTC)


def assemble(
    settings: Settings, database: Database, *, open_door: bool, written: Callable[[], None] = lambda: None
) -> Gateway:
    """Put a gateway together. `open_door` lets everybody in; `written` is called when there are new jobs."""
    return Gateway(
        settings=settings,
        database=database,
        keyring=Keyring(database, open_door=open_door),
        submissions=Submissions(database, written),
        watch=Watch(database),
        figures=Figures.of(database),
        places=factories.open_places(settings, database, connections=16),
        allowed=Allowed.parse(settings.webhook_allow.split(",")),
        written=written,
    )
