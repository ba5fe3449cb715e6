"""One process that posts jobs at an even rate over kept connections, and says what came back. Its own program."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

LATE_SECONDS: Final = 10.0
"""An answer that hasn't come for so long counts as a timeout."""


@dataclass(slots=True)
class Tally:
    """What came back."""

    statuses: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    """From when a request was due to its answer: waiting for a free connection counts."""
    without_retry_after: int = 0
    unsent: int = 0
    """Due when the time was over, and still waiting for a free connection."""


async def client(host: str, port: int, key: str, due: asyncio.Queue[tuple[int, float] | None], tally: Tally) -> None:
    """One connection that takes whatever is due."""
    reader, writer = await asyncio.open_connection(host, port)
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    while (one := await due.get()) is not None:
        number, at = one
        body = b'{"text":"Announcement number %d.","voice_1":"Kore"}' % number
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        try:
            async with asyncio.timeout(LATE_SECONDS):
                answer = await reader.readuntil(b"\r\n\r\n")
                length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            tally.statuses[type(error).__name__] = tally.statuses.get(type(error).__name__, 0) + 1
            writer.close()
            reader, writer = await asyncio.open_connection(host, port)
            continue
        status = answer[9:12].decode()
        tally.statuses[status] = tally.statuses.get(status, 0) + 1
        tally.seconds.append(time.perf_counter() - at)
        if status in {"429", "503"} and b"retry-after" not in answer.lower():
            tally.without_retry_after += 1
    writer.close()


async def load(address: str, key: str, rate: float, seconds: float, connections: int) -> Tally:
    """Requests at this rate for so long, whatever comes back."""
    place, tally = urlsplit(address), Tally()
    due: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()
    clients = [
        asyncio.create_task(client(str(place.hostname), int(place.port or 0), key, due, tally))
        for _ in range(connections)
    ]
    start, sent = time.perf_counter(), 0
    while (now := time.perf_counter()) < start + seconds:
        while start + sent / rate <= now:
            due.put_nowait((sent, start + sent / rate))
            sent += 1
        await asyncio.sleep(0.002)
    while not due.empty():
        due.get_nowait()
        tally.unsent += 1
    for _ in clients:
        due.put_nowait(None)
    await asyncio.gather(*clients)
    return tally


def main() -> None:
    """From the command line: address, key, rate, seconds, connections."""
    address, key, *numbers = sys.argv[1:]
    rate, seconds, connections = map(float, numbers)
    tally = asyncio.run(load(address, key, rate, seconds, int(connections)))
    ordered = sorted(tally.seconds) or [0.0]
    answer = {
        "statuses": tally.statuses,
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[int(len(ordered) * 0.99)],
        "worst": ordered[-1],
        "without_retry_after": tally.without_retry_after,
        "unsent": tally.unsent,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
