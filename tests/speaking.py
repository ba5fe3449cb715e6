"""A gateway with a worker behind it and an emulator behind that, in this process: what a speech request needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway import Client, Running, running
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.process.embedded import EmbeddedWorker
from worker.settings import load
from worker.store.database import Database

SPEECH = "/openai/v1/audio/speech"


@dataclass(frozen=True, slots=True)
class Speaking:
    """What is running."""

    gateway: Running
    emulator: Emulator
    settings: dict[str, str]

    @property
    def client(self) -> Client:
        """A client without a key."""
        return self.gateway.stranger

    @property
    def base_url(self) -> str:
        """What an OpenAI client is given."""
        return f"{self.gateway.address}/openai/v1"

    @property
    def bills(self) -> int:
        """The calls that the emulator has charged."""
        return self.emulator.state().billed_calls


@contextmanager
def speaking(
    database: Database,
    folder: Path,
    config: EmulatorConfig | None = None,
    *,
    open_door: bool = True,
    with_worker: bool = True,
    **settings: str,
) -> Iterator[Speaking]:
    """Start all three; without a worker, jobs stay queued."""
    with Emulator(config or EmulatorConfig()) as emulator:
        given: dict[str, Any] = {
            "SEGMIND_BASE_URL": emulator.base_url,
            "SEGMIND_API_KEY": emulator.key,
            "SEGMIND_RPM": "unlimited",
            "TTSQ_ARTIFACTS_URL": (folder / "audio").as_uri(),
            "TTSQ_SPOOL_DIR": str(folder / "spool"),
            **settings,
        }
        url = database.url.render_as_string(hide_password=False)
        worker = EmbeddedWorker(load(TTSQ_DATABASE_URL=url, **given), database) if with_worker else None
        wake = worker.wake if worker is not None else lambda: None
        with running(database, open_door=open_door, written=wake, **given) as gateway:
            if worker is not None:
                worker.start()
            try:
                yield Speaking(gateway, emulator, given)
            finally:
                if worker is not None:
                    worker.stop(grace_seconds=5)
