"""What hostile requests cost the gateway: CPU, how long they keep it from others, and whether others are served.

The wait of others is the longest of many requests to `/healthz` meanwhile; of several rounds the shortest counts, for
a busy machine only adds to it.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from uuid_utils.compat import uuid7

from api_models.access import EVERYTHING
from api_models.schemes import Scheme
from benchmarks.gateway import LISTENS
from benchmarks.harness import BIN, environment, temporary_folder
from benchmarks.hostile_bodies import Request, requests
from benchmarks.plots import Bars
from benchmarks.processes import Measured
from benchmarks.report import Report
from tests.factories import NOW
from worker.process.file_limits import raise_open_file_limit
from worker.store import schema
from worker.store.access import api_keys, hooks
from worker.store.access.hooks import HookRecord
from worker.store.database import Database

CPU_TARGET_SECONDS: Final = 3.0
WAIT_TARGET_MS: Final = 100.0
SERVED_TARGET_SECONDS: Final = 2.0
HALF_OPEN: Final = 1_000
BODIES: Final = 150
PATIENCE_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    rounds: int = 3


FULL: Final = Knobs(rounds=7)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one request."""

    name: str
    cpu_seconds: float
    wait_ms: float
    answer: str


@dataclass(frozen=True, slots=True)
class Target:
    """The running gateway."""

    address: str
    key: str
    pid: int

    @property
    def cpu_seconds(self) -> float:
        """What it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def connect(self) -> socket.socket:
        """A connection that has sent nothing."""
        place = urlsplit(self.address)
        return socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=PATIENCE_SECONDS)

    def send(self, request: Request) -> str:
        """The status of its answer."""
        with self.connect() as connection:
            sending = threading.Thread(target=_send, args=(connection, request.encoded(self.key)), daemon=True)
            sending.start()
            answer = connection.recv(200).decode("latin-1")
            sending.join(PATIENCE_SECONDS)
        return answer[9:12]

    def seconds_of(self, method: str, path: str, body: bytes | None = None) -> float:
        """One request of a client with a key."""
        place = urlsplit(self.address)
        began = time.perf_counter()
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=PATIENCE_SECONDS)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status not in {200, 202}:
            raise RuntimeError(f"{method} {path} was answered {answer.status}")
        return time.perf_counter() - began


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Each hostile request alone, then half-open connections and unverified bodies."""
    raise_open_file_limit()
    with temporary_folder() as folder, _serving(folder) as target:
        costs = [_cost(target, request, knobs, say) for request in requests()]
        served = [(name, *_served(target, number, first)) for name, number, first in occupations()]
    worst, most = max(costs, key=lambda one: one.wait_ms), max(costs, key=lambda one: one.cpu_seconds)
    return Report(
        name="hostile",
        title="Hostile requests to `ttsq serve`: what each costs, and how long the worst of others' requests takes",
        columns=("", "CPU s", "others wait ms", "answer"),
        rows=[(one.name, one.cpu_seconds, one.wait_ms, one.answer) for one in costs],
        findings=[
            f"longest wait of others: {worst.wait_ms:.0f} ms, by {worst.name} (target: at most {WAIT_TARGET_MS:.0f})",
            f"most CPU: {most.cpu_seconds:.2f} s, by {most.name} (target: at most {CPU_TARGET_SECONDS:g})",
            *(
                f"{name}: /healthz in {health:.2f} s, a job accepted in {job:.2f} s"
                f" (target: within {SERVED_TARGET_SECONDS:g} s)"
                for name, health, job in served
            ),
        ],
        plot=Bars(("others wait ms",), axis="milliseconds", target=WAIT_TARGET_MS, aim="at most"),
    )


def occupations() -> Iterator[tuple[str, int, bytes]]:
    """Many connections that each send the beginning of a request."""
    half = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "
    yield f"{HALF_OPEN:,} half-open connections", HALF_OPEN, half
    yield f"{HALF_OPEN:,} with half a second head", HALF_OPEN, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + half
    head = b"POST /v1/hooks/posts HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 1000000\r\n"
    yield f"{BODIES} unverified bodies", BODIES, head + b"\r\n" + b"a" * 900_000


def _served(target: Target, number: int, first: bytes) -> tuple[float, float]:
    """Seconds that a stranger's health check and a client's job take meanwhile."""
    found = [target.connect() for _ in range(number)]
    try:
        for one in found:
            one.sendall(first)
        health = target.seconds_of("GET", "/healthz")
        return health, target.seconds_of("POST", "/v1/jobs", json.dumps({"text": "Good morning."}).encode())
    finally:
        for one in found:
            one.close()


def _cost(target: Target, request: Request, knobs: Knobs, say: Callable[[str], None]) -> Cost:
    found = []
    for _ in range(knobs.rounds):
        before = target.cpu_seconds
        with _waits(target) as waits:
            answer = target.send(request)
        found.append(Cost(request.name, target.cpu_seconds - before, 1_000 * max(waits), answer))
    best = Cost(request.name, min(one.cpu_seconds for one in found), min(one.wait_ms for one in found), answer)
    say(f"{best.name}: {best.cpu_seconds:.2f} s CPU, others wait {best.wait_ms:.0f} ms, {best.answer}")
    return best


@contextmanager
def _waits(target: Target) -> Iterator[list[float]]:
    """The seconds of each health check on one connection during the block, one after the other."""
    place, over, waits = urlsplit(target.address), threading.Event(), [0.0]
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=PATIENCE_SECONDS)

    def ask() -> None:
        while not over.is_set():
            began = time.perf_counter()
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            waits.append(time.perf_counter() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield waits
    finally:
        over.set()
        asking.join(PATIENCE_SECONDS)
        connection.close()


def _send(connection: socket.socket, content: bytes) -> None:
    with suppress(OSError):  # it need not read what it refuses
        connection.sendall(content)


@contextmanager
def _serving(folder: Path) -> Iterator[Target]:
    database = Database(f"sqlite:///{folder / 'queue.db'}")
    schema.upgrade(database)
    with database.begin() as connection:
        _, key = api_keys.make(connection, tenant="acme", name="x", scopes=EVERYTHING, rate=None, budget=None, now=NOW)
        hooks.add(connection, HookRecord(uuid7(), "acme", "posts", Scheme.GITHUB, "a secret", {}, {"text": "a"}, NOW))
    database.close()
    settings = {"TTSQ_DATABASE_URL": f"sqlite:///{folder / 'queue.db'}", "TTSQ_BROKER_URL": "redis://127.0.0.1:9/0"}
    command = [str(BIN / "ttsq"), "serve", "--port", "0"]
    with Measured("gateway", command, folder, environment(**settings)) as process:
        process.await_line(LISTENS)
        yield Target(process.log.split(LISTENS)[1].split()[0], key, process.pid)
        process.stop()
