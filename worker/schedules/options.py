"""Options of a schedule, stored as JSON. They name a database's variable, never its address."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from api_models.values import span_seconds
from worker.intake.sheet_options import SheetOptions
from worker.intake.validation import Defaults

_DEFAULTS: Final = frozenset(one.name for one in fields(Defaults))
_SHEET: Final = frozenset(one.name for one in fields(SheetOptions))


@dataclass(frozen=True, slots=True)
class Options:
    database_env: str | None = None
    """If set, the source is a query for the database whose address is in this environment variable."""
    max_cost: str | None = None
    """Budget of each run's batch, in US dollars."""
    key_template: str | None = None
    skip_invalid: bool = False
    """Submit the valid rows of a source with faulty ones."""
    use_cache: bool = True
    """False buys every text of every run again."""
    defaults: Defaults = field(default_factory=Defaults)
    sheet: SheetOptions = field(default_factory=SheetOptions)

    @property
    def budget(self) -> Decimal | None:
        return None if self.max_cost is None else Decimal(self.max_cost)

    def defaults_at(self, due: datetime) -> Defaults:
        """The defaults of one run: a deadline that is a length of time counts from its due time."""
        seconds = None if self.defaults.deadline is None else span_seconds(self.defaults.deadline)
        if seconds is None:
            return self.defaults
        return replace(self.defaults, deadline=(due + timedelta(seconds=seconds)).isoformat())

    def kept(self) -> str:
        """Encode as flat JSON, without defaults, because older workers know fewer options."""
        plain = _flat(Options())
        return json.dumps({name: value for name, value in _flat(self).items() if value != plain[name]})

    @classmethod
    def read(cls, kept: str) -> Options:
        found: dict[str, Any] = json.loads(kept)
        found |= {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
        own = {name: value for name, value in found.items() if name not in _DEFAULTS | _SHEET}
        return cls(
            **own,
            defaults=Defaults(**{name: value for name, value in found.items() if name in _DEFAULTS}),
            sheet=SheetOptions(**{name: value for name, value in found.items() if name in _SHEET}),
        )


def _flat(options: Options) -> dict[str, Any]:
    values = asdict(options)
    defaults: dict[str, Any] = values.pop("defaults")
    sheet: dict[str, Any] = values.pop("sheet")
    return values | defaults | sheet
