"""What a job of every peer that is a task queue does: buy, store, note. Of this project it knows only the texts.

One boto3 client and one engine a process, a session a thread. Wrapped by each peer's program in its own decorator.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from typing import Any, Final

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import Column, DateTime, Integer, MetaData, Numeric, String, Table, Text, create_engine, insert, update

from benchmarks.texts import text

BROKER_URL: Final = os.environ["PEER_BROKER_URL"]
TROUBLE: Final = (requests.RequestException, BotoCoreError, ClientError)
"""What is tried again."""
RETRIES: Final = 5

engine = create_engine(os.environ["PEER_DATABASE_URL"], pool_size=16)
# Its own default of ten connections would close and open one for most uploads.
s3 = boto3.client("s3", config=Config(max_pool_connections=int(os.environ["PEER_CONCURRENCY"])))
local = threading.local()

metadata = MetaData()
speeches = Table(
    "speeches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("key", Text),
    Column("cost", Numeric(18, 9)),
)


def session() -> requests.Session:
    """One a thread: sessions are not meant to be shared."""
    if not hasattr(local, "session"):
        local.session = requests.Session()
    found: requests.Session = local.session
    return found


def note(speech_id: int, **values: object) -> None:
    """Change a row, in a transaction of its own."""
    with engine.begin() as connection:
        connection.execute(update(speeches).where(speeches.c.id == speech_id).values(**values))


def perform(speech_id: int, words: str) -> None:
    """Buy, store, note."""
    note(speech_id, status="running", started_at=datetime.now(UTC))
    response = session().post(
        os.environ["PEER_API_URL"],
        json={"text": words},
        headers={"x-api-key": os.environ["PEER_API_KEY"]},
        timeout=180,
    )
    response.raise_for_status()
    key = f"audio/{speech_id}.wav"
    s3.put_object(Bucket=os.environ["PEER_BUCKET"], Key=key, Body=response.content, ContentType="audio/wav")
    cost = response.headers["x-cost"]
    note(speech_id, status="done", finished_at=datetime.now(UTC), key=key, cost=cost)


def enter(jobs: int) -> list[tuple[int, str]]:
    """All rows in one statement; ids and texts for the queue."""
    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = [
        {"id": n, "text": text(n), "status": "new", "created_at": now} for n in range(1, jobs + 1)
    ]
    if rows:
        with engine.begin() as connection:
            connection.execute(insert(speeches), rows)
    return [(row["id"], row["text"]) for row in rows]
