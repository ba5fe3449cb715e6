"""A voice that says words, for the tests of this folder."""

from __future__ import annotations

import pytest

from tests.speech.voice import launcher
from worker.acceptance.espeak import Espeak


@pytest.fixture(scope="session")
def espeak(tmp_path_factory: pytest.TempPathFactory) -> Espeak:
    return launcher(tmp_path_factory.mktemp("espeak"))
