"""Everything one worker process shares, put together from its settings: the only place where the rooms meet."""

from __future__ import annotations

import os
import random
import socket
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from api_models.registry import MODELS
from api_models.status import TERMINAL
from api_models.verdict import GateScope
from worker.artifacts.errors import ArtifactsError
from worker.dispatch.dispatcher import Dispatcher, Limits, Publish, Reach
from worker.dispatch.probes import Prober
from worker.execution.executor import Executor
from worker.execution.heartbeat import Heartbeat
from worker.execution.outcomes import Bounds
from worker.execution.places import Places
from worker.execution.spool import Spool
from worker.segmind.answers import Credits
from worker.segmind.client import Client
from worker.segmind.errors import UnusableAddressError, UnusableKeyError
from worker.segmind.v1 import ClientV1
from worker.settings import HOME, Settings
from worker.store import schema, views, workers
from worker.store.account import Gate
from worker.store.database import Database
from worker.store.transitions import asking, dispatching

QUEUE: Final = "ttsq"
"""The Celery queue that all workers of a shared broker read."""

log = structlog.get_logger("ttsq.worker")


class StartError(Exception):
    """The worker can't start. Nothing was spent."""

    def __init__(self, message: str, remedy: str) -> None:
        """`message` says what is wrong, `remedy` what to do about it."""
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy


@dataclass(slots=True)
class Runtime:
    """The parts of one worker process."""

    settings: Settings
    database: Database
    worker_id: UUID
    queue: str
    client: Client
    places: Places
    spool: Spool
    heartbeat: Heartbeat
    executor: Executor
    dispatcher: Dispatcher

    def start(self) -> None:
        """Sign on, and begin to dispatch."""
        _sweep(self.spool, self.database)
        if self.settings.embedded:
            _bury_dead_neighbours(self.database)
        self.heartbeat.start()
        self.dispatcher.start()
        log.info("worker_started", worker=str(self.worker_id), slots=self.heartbeat.slots, queue=self.queue)

    def begin_stop(self) -> None:
        """Start nothing more: neither dispatch nor claim. Calls in flight go on."""
        self.executor.stopping.set()
        self.dispatcher.stop()
        try:
            with self.database.begin() as connection:
                workers.release_leases(connection, self.worker_id)  # the next leader need not wait for it to run out
        except SQLAlchemyError as error:
            log.warning("lease_kept", error=str(error).splitlines()[0])
        self.heartbeat.announce_stop()

    def finish_stop(self) -> None:
        """Give back what was never claimed, sign off if nothing is left, and close what is open."""
        idle = self.executor.under_way() == 0
        try:
            if self.dispatcher.reach.only_worker is not None:
                with self.database.begin() as connection:
                    dispatching.take_back_all(connection, worker_id=self.worker_id)
            self.heartbeat.stop(sign_off=idle)
        except SQLAlchemyError as error:
            log.warning("sign_off_failed", error=str(error).splitlines()[0])
        if idle:
            self.client.close()
            self.spool.clear_away()
        log.info("worker_stopped", worker=str(self.worker_id), left_under_way=self.executor.under_way())


def build(settings: Settings, database: Database, publish: Publish, *, worker_id: UUID | None = None) -> Runtime:
    """Put a worker together and check that it could work.

    Raises:
        StartError: the key, the spool, the schema or the store is unusable.
    """
    worker_id = worker_id or uuid7()
    require_schema(database)
    client = open_client(settings)
    spool = _open_spool(settings)
    places = Places(database, default_artifacts_url(settings), connections=min(settings.concurrency, 100))
    _check_store(places)
    reach = Reach(queue=private_queue(worker_id), only_worker=worker_id) if settings.embedded else Reach(queue=QUEUE)
    heartbeat = Heartbeat(
        database=database,
        worker_id=worker_id,
        host=socket.gethostname(),
        pid=os.getpid(),
        queue=reach.queue,
        slots=settings.concurrency,
        trouble=spool.trouble,
    )
    dispatcher = Dispatcher(
        database=database,
        me=worker_id,
        reach=reach,
        limits=Limits(
            rpm=settings.segmind_rpm,
            dispatch_timeout=settings.dispatch_timeout,
            probe_seconds=settings.probe_seconds,
            max_attempts=settings.max_attempts,
        ),
        publish=publish,
        prober=Prober(_FreeChecks(client, places)),
    )
    executor = Executor(
        database=database,
        client=client,
        places=places,
        spool=spool,
        heartbeat=heartbeat,
        bounds=Bounds(settings.max_attempts, settings.max_takes),
        probe_seconds=settings.probe_seconds,
        finished=dispatcher.wake,
        rng=random.Random(),  # noqa: S311 - jitter, not a secret
        stopping=threading.Event(),
    )
    heartbeat.look_around = executor.look_for_orphans
    return Runtime(settings, database, worker_id, reach.queue, client, places, spool, heartbeat, executor, dispatcher)


def private_queue(worker_id: UUID) -> str:
    """The queue of a worker whose broker lives in its own memory."""
    return f"{QUEUE}-{worker_id}"


def open_database(settings: Settings) -> Database:
    """The database of the settings."""
    return Database(settings.database_url, connections=settings.database_connections)


def default_artifacts_url(settings: Settings) -> str:
    """Where audio goes that no run gave a folder of its own."""
    return settings.artifacts_url or (HOME / "audio").absolute().as_uri()


def open_client(settings: Settings) -> Client:
    """The client of the API that the settings name.

    Raises:
        StartError: there is no key, or it or the address can't be used.
    """
    if settings.segmind_api_key is None:
        raise StartError("SEGMIND_API_KEY is not set", "put your Segmind key there, or into a .env file")
    try:
        return ClientV1(
            base_url=settings.segmind_base_url,
            api_key=settings.segmind_api_key,
            connections=settings.concurrency,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            max_audio_bytes=settings.max_audio_mb * 2**20,
            clock=lambda: datetime.now(UTC),
        )
    except UnusableKeyError as error:
        raise StartError("SEGMIND_API_KEY is unusable", str(error)) from None
    except UnusableAddressError as error:
        raise StartError("SEGMIND_BASE_URL is unusable", str(error)) from None


def require_schema(database: Database) -> None:
    """Refuse to work on a database of another version.

    Raises:
        StartError: it has no tables, or not the newest.
    """
    found = schema.revision(database)
    if found is None:
        raise StartError("the database has no tables yet", "run `ttsq migrate`")
    if found < schema.HEAD:
        raise StartError(f"the database is at revision {found}, not {schema.HEAD}", "run `ttsq migrate`")


def _open_spool(settings: Settings) -> Spool:
    folder = settings.spool_dir.absolute()
    spool = Spool(folder, settings.spool_min_free_mb * 2**20)
    try:
        spool.prepare()
    except OSError as error:
        raise StartError(
            f"the spool folder {folder} can't be used ({error.strerror})", "mend it or set TTSQ_SPOOL_DIR"
        ) from None
    return spool


def _check_store(places: Places) -> None:
    try:
        places.store(places.default_url).check()
    except ArtifactsError as error:
        raise StartError(f"audio can't be stored: {error.message}", "see `ttsq doctor`") from None


@dataclass(frozen=True, slots=True)
class _FreeChecks:
    """Looks whether a closed gate's trouble is over, without a paid call."""

    client: Client
    places: Places

    def __call__(self, gate: Gate) -> str | None:
        return self._storage() if gate.scope is GateScope.STORAGE else self._account(gate)

    def _storage(self) -> str | None:
        try:
            for store in self.places.opened():
                store.check()
        except ArtifactsError as error:
            return error.message
        return None

    def _account(self, gate: Gate) -> str | None:
        answer = self.client.credits()
        if not isinstance(answer, Credits):
            return answer.message or f"the credits endpoint answered {answer.status}"
        dearest = max(model.price for model in MODELS.values())
        if gate.code == "insufficient_credits" and answer.total < dearest:
            # Opening for the cheapest model would let the others run into the same refusal again and again.
            return f"the balance is ${answer.total:f}, less than a call of every model costs (${dearest:f})"
        return None


def _sweep(spool: Spool, database: Database) -> None:
    """Drop answers of jobs that have ended meanwhile; what others could still need stays."""
    waiting = sorted(spool.jobs())
    if not waiting:
        return
    with database.read() as connection:
        rows = views.jobs(connection, asking.these(waiting))
    kept = {row.id for row in rows if row.status not in TERMINAL}
    for job_id in waiting:
        if job_id not in kept:
            spool.discard(job_id)


def _bury_dead_neighbours(database: Database) -> None:
    """On one machine a dead worker is known by its process id at once, without waiting for its heartbeat to lapse."""
    with database.begin() as connection:
        now = database.now(connection)
        for member in workers.present(connection):
            if member.host == socket.gethostname() and (member.pid == os.getpid() or not _is_alive(member.pid)):
                workers.give_up(connection, member.id, now=now)
                workers.release_leases(connection, member.id)


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else _answers_signal(pid)


def _answers_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
