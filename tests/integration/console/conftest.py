"""The gateway with its console, once on each database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.console_site import Browser, signed_in
from tests.gateway import Running, running
from worker.store.database import Database


@pytest.fixture
def site(database: Database) -> Iterator[Running]:
    """A gateway that asks for keys."""
    with running(database) as started:
        yield started


@pytest.fixture
def operator(site: Running) -> Browser:
    """A browser that may do everything for the tenant acme."""
    return signed_in(site)
