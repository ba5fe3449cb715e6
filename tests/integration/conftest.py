"""What the integration tests stand on beside the servers: migrated databases, and the command on one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attempt_harness import close_pools
from tests.databases import (
    database,
    empty_database,
    empty_on_postgresql,
    empty_on_sqlite,
    migrated_and_empty,
    migrated_file,
    migrated_template,
    on_postgresql,
    on_sqlite,
)
from tests.terminal import queue, ttsq
from tests.webhook_senders import client, config, emulator, limits, running, shop, shop_on_both

__all__ = [
    "client",
    "config",
    "database",
    "empty_database",
    "empty_on_postgresql",
    "empty_on_sqlite",
    "emulator",
    "limits",
    "migrated_and_empty",
    "migrated_file",
    "migrated_template",
    "on_postgresql",
    "on_sqlite",
    "queue",
    "running",
    "shop",
    "shop_on_both",
    "ttsq",
]


@pytest.fixture(autouse=True)
def without_pools() -> Iterator[None]:
    """A test leaves no thread of a workshop behind."""
    yield
    close_pools()
