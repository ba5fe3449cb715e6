"""A console with an evening's work behind it: what its pages show in the tests with a browser, and in the pictures."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, insert
from uuid_utils.compat import uuid7

from api_models.access import Scope
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.factories import OTHER_MODEL, add_attempt, add_batch, add_job
from worker.store import activity, operations, schedules
from worker.store.access import api_keys, console_log
from worker.store.database import Database
from worker.store.outbox import endpoints
from worker.store.outbox.endpoints import EndpointRecord
from worker.store.schedules import ScheduleRecord
from worker.store.tables.console import Activity
from worker.store.tables.webhooks import Delivery, DeliveryTry, EventRow

TEXTS: Final = (
    "The ferry to the islands leaves at ten past four from pier seven.",
    "Good evening, and welcome to the late concert in the great hall.",
    "Chapter three. The house by the river had been empty for years.",
    "Please keep your bags with you at all times.",
    "Tomorrow there will be sun in the north and light rain along the coast.",
    "Your parcel is on its way. It arrives between nine and eleven.",
)
VOICES: Final = ("Kore", "Puck", "Charon", "Aoede")
PRICE: Final = Decimal("0.0067")
ENDPOINT: Final = UUID(int=7 << 64)
DELIVERY: Final = UUID(int=8 << 64)


def fill(database: Database, tenant: str) -> None:
    """Add everything."""
    with database.begin() as connection:
        now = database.now(connection)
        jobs_of_an_evening(connection, tenant, now)
        charts(connection, tenant, now)
        webhooks(connection, tenant, now)
        others(connection, tenant, now)


def jobs_of_an_evening(connection: Connection, tenant: str, now: datetime) -> None:
    """A batch under way, and one job of each kind."""
    batch_id = add_batch(connection, tenant=tenant, name="harbour-announcements.csv", total=24, created_at=now)
    for number in range(24):
        status = JobStatus.SUCCEEDED if number < 15 else JobStatus.QUEUED
        add_job(
            connection,
            tenant=tenant,
            batch_id=batch_id,
            text=TEXTS[number % len(TEXTS)],
            voice_1=VOICES[number % len(VOICES)],
            custom_id=f"line-{number + 1:03}",
            status=status,
            cost=PRICE if status == JobStatus.SUCCEEDED else Decimal(0),
            duration_ms=2_000 + number * 310,
            created_at=now - timedelta(minutes=40 - number),
            **({"finished_at": now - timedelta(minutes=30 - number)} if status == JobStatus.SUCCEEDED else {}),
        )
    failed = add_job(
        connection,
        tenant=tenant,
        text="A line that the model read aloud with its stage directions.",
        voice_1="Leda",
        model=OTHER_MODEL,
        status=JobStatus.FAILED,
        code="bad_audio",
        message="Every take was mostly silence.",
        cost=2 * PRICE,
        tags=",news,late,",
        created_at=now - timedelta(minutes=9),
        finished_at=now - timedelta(minutes=6),
    )
    for number, verdict in ((1, VerdictKind.PACE), (2, VerdictKind.BAD_TAKE), (3, VerdictKind.BAD_TAKE)):
        began = now - timedelta(minutes=9 - number)
        free = verdict == VerdictKind.PACE
        add_attempt(
            connection,
            job_id=failed,
            number=number,
            tenant=tenant,
            verdict=verdict,
            code="rate_limited" if free else "silence",
            message="Too many requests." if free else "92 % of the audio is silence.",
            cost=Decimal(0) if free else PRICE,
            started_at=began,
            finished_at=began + timedelta(seconds=1 if free else 9),
        )
    add_job(
        connection,
        tenant=tenant,
        text=TEXTS[1],
        voice_1="Zephyr",
        status=JobStatus.RUNNING,
        started_at=now,
        created_at=now,
    )


def charts(connection: Connection, tenant: str, now: datetime) -> None:
    """A day with a quiet night."""
    begin = now.replace(second=0, microsecond=0) - timedelta(hours=24)
    names = activity.Minute.__slots__
    rows = []
    for at in range(3, 1_436):
        tide = max(0.0, math.sin(at / 1_440 * math.tau * 1.5) + 0.4)
        one = activity.Minute(
            tenant,
            begin + timedelta(minutes=at),
            int(tide * 40),
            int(tide * 40) // 13 if 600 < at < 700 else at % 17 == 0,
            PRICE * int(tide * 40),
            int(900 + tide * 1_200),
            int(2_500 + tide * 9_000),
        )
        rows.append({name: getattr(one, name) for name in names})
    connection.execute(insert(Activity), rows)


def webhooks(connection: Connection, tenant: str, now: datetime) -> None:
    """An endpoint with a delivery that failed."""
    record = EndpointRecord(
        id=ENDPOINT,
        tenant=tenant,
        url="https://app.example.com/hooks/speech",
        secret="whsec_c2VjcmV0",
        old_secret=None,
        old_secret_until=None,
        events="job.succeeded job.failed",
        ordered=True,
        thin=False,
        created_at=now,
        failing_since=now - timedelta(minutes=20),
        disabled_at=None,
        disabled_why=None,
    )
    endpoints.add(connection, record)
    connection.execute(
        insert(EventRow).values(id=1, at=now, type="job.failed", tenant=tenant, subject=str(uuid7()), data="{}")
    )
    connection.execute(
        insert(Delivery).values(
            id=DELIVERY,
            tenant=tenant,
            endpoint_id=ENDPOINT,
            event_id=1,
            state="failed",
            attempts=1,
            created_at=now - timedelta(minutes=20),
            finished_at=now - timedelta(minutes=2),
        )
    )
    connection.execute(
        insert(DeliveryTry).values(
            delivery_id=DELIVERY,
            number=1,
            at=now - timedelta(minutes=20),
            seconds=0.21,
            status=503,
            request=json.dumps({"webhook-id": str(DELIVERY), "content-type": "application/json"}),
            response="upstream connect error",
        )
    )


def others(connection: Connection, tenant: str, now: datetime) -> None:
    """A schedule, a key, an operation, and the log."""
    schedules.add(
        connection,
        ScheduleRecord(
            tenant,
            "weather",
            "30 5 * * *",
            "Europe/Berlin",
            "s3://texts/weather.csv",
            "{}",
            3_600,
            now,
            now + timedelta(hours=7),
        ),
    )
    api_keys.make(
        connection,
        tenant=tenant,
        name="radio desk",
        scopes=[Scope.SUBMIT, Scope.READ],
        rate=None,
        budget=Decimal(25),
        now=now,
    )
    record = operations.create(
        connection,
        tenant=tenant,
        actor="ada@studio",
        action=operations.Action.RETRY,
        filter_text="state:failed code:bad_audio",
        priority=None,
        now=now + timedelta(seconds=1),
    )
    while operations.advance(connection, record, now=now):
        pass
    console_log.note(
        connection,
        tenant=tenant,
        actor="ada@studio",
        action="prepare retry",
        subject=str(record.id),
        now=now,
        detail="state:failed code:bad_audio",
    )
