"""One browser a test process, and a console with a worker and the emulator behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.databases import migrated_file, on_sqlite
from tests.e2e.console.scene import fill
from tests.servers import chromium
from tests.speaking import Speaking, speaking
from worker.store import schema
from worker.store.database import Database

__all__ = ["migrated_file", "on_sqlite"]

TENANT = "default"


@pytest.fixture(scope="module")  # until it ends, no other test of this process can run an event loop
def chrome() -> Iterator[Browser]:
    """Debian's Chromium."""
    path, environment = chromium.program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(path), args=list(chromium.ARGUMENTS), env={**os.environ, **environment}
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Speaking]:
    """A console with an evening's work behind it, and no worker."""
    folder: Path = tmp_path_factory.mktemp("console")
    database = Database(f"sqlite:///{folder / 'queue.db'}")
    schema.upgrade(database)
    fill(database, TENANT)
    with speaking(database, folder, with_worker=False) as site:
        yield site
    database.close()
