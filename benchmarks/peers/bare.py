"""No queue at all: one asyncio program that speaks all texts and ends. What it loses when it dies is lost.

The floor that a queue stands on: an aiohttp client, a semaphore, uploads signed by hand (Signature Version 4), two
statements a job over psycopg. Called as `python -m benchmarks.peers.bare JOBS`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import aiohttp
from psycopg import AsyncConnection

from benchmarks.texts import text

CONNECTIONS: Final = 4
RETRIES: Final = 5
INSERT: Final = "INSERT INTO speeches (id, text, status, created_at) VALUES (%s, %s, 'new', %s)"
BEGUN: Final = "UPDATE speeches SET status = 'running', started_at = %s WHERE id = %s"
DONE: Final = "UPDATE speeches SET status = 'done', finished_at = %s, key = %s, cost = %s WHERE id = %s"
SIGNED: Final = "content-type;host;x-amz-content-sha256;x-amz-date"


class Rows:
    """A few connections, each lent to one statement at a time."""

    def __init__(self, connections: list[AsyncConnection]) -> None:
        self._free: asyncio.LifoQueue[AsyncConnection] = asyncio.LifoQueue()
        self._first = connections[0]
        for connection in connections:
            self._free.put_nowait(connection)

    async def enter(self, jobs: int) -> None:
        """All rows."""
        now = datetime.now(UTC)
        async with self._first.cursor() as cursor:
            await cursor.executemany(INSERT, [(n, text(n), now) for n in range(1, jobs + 1)])

    async def note(self, statement: str, *values: object) -> None:
        """One statement, committed."""
        connection = await self._free.get()
        try:
            await connection.execute(statement, values)
        finally:
            self._free.put_nowait(connection)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where the audio goes, and what signs for it."""

    endpoint: str
    name: str
    region: str
    access_key: str
    secret_key: str

    async def put(self, http: aiohttp.ClientSession, key: str, body: bytes) -> None:
        """One object."""
        address = f"{self.endpoint}/{self.name}/{key}"
        async with http.put(address, data=body, headers=self._headers(key, body)) as answer:
            answer.raise_for_status()

    def _headers(self, key: str, body: bytes) -> dict[str, str]:
        stamp, checksum = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", hashlib.sha256(body).hexdigest()
        day, host = stamp[:8], self.endpoint.partition("://")[2]
        lines = f"content-type:audio/wav\nhost:{host}\nx-amz-content-sha256:{checksum}\nx-amz-date:{stamp}\n"
        request = f"PUT\n/{self.name}/{key}\n\n{lines}\n{SIGNED}\n{checksum}"
        scope = f"{day}/{self.region}/s3/aws4_request"
        words = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.new(_day_key(self.secret_key, day, self.region), words.encode(), "sha256").hexdigest()
        return {
            "content-type": "audio/wav",
            "x-amz-content-sha256": checksum,
            "x-amz-date": stamp,
            "authorization": f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope},"
            f" SignedHeaders={SIGNED}, Signature={signature}",
        }


@lru_cache(maxsize=2)
def _day_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key


@dataclass(frozen=True, slots=True)
class Script:
    """All that its jobs share."""

    http: aiohttp.ClientSession
    rows: Rows
    bucket: Bucket
    slots: asyncio.Semaphore

    async def speak(self, number: int) -> None:
        """Buy, store, note; again where that fails."""
        for attempt in range(RETRIES + 1):
            async with self.slots:
                try:
                    await self._attempt(number)
                except aiohttp.ClientError:
                    if attempt == RETRIES:
                        return
                else:
                    return
            await asyncio.sleep(random.uniform(0, 2**attempt))

    async def _attempt(self, number: int) -> None:
        await self.rows.note(BEGUN, datetime.now(UTC), number)
        headers = {"x-api-key": os.environ["PEER_API_KEY"]}
        async with self.http.post(os.environ["PEER_API_URL"], json={"text": text(number)}, headers=headers) as answer:
            answer.raise_for_status()
            audio, cost = await answer.read(), answer.headers["x-cost"]
        key = f"audio/{number}.wav"
        await self.bucket.put(self.http, key, audio)
        await self.rows.note(DONE, datetime.now(UTC), key, cost, number)


@asynccontextmanager
async def opened(slots: int) -> AsyncIterator[Script]:
    """Its connections."""
    bucket = Bucket(
        os.environ["AWS_ENDPOINT_URL_S3"],
        os.environ["PEER_BUCKET"],
        os.environ["AWS_DEFAULT_REGION"],
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    address = os.environ["PEER_DATABASE_URL"].replace("postgresql+psycopg", "postgresql")
    async with AsyncExitStack() as stack:
        connections = [await AsyncConnection.connect(address, autocommit=True) for _ in range(CONNECTIONS)]
        for connection in connections:
            await stack.enter_async_context(connection)
        http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None, sock_read=180)
        )
        await stack.enter_async_context(http)
        yield Script(http, Rows(connections), bucket, asyncio.Semaphore(slots))


async def main(jobs: int) -> None:
    """With no jobs it only opens its connections."""
    async with opened(int(os.environ["PEER_CONCURRENCY"])) as script:
        if jobs:
            await script.rows.enter(jobs)
            await asyncio.gather(*(script.speak(number) for number in range(1, jobs + 1)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
