"""What the leader reports for autoscaling, and the view that autoscalers read."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, text

from worker.store import upserts
from worker.store.tables.totals import Scaling

NAME: Final = "installation"
_USEFUL_SLOTS: Final = text("SELECT useful_slots FROM ttsq_scaling")


def held_by_budget(connection: Connection) -> int:
    return connection.execute(select(Scaling.held_by_budget).where(Scaling.name == NAME)).scalar() or 0


def record(connection: Connection, held: int, *, now: datetime) -> None:
    values = {"held_by_budget": held, "seen_at": now}
    connection.execute(
        upserts.insert(connection.dialect.name, Scaling)
        .values(name=NAME, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )


def useful_slots(connection: Connection) -> int:
    """Return what an autoscaler reads. On PostgreSQL only."""
    return int(connection.execute(_USEFUL_SLOTS).scalar_one())
