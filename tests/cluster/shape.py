"""What a cluster looks like: how many workers, how fast an API, which servers. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from worker.emulator.config import EmulatorConfig


class DatabaseKind(StrEnum):
    """Where the rows are."""

    POSTGRESQL = "postgresql"
    """As in production."""
    SQLITE = "sqlite"
    """One file that all workers of this machine share."""


class StoreKind(StrEnum):
    """Where the audio goes."""

    SWIFT = "swift"
    """A strict S3; a test that is about storing uses it."""
    MOTO = "moto"
    """A lenient S3, lighter on the processor."""
    FOLDER = "folder"
    """A local folder that all workers of this machine share."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One cluster, before it is started."""

    workers: int = 2
    slots: int = 10
    """Calls that each worker may have in flight."""
    rpm: float | None = None
    """What the workers are told of the account's limit (`SEGMIND_RPM`)."""
    latency_seconds: float = 0.3
    emulator: EmulatorConfig = field(default_factory=EmulatorConfig)
    """All else about the API; the latency above takes precedence."""
    database: DatabaseKind = DatabaseKind.POSTGRESQL
    migrated: bool = True
    """Without it the database has no tables, and no worker can start yet."""
    store: StoreKind = StoreKind.MOTO
    settings: Mapping[str, str] = field(default_factory=dict)
    """More settings of the workers, by their names in the environment."""

    def emulator_config(self) -> EmulatorConfig:
        """The emulator's behaviour at the start."""
        return self.emulator.model_copy(update={"latency_seconds": self.latency_seconds})
