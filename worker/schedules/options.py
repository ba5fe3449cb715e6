"""Options of a schedule's source, stored as JSON. They name a database's variable, never its address."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from worker.intake.sheet_options import SheetOptions
from worker.intake.validation import Defaults


@dataclass(frozen=True, slots=True)
class Options:
    database_env: str | None = None
    """If set, the source is a query for the database whose address is in this environment variable."""
    model: str | None = None
    voice_1: str | None = None
    voice_2: str | None = None
    temperature: float | None = None
    sheets: tuple[str, ...] = ()
    all_sheets: bool = False
    text_column: str | None = None
    id_column: str | None = None
    ignored_columns: tuple[str, ...] = ()
    encoding: str | None = None

    @property
    def defaults(self) -> Defaults:
        return Defaults(model=self.model, voice_1=self.voice_1, voice_2=self.voice_2, temperature=self.temperature)

    @property
    def sheet(self) -> SheetOptions:
        return SheetOptions(
            self.sheets, self.all_sheets, self.text_column, self.id_column, self.ignored_columns, self.encoding
        )

    def kept(self) -> str:
        """Encode as JSON, without defaults, because older workers know fewer options."""
        defaults = asdict(Options())
        return json.dumps({name: value for name, value in asdict(self).items() if value != defaults[name]})

    @classmethod
    def read(cls, kept: str) -> Options:
        found: dict[str, Any] = json.loads(kept)
        found |= {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
        return cls(**found)
