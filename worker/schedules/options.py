"""How a schedule's source becomes jobs, as its row has it: JSON. It names a database's variable, never its address."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from worker.intake.judging import Defaults


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for when the schedule was made."""

    database_env: str | None = None
    """The source is a query, for the database whose address is in this environment variable."""
    model: str | None = None
    voice_1: str | None = None
    voice_2: str | None = None
    temperature: float | None = None

    @property
    def defaults(self) -> Defaults:
        """What fills the fields that a row leaves empty."""
        return Defaults(model=self.model, voice_1=self.voice_1, voice_2=self.voice_2, temperature=self.temperature)

    def kept(self) -> str:
        """As a row has it."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def read(cls, kept: str) -> Options:
        """As `kept` wrote it."""
        return cls(**json.loads(kept))
