"""The tutorial pattern: one Celery task that calls the API, puts the audio into the bucket and keeps a row up to date.

Worker: `celery -A benchmarks.peers.tutorial worker --pool threads --concurrency N --loglevel INFO`.
Producer: `python -c "from benchmarks.peers.tutorial import submit; submit(JOBS)"`.
Of this project it knows only the texts.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from typing import Any

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from celery import Celery
from sqlalchemy import Column, DateTime, Integer, MetaData, Numeric, String, Table, Text, create_engine, insert, update

from benchmarks.texts import text

CONCURRENCY = int(os.environ["TUTORIAL_CONCURRENCY"])

app = Celery("tutorial", broker=os.environ["TUTORIAL_BROKER_URL"])
engine = create_engine(os.environ["TUTORIAL_DATABASE_URL"], pool_size=16)
# Its own default of ten connections would close and open one for most uploads.
s3 = boto3.client("s3", config=Config(max_pool_connections=CONCURRENCY))
local = threading.local()

metadata = MetaData()
speeches = Table(
    "speeches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("status", String(16), nullable=False),
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


@app.task(
    autoretry_for=(requests.RequestException, BotoCoreError, ClientError),
    retry_backoff=True,
    max_retries=5,
)
def speak(speech_id: int, words: str) -> None:
    """Buy, store, note."""
    note(speech_id, status="running", started_at=datetime.now(UTC))
    response = session().post(
        os.environ["TUTORIAL_API_URL"],
        json={"text": words},
        headers={"x-api-key": os.environ["TUTORIAL_API_KEY"]},
        timeout=180,
    )
    response.raise_for_status()
    key = f"audio/{speech_id}.wav"
    s3.put_object(Bucket=os.environ["TUTORIAL_BUCKET"], Key=key, Body=response.content, ContentType="audio/wav")
    cost = response.headers["x-cost"]
    note(speech_id, status="done", finished_at=datetime.now(UTC), key=key, cost=cost)


def submit(jobs: int) -> None:
    """All rows in one statement, then a message for each."""
    rows: list[dict[str, Any]] = [{"id": n, "text": text(n), "status": "new"} for n in range(1, jobs + 1)]
    if rows:
        with engine.begin() as connection:
            connection.execute(insert(speeches), rows)
    for row in rows:
        speak.delay(row["id"], row["text"])
