"""The parts that one gateway process shares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, Final

from api_models import openai_names
from api_models.speech import LONG_TEXTS
from worker.execution.destinations import Destinations
from worker.gateway.event_stream import Watch
from worker.gateway.metrics import GatewayMetrics
from worker.gateway.middleware.api_keys import Keyring
from worker.gateway.openai.quota import QuotaWatch
from worker.gateway.openai.rendering import Renderer
from worker.gateway.openai.requests import Dialect
from worker.gateway.parsing import MAX_PARSING, Slots
from worker.gateway.uploads import Submissions
from worker.process import factories
from worker.settings import Settings
from worker.store.database import Database
from worker.webhooks.addresses import Allowed

MAX_HOOK_BODIES: Final = 200
"""Webhooks received at the same time. Their senders are unknown until the body is complete."""


@dataclass(slots=True)
class Gateway:
    settings: Settings
    database: Database
    keyring: Keyring
    submissions: Submissions
    watch: Watch
    metrics: GatewayMetrics
    destinations: Destinations
    allowed: Allowed
    dialect: Dialect
    renderer: Renderer
    quota: QuotaWatch
    on_new_jobs: Callable[[], None]
    """Called when there are new jobs."""
    parsing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_PARSING))
    hook_bodies: Slots = field(default_factory=lambda: Slots(MAX_HOOK_BODIES, "Too many webhooks are being received."))

    @property
    def context(self) -> dict[str, Any]:
        return {"max_text_bytes": self.settings.max_text_bytes, LONG_TEXTS: True}

    @property
    def base(self) -> str:
        return self.settings.gateway_base

    def now(self) -> datetime:
        """The local clock, for informational timestamps only."""
        return datetime.now(UTC)


def assemble(
    settings: Settings, database: Database, *, without_auth: bool, on_new_jobs: Callable[[], None] = lambda: None
) -> Gateway:
    """Build a gateway. `without_auth` disables authentication; `on_new_jobs` is called after each write."""
    return Gateway(
        settings=settings,
        database=database,
        keyring=Keyring(database, without_auth=without_auth),
        submissions=Submissions(database, on_new_jobs),
        watch=Watch(database),
        metrics=GatewayMetrics.of(database),
        destinations=factories.open_destinations(settings, database, connections=16),
        allowed=Allowed.parse(settings.webhook_allow.split(",")),
        dialect=Dialect(
            openai_names.model_names(settings.openai_models),
            openai_names.voice_names(settings.openai_voices),
            has_aac=find_spec("av") is not None,  # without importing it
            max_text_bytes=settings.max_text_bytes,
        ),
        renderer=Renderer(),
        quota=QuotaWatch(database),
        on_new_jobs=on_new_jobs,
    )
