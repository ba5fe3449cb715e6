"""The doctor's checks of one installation. Each looks for itself, says one thing, and costs nothing.

A check may raise whatever its room raises: the doctor explains it.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Final

from api_models.origins import OFFICIAL_BASE_URL
from api_models.registry import MODELS
from worker.artifacts.opening import open_store
from worker.cli.doctor.findings import Finding, fail, ok, warning
from worker.cli.follow.progress import hold_words
from worker.cli.talk.wording import money, number
from worker.execution.spool import Spool
from worker.opening import open_client
from worker.segmind import verdicts
from worker.segmind.answers import Credits
from worker.settings import Settings
from worker.store import holds, workers
from worker.store.database import Database

MEBIBYTE: Final = 2**20
GIBIBYTE: Final = 2**30


def check_no_database_yet(path: Path) -> Finding:
    """The embedded default before its first run."""
    return ok(f"{path} is made by the first `ttsq run`")


def check_artifacts(settings: Settings) -> Finding:
    """Can audio be stored? By doing so."""
    if settings.artifacts_url is None:
        return ok("the folder that each run names with --out")
    store = open_store(settings.artifacts_url)
    try:
        store.check()
    finally:
        store.close()
    return ok(f"{settings.artifacts_url} can be written and read")


def check_spool(settings: Settings) -> Finding:
    """Can answers be kept between the call and the record?"""
    spool = Spool(settings.spool_dir.absolute(), settings.spool_min_free_mb * MEBIBYTE)
    if trouble := spool.trouble():
        return fail(trouble)
    free = shutil.disk_usage(spool.folder).free / GIBIBYTE
    return ok(f"{spool.folder} can be written, {free:,.1f} GiB free")


def check_key(settings: Settings) -> Finding:
    """Does the API know the key, and is there money? Its credits endpoint costs nothing."""
    if settings.segmind_api_key is None:
        remedy = "set SEGMIND_API_KEY in the environment or in .env; `ttsq run FILE --rehearse` needs none"
        return fail("there is no API key", remedy) if settings.embedded else warning("there is no API key here", remedy)
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
            f"{where}accepted, but {money(answer.total)} is less than one call of {dearest.slug}", "top it up"
        )
    calls = number(int(answer.total / dearest.price), "call")
    return ok(f"{where}accepted; the balance of {money(answer.total)} pays for at least {calls}")


def check_workers(settings: Settings, database: Database) -> Finding:
    """Is anyone there to do the work, and does anything hold it?"""
    with database.read() as connection:
        now = database.now(connection)
        limit = now - timedelta(seconds=holds.STALE_SECONDS)
        alive = [member for member in workers.present(connection) if member.heartbeat_at >= limit]
        found = [hold for hold in holds.holds(connection, now=now) if hold.code != "no_workers"]
    slots = sum(member.slots for member in alive)
    state = f"{number(len(alive), 'worker')} alive with {number(slots, 'slot')}" if alive else "none now"
    if found:
        return warning(f"{state}; {hold_words(found[0], now)}", "`ttsq status` shows everything that holds the queue")
    if alive:
        return ok(state)
    if settings.embedded:
        return ok("none now; one runs inside each `ttsq run`")
    return warning("no worker is running", "start one: `ttsq worker`")


def _key_remedy(status: int | None) -> str:
    if status in {401, 403}:
        return "copy the key again from your Segmind account into SEGMIND_API_KEY"
    return "check SEGMIND_BASE_URL and this machine's network"
