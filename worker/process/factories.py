"""Opens and checks what the settings name: database, artifact stores, API client, spool."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from pydantic import SecretStr

from api_models.registry import MODELS
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.options import StoreOptions
from worker.audio.gate import GateLimits
from worker.concurrency.reactor import Reactor
from worker.concurrency.stop_event import StopEvent
from worker.execution.aligner import Aligner
from worker.execution.destinations import Destinations
from worker.execution.opinions import Listens
from worker.execution.spool import Spool
from worker.execution.spool_folders import SpoolFolder
from worker.process.file_limits import raise_open_file_limit
from worker.segmind.client import Client, VersionedClient
from worker.segmind.errors import UnusableAddressError, UnusableKeyError, UnusableRouteError
from worker.segmind.v1 import ClientV1
from worker.segmind.v2 import ClientV2
from worker.settings import AUTO_RUNGS, HOME, Settings, variable
from worker.store import schema
from worker.store.database import Database
from worker.telemetry import tracing
from worker.telemetry.tracing import MissingExtraError

if TYPE_CHECKING:
    from worker.acceptance.findings import Rung

OTHER_DESCRIPTORS: Final = 300
"""Beside the calls: uploads, database, broker, spool, and library internals."""
VITAL_CONNECTIONS: Final = 2
"""Connections reserved for the heartbeat and the dispatcher."""
IDLE_SECONDS: Final = 10.0
"""How long an attempt's rows stay locked after its host vanishes."""
VITAL_IDLE_SECONDS: Final = 3.0
"""Likewise for the dispatcher's lease; no longer than another dispatcher waits for its expiry."""

POLL_FIRST_SECONDS: Final = 2.0
POLL_LAST_SECONDS: Final = 5.0
"""Polls may count against the account's rate limit (the vendor doesn't say), so they become rarer."""


class StartError(Exception):
    """The worker can't start. Nothing was charged."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy


def open_database(settings: Settings) -> Database:
    connections = settings.database_connections - VITAL_CONNECTIONS
    return Database(settings.database_url, connections=connections, idle_seconds=IDLE_SECONDS)


def open_heartbeat_database(database: Database, settings: Settings) -> Database:
    """A separate pool, so that heartbeat and dispatcher never wait for attempts' connections.

    On SQLite their transactions do not wait for the disk: a claim, which does, makes every one before it durable.
    """
    if database.is_sqlite:
        return Database(settings.database_url, unsynced_beside=database)
    return Database(settings.database_url, connections=VITAL_CONNECTIONS, idle_seconds=VITAL_IDLE_SECONDS)


def default_artifacts_url(settings: Settings) -> str:
    return settings.artifacts_url or (HOME / "audio").absolute().as_uri()


def store_options(settings: Settings) -> StoreOptions:
    return StoreOptions(settings.s3_storage_class, settings.s3_sse, settings.s3_kms_key, tags=settings.s3_tags == "on")


def open_destinations(
    settings: Settings, database: Database, *, connections: int, reactor: Reactor | None = None
) -> Destinations:
    """`connections` bounds the concurrent uploads per S3 client."""
    return Destinations(
        database,
        default_artifacts_url(settings),
        connections,
        template=settings.key_template,
        options=store_options(settings),
        public_url=settings.public_url,
        presign_seconds=settings.presign_seconds,
        reactor=reactor,
    )


def take_limits(settings: Settings) -> GateLimits | None:
    if settings.take_checks == "off":
        return None
    return GateLimits(
        characters_per_second=settings.take_characters_per_second,
        min_length=settings.take_min_length,
        max_length=settings.take_max_length,
        min_peak_dbfs=settings.take_min_peak_dbfs,
        max_silence_share=settings.take_max_silence,
    )


def open_listener(settings: Settings, database: Database) -> Listens | None:
    """Return what listens to takes; None if no rung is on."""
    if not settings.take_rungs or settings.take_checks == "off":
        return None
    # Imported here, because numpy and the rungs take long to import.
    from worker.execution.hearing import Listener, Rates  # noqa: PLC0415
    from worker.execution.listening.messages import Tools  # noqa: PLC0415 - likewise
    from worker.execution.listening.pool import ListeningPool  # noqa: PLC0415 - likewise

    if not (rungs := chosen_rungs(settings)):
        return None
    processes = ListeningPool(os.cpu_count() or 1, listening_environment())
    keeps_best = settings.suspect_takes == "best"
    return Listener(rungs, Tools(settings.espeak), processes, Rates(database), keeps_best)


def open_aligner(settings: Settings, listener: Listens | None) -> Aligner:
    """Return what finds when words are heard. It shares the processes of the listener, if there is one."""
    is_on, processes = settings.word_times == "on", None if listener is None else listener.processes
    return Aligner(listening_environment, settings.espeak, is_on, processes)


def listening_environment() -> dict[str, str]:
    """Return the variables by which programs and models are found."""
    return {name: value for name in ("PATH", "HOME") if (value := variable(name))}


def chosen_rungs(settings: Settings) -> tuple[Rung, ...]:
    """Return the rungs that are on, the cheapest first. Automatically none that refuses many good takes of some voices:
    see docs/acceptance.md.
    """
    from worker.acceptance.findings import Rung  # noqa: PLC0415 - as above

    if settings.take_rungs == AUTO_RUNGS:
        missing = missing_for_rungs(settings)
        return tuple(rung for rung, lacks in missing.items() if not lacks and rung is not Rung.SIGNAL)
    names = settings.take_rungs.split(",") if settings.take_rungs else ()
    return tuple(rung for rung in Rung if rung in names)


def missing_for_rungs(settings: Settings) -> dict[Rung, str]:
    """Return what each rung lacks on this machine to judge in full; nothing where it lacks nothing."""
    from worker.acceptance.listening import available_rungs  # noqa: PLC0415 - as above

    return available_rungs(espeak=settings.espeak)


def open_client(settings: Settings, stopping: StopEvent | None = None) -> Client:
    """Open the client of the configured API; `stopping` interrupts its waits between polls. Raises StartError: the key
    is missing, or the key or base URL is unusable.
    """
    if settings.segmind_api_key is None:
        raise StartError("SEGMIND_API_KEY is not set", "set it to your Segmind key, in the environment or in .env")
    stopping = stopping or StopEvent(Reactor())
    try:
        polling = _polling_client(settings, settings.segmind_api_key, stopping)
        if settings.segmind_api == "v2" and all("v2" in model.api_versions for model in MODELS.values()):
            return polling
        blocking = _blocking_client(settings, settings.segmind_api_key, stopping.reactor)
        return VersionedClient(settings.segmind_api, blocking, polling)
    except UnusableKeyError as error:
        raise StartError("SEGMIND_API_KEY is unusable", str(error)) from None
    except UnusableRouteError as error:
        raise StartError("the API can't be reached as the environment says", str(error)) from None
    except UnusableAddressError as error:
        raise StartError("SEGMIND_BASE_URL is unusable", str(error)) from None


def _blocking_client(settings: Settings, api_key: SecretStr, reactor: Reactor) -> ClientV1:
    return ClientV1(
        base_url=settings.segmind_base_url,
        api_key=api_key,
        connections=settings.concurrency,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        max_audio_bytes=settings.max_audio_mb * 2**20,
        clock=lambda: datetime.now(UTC),
        reactor=reactor,
    )


def _polling_client(settings: Settings, api_key: SecretStr, stopping: StopEvent) -> ClientV2:
    return ClientV2(
        base_url=settings.segmind_base_url,
        api_key=api_key,
        connections=settings.concurrency,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        max_audio_bytes=settings.max_audio_mb * 2**20,
        clock=lambda: datetime.now(UTC),
        reactor=stopping.reactor,
        pause=stopping.pause,
        run_timeout=settings.run_timeout,
        poll_first_seconds=POLL_FIRST_SECONDS,
        poll_last_seconds=POLL_LAST_SECONDS,
    )


def require_descriptors(slots: int) -> None:
    """Check the open-file limit: an answer without a descriptor would be paid for and lost. Raises StartError: the
    limit is too low for `slots` calls.
    """
    allowed, needed = raise_open_file_limit(), slots + OTHER_DESCRIPTORS
    if allowed < needed:
        raise StartError(
            f"{slots} concurrent calls need about {needed} open files; the limit is {allowed}",
            f"raise the limit (ulimit -n {needed}; LimitNOFILE= of a systemd unit) or set TTSQ_CONCURRENCY lower",
        )


def require_schema(database: Database) -> None:
    """Raises StartError unless the database is at this version's revision."""
    found = schema.revision(database)
    if found is None:
        raise StartError("the database has no tables", "run `ttsq migrate`")
    if found < schema.HEAD:
        raise StartError(f"the database is at revision {found}, not {schema.HEAD}", "run `ttsq migrate`")


def open_spool(settings: Settings, worker_id: UUID) -> Spool:
    """Open this worker's folder in the spool, and take over those of dead workers."""
    folder = settings.spool_dir.absolute()
    try:
        place = SpoolFolder.claim(folder, worker_id)
        spool = Spool(place.own if place else folder, settings.spool_min_free_mb * 2**20, place)
        spool.prepare()
    except OSError as error:
        raise StartError(
            f"the spool folder {folder} can't be used ({error.strerror})", "fix it or set TTSQ_SPOOL_DIR"
        ) from None
    return spool


def check_store(destinations: Destinations) -> None:
    try:
        destinations.store(destinations.default_url).check()
    except ArtifactsError as error:
        raise StartError(f"audio can't be stored: {error.message}", "see `ttsq doctor`") from None


def start_tracing(settings: Settings) -> None:
    try:
        tracing.start(settings)
    except MissingExtraError as error:
        raise StartError(str(error), tracing.REMEDY) from None
