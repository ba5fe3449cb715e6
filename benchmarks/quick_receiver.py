"""A receiver that answers every request at once with 204 and writes down its `webhook-id`.

A program (`python -m benchmarks.quick_receiver FILE`), and what starts it.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.harness import environment
from benchmarks.processes import Measured

READY: Final = "Receiver at "
POLL_SECONDS: Final = 0.002
_ANSWER: Final = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ID: Final = re.compile(rb"webhook-id: evt_(\d+)", re.IGNORECASE)


class QuickReceiver:
    """The program in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "received"
        self._file.touch()
        command = [sys.executable, "-m", "benchmarks.quick_receiver", str(self._file)]
        self._process = Measured("receiver", command, folder, environment())
        self._process.await_line(READY)
        self.url = self._process.log.split(READY)[1].split()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.__exit__(kind, error, at)

    def numbers(self) -> list[int]:
        """The event ids that came, in order."""
        return [int(line) for line in self._file.read_text().split()]

    def await_count(self, count: int, seconds: float) -> None:
        """Wait until this many came."""
        deadline = time.monotonic() + seconds
        while self._file.read_bytes().count(b"\n") < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.numbers()):,} of {count:,} webhooks came")
            time.sleep(POLL_SECONDS)


async def serve(path: Path) -> None:
    """Answer until the process is killed."""
    with path.open("ab", buffering=0) as file:

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length, number = _LENGTH.search(head), _ID.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            if number:
                file.write(number[1] + b"\n")
            writer.write(_ANSWER)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1_024)
        host, port = server.sockets[0].getsockname()
        print(f"{READY}http://{host}:{port}/", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
