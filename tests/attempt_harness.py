"""A worker taken apart for tests: one executor with all that it needs, the emulator behind it, and time passed in."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from pydantic import SecretStr
from uuid_utils.compat import uuid7

from api_models.key_templates import SHARED_TEMPLATE
from api_models.registry import MODELS
from api_models.speech import Speech
from api_models.status import JobStatus
from tests.factories import MODEL, ORIGIN, add_batch, add_job, ledger, stored
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.options import NO_OPTIONS, StoreOptions
from worker.audio.gate import GateLimits
from worker.audio.measures import Measures
from worker.audio.take import accept
from worker.concurrency.futures import resolved, run_here
from worker.concurrency.reactor import Reactor
from worker.concurrency.stop_event import StopEvent
from worker.emulator.faults import Effect, Match, Rule
from worker.emulator.server import Emulator
from worker.execution import upload as uploads
from worker.execution.acceptance import Accepted
from worker.execution.content_origin import ContentOrigin
from worker.execution.context import AttemptContext
from worker.execution.destinations import Destinations
from worker.execution.encoding import EncodedTake, unchanged
from worker.execution.executor import Executor
from worker.execution.heartbeat import FRESH_SECONDS, Heartbeat
from worker.execution.settlements import AttemptLimits, Cost
from worker.execution.spool import Receipt, Spool
from worker.execution.spool_sweeper import SpoolSweeper
from worker.execution.thread_pools import Pools
from worker.segmind.answers import Answer, Credits
from worker.segmind.client import NO_HANDLE, Client, Handle
from worker.segmind.v1 import ClientV1
from worker.store import account, workers
from worker.store.database import Database
from worker.store.transitions import claims, dispatches, rescues
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import StoredAudio

PRICE: Final = MODELS[MODEL].price
BOUNDS: Final = AttemptLimits(max_attempts=4, max_takes=3)


_open_pools: Final[list[Pools]] = []
"""Of all workshops of the current test."""


def close_pools() -> None:
    """End the threads of all workshops that were opened since."""
    while _open_pools:
        _open_pools.pop().close()


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Waits(StopEvent):
    """The stop signal of a worker whose waits take no time: in the place of each, a step of the test is taken."""

    def __init__(self) -> None:
        super().__init__(Reactor())
        self.steps: list[Callable[[], object]] = []
        self.waited: list[float] = []

    def pause(self, seconds: float) -> Future[bool]:
        """Take the next step; a wait beyond them all is one that the test did not expect."""
        self.waited.append(seconds)
        self.steps.pop(0)()
        return resolved(self.is_set())


class Killed(BaseException):
    """Stop as if the worker had died: its jobs and files stay as they are."""


def kill() -> None:
    """As by a signal that can't be caught."""
    raise Killed


@dataclass(slots=True)
class Watched:
    """A handle that something happens to right before it is kept."""

    handle: Handle
    event: Callable[[], object] | None

    @property
    def request_id(self) -> str | None:
        """As it was."""
        return self.handle.request_id

    async def keep(self, request_id: str) -> None:
        """The event, then what was asked for."""
        if self.event is not None:
            self.event()
        await self.handle.keep(request_id)


@dataclass(slots=True)
class During:
    """A client whose next call takes so long that something happens meanwhile."""

    client: Client
    event: Callable[[], object] | None = None
    before_keeping: Callable[[], object] | None = None
    """Happens once the next submission was answered (v2)."""

    async def synthesize(self, speech: Speech, spool: Path, handle: Handle = NO_HANDLE) -> Answer:
        """The call, with the event in the middle of it."""
        event, self.event = self.event, None
        keeping, self.before_keeping = self.before_keeping, None
        if event is not None:
            event()
        return await self.client.synthesize(speech, spool, Watched(handle, keeping))

    def credits(self) -> Credits | Answer:
        """The balance."""
        return self.client.credits()

    def close(self) -> None:
        """Close the client."""
        self.client.close()


@dataclass(slots=True)
class Workshop:
    """One worker with all that it needs, and a place to hand it jobs."""

    database: Database
    emulator: Emulator
    folder: Path
    client: During
    clock: Clock = field(default_factory=Clock)
    waits: Waits = field(default_factory=Waits)
    worker_id: UUID = field(default_factory=uuid7)
    machine: str = "here"
    min_free_bytes: int = 1
    limits: GateLimits | None = None
    """The emulator's audio has a fixed size here, which fits no text; where takes are judged, it speaks."""
    provenance: bool = False
    artifacts: str | None = None
    """The address of the store, if not the workshop's own folder."""
    template: str = SHARED_TEMPLATE
    options: StoreOptions = NO_OPTIONS
    origin: str = ORIGIN
    """The API's address as producers fingerprint with it; the emulator's changes from test to test."""
    _executor: Executor | None = None

    @property
    def audio(self) -> Path:
        """Where audio goes that no batch takes elsewhere."""
        return self.folder / "audio"

    @property
    def spool(self) -> Spool:
        """Its spool."""
        return Spool(self.folder / f"spool-{self.machine}", self.min_free_bytes)

    @property
    def store(self) -> FolderStore:
        """A second look at the audio."""
        return FolderStore(self.audio)

    @property
    def executor(self) -> Executor:
        """The executor of a worker that has just given its first sign of life."""
        if self._executor is None:
            self._executor = self._started()
        return self._executor

    def _pools(self) -> Pools:
        pools = Pools.start(self.waits.reactor, slots=4)
        _open_pools.append(pools)
        return pools

    def _started(self) -> Executor:
        with self.database.begin() as connection:
            now = self.database.now(connection)
            workers.register(connection, worker_id=self.worker_id, host="studio", pid=1, queue="ttsq", slots=4, now=now)
        self.spool.prepare()
        heartbeat = Heartbeat(
            self.database, self.worker_id, "studio", 1, "ttsq", 4, problem=self.spool.problem, clock=self.clock
        )
        heartbeat.run_once()
        return Executor(
            AttemptContext(
                database=self.database,
                client=self.client,
                destinations=Destinations(
                    self.database,
                    self.artifacts or self.audio.as_uri(),
                    connections=4,
                    template=self.template,
                    options=self.options,
                    reactor=self.waits.reactor,
                ),
                spool=self.spool,
                heartbeat=heartbeat,
                attempt_limits=BOUNDS,
                limits=self.limits,
                probe_seconds=30,
                rng=random.Random(1),
                stopping=self.waits,
                pools=self._pools(),
                origin=ContentOrigin(self.origin),
                provenance=self.provenance,
            ),
            slots=4,
            finished=lambda: None,
        )

    def neighbour(self) -> Workshop:
        """Another worker on another machine: it shares the database and the audio, but not the spool."""
        return replace(self.restarted(), machine="there")

    def restarted(self) -> Workshop:
        """The worker that takes the dead one's place on this machine, and finds its spool."""
        return Workshop(
            self.database,
            self.emulator,
            self.folder,
            During(self.client.client),
            limits=self.limits,
            origin=self.origin,
        )

    def job(self, **columns: Any) -> UUID:  # noqa: ANN401 - any column
        """A job whose message is out."""
        with self.database.begin() as connection:
            return add_job(connection, **({"status": JobStatus.DISPATCHED} | columns))

    def batch(self, **columns: Any) -> UUID:  # noqa: ANN401 - any column
        """A batch without jobs."""
        with self.database.begin() as connection:
            return add_batch(connection, **columns)

    def run(self, job: UUID) -> Any:  # noqa: ANN401 - the job's row
        """Dispatch the job if need be, carry out one attempt of it, and look at its row."""
        self.send(job)
        self.executor.run(job, self.row(job).attempt)
        return self.row(job)

    def send(self, job: UUID) -> None:
        """Run the job's next attempt: its backoff has elapsed and its message is published."""
        with self.database.begin() as connection:
            dispatches.promote(connection, now=datetime.now(UTC) + timedelta(days=1))
            dispatches.dispatch(connection, [job], worker_id=None, now=self.database.now(connection))

    def claim(self, job: UUID) -> Claim:
        """The job in this worker's hands, without anything being done about it."""
        self.send(job)
        with self.database.begin() as connection:
            seen = stored(connection, job).attempt
            now = self.database.now(connection)
            claim = claims.claim(connection, job, seen, worker_id=self.worker_id, now=now)
        assert claim is not None
        return claim

    def run_until_killed(self, job: UUID) -> None:
        """Carry out one attempt that ends with the worker."""
        self.send(job)
        with suppress(Killed):
            self.executor.run(job, self.row(job).attempt)
        assert self.row(job).status == JobStatus.RUNNING, "the worker lived on"

    def upload(self, claim: Claim, made: EncodedTake, receipt: Receipt, cost: Cost) -> StoredAudio:
        """The upload of a claimed job's take, and nothing more."""
        destination = self.executor.context.destinations.for_claim(claim)
        return run_here(uploads.upload(claim, destination, made, receipt, cost))

    def die(self) -> None:
        """The worker fell silent, and its jobs were taken from it."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            rescues.rescue(connection, [self.worker_id], max_attempts=BOUNDS.max_attempts, now=now)
        self.clock.seconds += FRESH_SECONDS + 1

    def revive(self) -> None:
        """Renew its heartbeat."""
        self.executor.context.heartbeat.run_once()

    def file(self, job: UUID, *, tenant: str = "default", ext: str = "wav") -> Path:
        """Where the audio of a job without a batch goes."""
        return self.audio / tenant / "jobs" / f"{job}.{ext}"

    def row(self, job: UUID) -> Any:  # noqa: ANN401 - the job's row
        with self.database.read() as connection:
            return stored(connection, job)

    def books(self, job: UUID) -> list[Any]:
        """Its attempts."""
        with self.database.read() as connection:
            return ledger(connection, job)

    def gates(self) -> list[str]:
        """What is closed."""
        with self.database.read() as connection:
            return [gate.name for gate in account.closed_gates(connection)]

    def spooled(self) -> list[str]:
        """What the spool holds, but for the probe of its being writable, and emptied files kept for the next answer."""
        ours = ("writable", "spare-")
        return sorted(path.name for path in self.spool.folder.iterdir() if not path.name.startswith(ours))

    def script(self, *, times: int | None = None, match: Match | None = None, **effect: object) -> None:
        """What the API does to calls from now on."""
        rule = Rule(effect=Effect.model_validate(effect), times=times, match=match or Match())
        self.emulator.admin.rules([rule])

    def sweep(self, *, later: float = 0) -> None:
        """Sweep the spool as if `later` seconds had passed."""
        SpoolSweeper(self.database, self.spool, self.executor.in_hand, clock=lambda: time.time() + later).run_once()

    def bought(self) -> int:
        """Calls that the API billed."""
        return self.emulator.state(detail=False).billed_calls


def as_it_came(path: Path, measures: Measures | None = None) -> EncodedTake:
    """A file that is stored as it is."""
    return unchanged(Accepted(accept(path), measures))


def client_of(emulator: Emulator, *, read_seconds: float = 30) -> ClientV1:
    """A client of the emulator."""
    return ClientV1(
        base_url=emulator.base_url,
        api_key=SecretStr(emulator.key),
        connections=8,
        connect_timeout=5,
        read_timeout=read_seconds,
        max_audio_bytes=2**23,
        clock=lambda: datetime.now(UTC),
    )


def opened(shop: Workshop) -> Workshop:
    """The shop with its worker there, before anything happens."""
    assert shop.executor.context.heartbeat.is_fresh()
    return shop
