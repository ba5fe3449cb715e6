"""The doctor's checks. Each checks one thing and costs nothing.

A check may raise; the doctor explains the exception.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from api_models.origins import OFFICIAL_BASE_URL
from api_models.registry import MODELS
from worker.artifacts.factory import open_store
from worker.cli.console.format import money, number
from worker.cli.console.progress import describe_hold
from worker.cli.doctor.findings import Finding, fail, ok, warning
from worker.execution.spool import Spool
from worker.process.broker_status import describe, remedy
from worker.process.factories import open_client
from worker.segmind import verdicts
from worker.segmind.answers import Credits
from worker.settings import Settings
from worker.store import schema, workers
from worker.store.database import Database
from worker.store.queries import holds

PING_SECONDS: Final = 5.0
PROBE: Final = "ttsq.doctor"
PROBE_SECONDS: Final = 10
BROKER_CROWDED: Final = 0.9
"""Share of memory in use from which to warn."""


def check_broker(settings: Settings) -> Finding:
    """Write a key: a broker that is full or a replica answers everything else."""
    if settings.embedded:
        return ok("memory://: the worker runs inside `ttsq run`")
    parts = urlsplit(settings.broker_url)
    where = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
    if parts.scheme not in {"redis", "rediss"}:
        return warning(f"{where} is not checked", "ttsq is tested with memory:// and redis://")

    client = Redis.from_url(settings.broker_url, socket_timeout=PING_SECONDS, socket_connect_timeout=PING_SECONDS)
    try:
        client.set(PROBE, "1", ex=PROBE_SECONDS)
        memory: Any = client.info("memory")
    except (RedisError, OSError) as error:
        message = describe(error)
        return fail(f"{where}: {message}", remedy(message))
    finally:
        client.close()
    return _roomy(where, used=int(memory["used_memory"]), most=int(memory.get("maxmemory", 0)))


def _roomy(where: str, *, used: int, most: int) -> Finding:
    """Warn before the broker refuses messages; `most` is 0 for unlimited memory."""
    if most and used > BROKER_CROWDED * most:
        return warning(
            f"{where} uses {used / 2**20:,.0f} of {most / 2**20:,.0f} MiB",
            "raise maxmemory before it refuses messages",
        )
    return ok(f"{where} accepts messages")


CROWDED: Final = 0.9
"""Share of connections in use from which to warn."""


def check_database(settings: Settings, database: Database) -> Finding:
    where = database.url.render_as_string(hide_password=True)
    found = schema.revision(database)
    if found == schema.HEAD:
        return _at_work(database, f"{where} at revision {found}")
    if found is not None and found > schema.HEAD:
        return fail(f"{where} is at revision {found}, newer than this version of ttsq", "upgrade ttsq")
    state = "has no tables" if found is None else f"is at revision {found}, not {schema.HEAD}"
    if settings.embedded and database.is_sqlite:
        return ok(f"{where} {state}; the next `ttsq run` upgrades it")
    return fail(f"{where} {state}", "run `ttsq migrate`")


def _at_work(database: Database, described: str) -> Finding:
    if database.is_sqlite:
        return ok(described)
    with database.read() as connection:
        facts: Any = connection.execute(
            text(
                "SELECT current_setting('transaction_read_only')::bool AS read_only,"
                " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS taken,"
                " current_setting('max_connections')::int AS most"
            )
        ).one()
    if facts.read_only:
        remedy = "wait for the failover to complete, or set TTSQ_DATABASE_URL to the primary"
        return fail(f"{described}, but read-only: no job can be submitted, claimed or recorded", remedy)
    if facts.taken > CROWDED * facts.most:
        remedy = "raise max_connections, or lower TTSQ_DATABASE_CONNECTIONS of each worker"
        return warning(f"{described}; {facts.taken} of {facts.most} connections in use", remedy)
    return ok(described)


MEBIBYTE: Final = 2**20
GIBIBYTE: Final = 2**30


def check_no_database_yet(path: Path) -> Finding:
    return ok(f"{path} will be created by the first `ttsq run`")


def check_artifacts(settings: Settings) -> Finding:
    """Write and read an object."""
    if settings.artifacts_url is None:
        return ok("the folder set with --out")
    store = open_store(settings.artifacts_url)
    try:
        store.check()
    finally:
        store.close()
    return ok(f"{settings.artifacts_url} is readable and writable")


def check_spool(settings: Settings) -> Finding:
    spool = Spool(settings.spool_dir.absolute(), settings.spool_min_free_mb * MEBIBYTE)
    if error := spool.problem():
        return fail(error)
    free = shutil.disk_usage(spool.folder).free / GIBIBYTE
    return ok(f"{spool.folder} is writable, {free:,.1f} GiB free")


def check_key(settings: Settings) -> Finding:
    if settings.segmind_api_key is None:
        remedy = "set SEGMIND_API_KEY in the environment or in .env; `ttsq run FILE --rehearse` needs none"
        return fail("no API key is set", remedy) if settings.embedded else warning("no API key is set here", remedy)
    client = open_client(settings)
    try:
        answer = client.credits()
    finally:
        client.close()
    where = "" if settings.segmind_base_url == OFFICIAL_BASE_URL else f"{settings.segmind_base_url}: "
    if not isinstance(answer, Credits):
        verdict = verdicts.verdict(answer)
        return fail(f"{where}{verdict.message or verdict.code}", _key_remedy(answer.status))
    dearest = max(MODELS.values(), key=lambda model: model.price)
    if answer.total < dearest.price:
        return warning(
            f"{where}accepted, but the balance of {money(answer.total)} is less than one call of {dearest.slug}",
            "top up the account",
        )
    calls = number(int(answer.total / dearest.price), "call")
    return ok(f"{where}accepted; the balance of {money(answer.total)} covers at least {calls}")


def check_workers(settings: Settings, database: Database) -> Finding:
    with database.read() as connection:
        now = database.now(connection)
        limit = now - timedelta(seconds=holds.STALE_SECONDS)
        alive = [member for member in workers.present(connection) if member.heartbeat_at >= limit]
        found = [hold for hold in holds.holds(connection, now=now) if hold.code != "no_workers"]
    slots = sum(member.slots for member in alive)
    state = f"{number(len(alive), 'worker')} alive with {number(slots, 'slot')}" if alive else "none running"
    if found:
        return warning(f"{state}; {describe_hold(found[0], now)}", "`ttsq status` lists all holds")
    if alive:
        return ok(state)
    if settings.embedded:
        return ok("none running; `ttsq run` starts one in its process")
    return warning("no worker is running", "start one with `ttsq worker`")


def _key_remedy(status: int | None) -> str:
    if status in {401, 403}:
        return "set SEGMIND_API_KEY to a key of your Segmind account"
    return "check SEGMIND_BASE_URL and this machine's network"
