"""A gateway that speaks, for the tests of OpenAI's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.speaking import Speaking, speaking
from worker.store.database import Database


@pytest.fixture
def speaks(on_sqlite: Database, tmp_path: Path) -> Iterator[Speaking]:
    """A gateway without keys, on SQLite, whose worker is in this process."""
    with speaking(on_sqlite, tmp_path) as started:
        yield started
