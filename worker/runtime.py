"""Everything one worker process shares, put together from its settings: the only place where the rooms meet."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import structlog
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from api_models.registry import MODELS
from api_models.verdict import GateScope
from worker import tracing
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.options import StoreOptions
from worker.audio.gate import GateLimits
from worker.broker import Broker
from worker.dispatch.dispatcher import Dispatcher
from worker.dispatch.probes import Finding, Prober
from worker.dispatch.reach import Limits, Publish, Reach
from worker.execution.executor import Executor
from worker.execution.heartbeat import Heartbeat
from worker.execution.outcomes import Bounds
from worker.execution.places import Places
from worker.execution.spool import Spool
from worker.execution.sweeping import Sweeper
from worker.results.desk import Desk
from worker.results.finishing import Finisher
from worker.results.lookout import Announce, Lookout
from worker.retention.caretaker import Caretaker
from worker.retention.purging import Purger
from worker.schedules.carrying_out import Carrier
from worker.schedules.clerk import Clerk
from worker.schedules.timekeeper import Call, Timekeeper
from worker.segmind.answers import Credits
from worker.segmind.client import Client
from worker.segmind.errors import UnusableAddressError, UnusableKeyError
from worker.segmind.following import Following
from worker.segmind.v1 import ClientV1
from worker.segmind.v2 import ClientV2
from worker.settings import HOME, Settings, variable
from worker.store import schema, workers
from worker.store.account import Gate
from worker.store.database import Database
from worker.store.deliveries import Due
from worker.store.faults import words
from worker.store.schedules import RunKey
from worker.store.transitions import dispatching
from worker.tracing import MissingExtraError
from worker.webhooks.addresses import Allowed
from worker.webhooks.delivering import Deliverer
from worker.webhooks.hands import Hands
from worker.webhooks.postman import Post, Postman
from worker.webhooks.sending import Sender

QUEUE: Final = "ttsq"
"""The Celery queue that all workers of a shared broker read."""

VITAL_CONNECTIONS: Final = 2
"""Of those that a process may hold to the database, these are its heartbeat's and its dispatcher's."""
IDLE_SECONDS: Final = 10.0
"""How long the rows that an attempt is changing stay locked when its host vanishes."""
VITAL_IDLE_SECONDS: Final = 3.0
"""The same for the dispatcher's lease: no longer than another one waits for it to run out."""

POLL_FIRST_SECONDS: Final = 2.0
POLL_LAST_SECONDS: Final = 5.0
"""Polls may count against the account's rate limit, so they grow rarer; the vendor names no figure."""

log = structlog.get_logger("ttsq.worker")
T = TypeVar("T")


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
    sweeper: Sweeper
    dispatcher: Dispatcher
    broker: Broker
    postman: Postman
    hands: Hands
    lookout: Lookout
    caretaker: Caretaker
    desk: Desk
    timekeeper: Timekeeper
    clerk: Clerk

    def start(self) -> None:
        """Sign on, and begin to dispatch."""
        self.sweeper.run_once()
        if self.settings.embedded:
            _bury_dead_neighbours(self.database)
        self.heartbeat.start()
        self.dispatcher.start()
        self.postman.start()
        self.lookout.start()
        self.caretaker.start()
        self.timekeeper.start()
        log.info("worker_started", worker=str(self.worker_id), slots=self.heartbeat.slots, queue=self.queue)

    def begin_stop(self) -> None:
        """Start nothing more: neither dispatch nor claim. Calls in flight go on."""
        self.executor.stopping.set()
        self.heartbeat.announce_stop()
        self.dispatcher.stop()
        self.postman.stop()
        self.lookout.stop()
        self.caretaker.stop()
        self.timekeeper.stop()
        self._try("lease_kept", self._release_leases)  # the next leader need not wait for it to run out

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait for attempts under way. False when some still are after so many seconds."""
        return self.executor.wait_until_idle(seconds)

    def finish_stop(self) -> None:
        """Hand back what is left, sign off if nothing is, and close what is open."""
        idle = self.executor.wait_until_idle(0)
        self.hands.close()
        self.desk.close()
        self.clerk.close()
        self._sign_off()
        if idle:
            self.client.close()
            self.spool.clear_away()
        tracing.stop()

    def drop(self) -> None:
        """Start nothing more, hand back everything as it stands, and sign off: the process is about to end."""
        self.executor.stopping.set()
        self.dispatcher.stop(timeout=0)
        self.postman.stop(timeout=0)
        self.lookout.stop(timeout=0)
        self.caretaker.stop(timeout=0)
        self.timekeeper.stop(timeout=0)
        self._sign_off()
        self._try("lease_kept", self._release_leases)

    def _sign_off(self) -> None:
        """With nothing left in hand, or else leave the row as it is: it will be missed, and its jobs rescued."""
        left = self._try("hand_back_failed", self.executor.give_up)
        if self.dispatcher.reach.only_worker is not None:
            self._try("hand_back_failed", self._take_back_messages)
        self._try("sign_off_failed", lambda: self.heartbeat.stop(sign_off=left == 0))
        log.info("worker_stopped", worker=str(self.worker_id), left_under_way=left)

    def _take_back_messages(self) -> None:
        with self.database.begin() as connection:
            dispatching.take_back_all(connection, worker_id=self.worker_id)

    def _release_leases(self) -> None:
        with self.database.begin() as connection:
            workers.release_leases(connection, self.worker_id)

    @staticmethod
    def _try(event: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except SQLAlchemyError as error:
            log.warning(event, error=words(error))
            return None


def _nobody_posts(due: Sequence[Due]) -> Sequence[Due]:
    return due


def _nobody_announces(_batches: Sequence[UUID]) -> None:
    """Where there is nobody to tell."""


def _nobody_is_called(_runs: Sequence[RunKey]) -> None:
    """Likewise."""


def build(
    settings: Settings,
    database: Database,
    publish: Publish,
    *,
    broker: Broker,
    post: Post = _nobody_posts,
    announce: Announce = _nobody_announces,
    call: Call = _nobody_is_called,
    worker_id: UUID | None = None,
) -> Runtime:
    """Put a worker together and check that it could work. `post` sends messages for deliveries of webhooks,
    `announce` for batches that are over, `call` for schedules' runs.

    Raises:
        StartError: the key, the spool, the schema, the store or the tracing is unusable.
    """
    worker_id = worker_id or uuid7()
    start_tracing(settings)
    require_schema(database)
    stopping = threading.Event()
    client = open_client(settings, sleep=stopping.wait)
    spool = _open_spool(settings)
    places = open_places(settings, database, connections=min(settings.concurrency, 100))
    _check_store(places)
    reach = Reach(queue=private_queue(worker_id), only_worker=worker_id) if settings.embedded else Reach(queue=QUEUE)
    vital = _vital(database, settings)
    heartbeat = Heartbeat(
        database=vital,
        worker_id=worker_id,
        host=socket.gethostname(),
        pid=os.getpid(),
        queue=reach.queue,
        slots=settings.concurrency,
        trouble=lambda: spool.trouble() or broker.trouble(),
        alive_file=settings.alive_file,
    )
    dispatcher = Dispatcher(
        database=vital,
        me=worker_id,
        reach=reach,
        limits=Limits(
            rpm=settings.segmind_rpm,
            dispatch_timeout=settings.dispatch_timeout,
            probe_seconds=settings.probe_seconds,
            max_attempts=settings.max_attempts,
            low_balance=settings.low_balance,
            reserved_share=settings.reserved_share,
            ageing_seconds=settings.ageing_seconds,
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
        limits=take_limits(settings),
        probe_seconds=settings.probe_seconds,
        finished=dispatcher.wake,
        rng=random.Random(),  # noqa: S311 - jitter, not a secret
        stopping=stopping,
    )
    sweeper = Sweeper(database, spool, executor.in_hand)

    def look_around() -> None:
        executor.look_for_orphans()
        sweeper.run_once()

    heartbeat.look_around = look_around
    broker.changed = heartbeat.nudge
    dispatcher.hindered = lambda: not broker.can_send()
    return Runtime(
        settings=settings,
        database=database,
        worker_id=worker_id,
        queue=reach.queue,
        client=client,
        places=places,
        spool=spool,
        heartbeat=heartbeat,
        executor=executor,
        sweeper=sweeper,
        dispatcher=dispatcher,
        broker=broker,
        caretaker=Caretaker(Purger(database, places), leads=lambda: dispatcher.leads),
        lookout=Lookout(database, announce, leads=lambda: dispatcher.leads),
        timekeeper=Timekeeper(database, call, leads=lambda: dispatcher.leads),
        clerk=Clerk(Carrier(database, settings.segmind_base_url, settings.max_text_bytes, variable)),
        desk=Desk(Finisher(database, places)),
        postman=Postman(database, post, leads=lambda: dispatcher.leads),
        hands=Hands(Deliverer(database, Sender(Allowed.parse(settings.webhook_allow.split(","))))),
    )


def private_queue(worker_id: UUID) -> str:
    """The queue of a worker whose broker lives in its own memory."""
    return f"{QUEUE}-{worker_id}"


def open_database(settings: Settings) -> Database:
    """The database of the settings, for all but a worker's own life."""
    connections = settings.database_connections - VITAL_CONNECTIONS
    return Database(settings.database_url, connections=connections, idle_seconds=IDLE_SECONDS)


def _vital(database: Database, settings: Settings) -> Database:
    """For heartbeat and dispatcher: however many attempts wait for a connection, these two never do."""
    if database.is_sqlite:
        return database
    return Database(settings.database_url, connections=VITAL_CONNECTIONS, idle_seconds=VITAL_IDLE_SECONDS)


def default_artifacts_url(settings: Settings) -> str:
    """Where audio goes that no run gave a folder of its own."""
    return settings.artifacts_url or (HOME / "audio").absolute().as_uri()


def open_places(settings: Settings, database: Database, *, connections: int) -> Places:
    """Where audio goes by these settings. `connections` is how many uploads may share an S3 client."""
    options = StoreOptions(
        settings.s3_storage_class, settings.s3_sse, settings.s3_kms_key, tags=settings.s3_tags == "on"
    )
    return Places(
        database,
        default_artifacts_url(settings),
        connections,
        template=settings.key_template,
        options=options,
        public_url=settings.public_url,
        presign_seconds=settings.presign_seconds,
    )


def take_limits(settings: Settings) -> GateLimits | None:
    """Where a good take ends; None where the settings ask for no such checks."""
    if settings.take_checks == "off":
        return None
    return GateLimits(
        characters_per_second=settings.take_characters_per_second,
        min_length=settings.take_min_length,
        max_length=settings.take_max_length,
        min_peak_dbfs=settings.take_min_peak_dbfs,
        max_silence_share=settings.take_max_silence,
    )


def open_client(settings: Settings, *, sleep: Callable[[float], object] = time.sleep) -> Client:
    """The client of the API that the settings name. `sleep` waits between polls, as `threading.Event.wait` does.

    Raises:
        StartError: there is no key, or it or the address can't be used.
    """
    if settings.segmind_api_key is None:
        raise StartError("SEGMIND_API_KEY is not set", "put your Segmind key there, or into a .env file")
    try:
        polling = _polling_client(settings, settings.segmind_api_key, sleep)
        if settings.segmind_api == "v2":
            return polling
        return Following(buyer=_blocking_client(settings, settings.segmind_api_key), follower=polling)
    except UnusableKeyError as error:
        raise StartError("SEGMIND_API_KEY is unusable", str(error)) from None
    except UnusableAddressError as error:
        raise StartError("SEGMIND_BASE_URL is unusable", str(error)) from None


def _blocking_client(settings: Settings, api_key: SecretStr) -> ClientV1:
    return ClientV1(
        base_url=settings.segmind_base_url,
        api_key=api_key,
        connections=settings.concurrency,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        max_audio_bytes=settings.max_audio_mb * 2**20,
        clock=lambda: datetime.now(UTC),
    )


def _polling_client(settings: Settings, api_key: SecretStr, sleep: Callable[[float], object]) -> ClientV2:
    return ClientV2(
        base_url=settings.segmind_base_url,
        api_key=api_key,
        connections=settings.concurrency,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        max_audio_bytes=settings.max_audio_mb * 2**20,
        clock=lambda: datetime.now(UTC),
        sleep=sleep,
        run_timeout=settings.run_timeout,
        poll_first_seconds=POLL_FIRST_SECONDS,
        poll_last_seconds=POLL_LAST_SECONDS,
    )


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

    def __call__(self, gate: Gate) -> Finding:
        return self._storage() if gate.scope is GateScope.STORAGE else self._account(gate)

    def _storage(self) -> Finding:
        try:
            for store in self.places.opened():
                store.check()
        except ArtifactsError as error:
            return Finding(error.message)
        return Finding(None)

    def _account(self, gate: Gate) -> Finding:
        answer = self.client.credits()
        if not isinstance(answer, Credits):
            return Finding(answer.message or f"the credits endpoint answered {answer.status}")
        trouble = None
        dearest = max(model.price for model in MODELS.values())
        if gate.code == "insufficient_credits" and answer.total < dearest:
            # Opening for the cheapest model would let the others run into the same refusal again and again.
            trouble = f"the balance is ${answer.total:f}, less than a call of every model costs (${dearest:f})"
        return Finding(trouble, balance=answer.total)


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


def start_tracing(settings: Settings) -> None:
    """Traces of this process, where they are wanted.

    Raises:
        StartError: what makes them isn't installed.
    """
    try:
        tracing.start(settings)
    except MissingExtraError as error:
        raise StartError(str(error), tracing.REMEDY) from None
