"""A sheet whose every row is faulty: reading stops early, in every form, and ends when the client has gone."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.requests import Request

from tests.gateway import Running, running
from worker.gateway import batched_enqueue, parsing
from worker.gateway.batched_enqueue import Sheet
from worker.gateway.middleware.guard import ClientGoneError
from worker.intake.kinds import Kind
from worker.intake.reader import MAX_FAULTS
from worker.intake.validation import Defaults
from worker.store.database import Database

ROWS = 20_000
SHEETS = {
    "text/plain": b".\n" * ROWS,
    "text/csv": b"text,voice_1\n" + b"Hello.,Nemo\n" * ROWS,
    "text/tab-separated-values": b"text\tvoice_1\n" + b"Hello.\tNemo\n" * ROWS,
    "application/x-ndjson": b'{"text": "Hello.", "voice_1": "Nemo"}\n' * ROWS,
    "application/jsonl": b"no JSON\n" * ROWS,
}
DEEP = [
    b'{"text": ' + b"[]," * 20_000 + b"}\n",
    b'{"text": ' + b"[" * 20_000 + b"}\n",
    b'{"text": [' + b"{}," * 20_000 + b"{}]}\n",
    ("{" + ",".join(f'"k{number}": 1' for number in range(2_000)) + "}\n").encode(),
]


@pytest.fixture
def gateway(on_sqlite: Database) -> Iterator[Running]:
    """A gateway that asks for keys."""
    with running(on_sqlite) as started:
        yield started


@pytest.mark.parametrize("media", SHEETS)
def test_reading_stops_after_a_thousand_faults(gateway: Running, media: str) -> None:
    """The first hundred are listed, and the last thing said is where it stopped."""
    reply = gateway.client()("POST", "/v1/batches", SHEETS[media], headers={"Content-Type": media})
    assert (reply.status, reply.trouble) == (422, "invalid-input")
    assert reply.json["detail"].startswith(f"{MAX_FAULTS + 1:,} errors"), reply.json["detail"]
    assert len(reply.json["faults"]) == 100


@pytest.mark.parametrize("line", DEEP, ids=["lists", "depth", "objects", "keys"])
def test_a_line_that_would_hold_up_the_process_is_one_fault(gateway: Running, line: bytes) -> None:
    """It is counted before it is parsed; the lines beside it are read."""
    sheet = b'{"text": "Hello."}\n' + line + b'{"text": "Goodbye."}\n'
    reply = gateway.client()("POST", "/v1/batches", sheet, headers={"Content-Type": "application/x-ndjson"})
    assert reply.status == 422
    assert [fault["line"] for fault in reply.json["faults"]] == [2]


def test_nothing_is_read_for_a_client_that_has_gone(gateway: Running) -> None:
    """Neither a sheet nor a batch of JSON; nothing was stored."""
    sheet = Sheet(Kind.CSV, Defaults())
    with pytest.raises(ClientGoneError):
        batched_enqueue.read(io.BytesIO(b"text\nHello.\n"), sheet, gateway.gateway, lambda: True)
    with pytest.raises(ClientGoneError):
        batched_enqueue.validated([{"text": "Hello."}], gateway.gateway, lambda: True)


def test_the_work_learns_that_the_client_has_gone() -> None:
    """While it runs in its thread."""

    async def receive() -> Any:  # noqa: ANN401 - a message of ASGI
        return {"type": "http.disconnect"}

    def work(is_gone: Callable[[], bool]) -> bool:
        while not is_gone():
            threading.Event().wait(0.01)
        return True

    async def run() -> bool:
        return await parsing.run(Request({"type": "http"}, receive), asyncio.Semaphore(1), work)

    assert asyncio.run(run())
