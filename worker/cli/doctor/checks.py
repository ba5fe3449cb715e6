"""The doctor's checks of what needs neither broker nor database. Each checks one thing and costs nothing.

A check may raise; the doctor explains the exception.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from typing import Final

from api_models.model_notices import notices
from api_models.origins import OFFICIAL_BASE_URL
from api_models.registry import MODELS
from api_models.speech_model import today
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.factory import open_store
from worker.cli.console.format import money, number
from worker.cli.console.progress import describe_hold
from worker.cli.doctor.findings import Finding, fail, ok, warning
from worker.environment.private_files import unwritable
from worker.execution.spool import Spool
from worker.process import peers
from worker.process.factories import (
    StartError,
    chosen_rungs,
    default_artifacts_url,
    missing_for_rungs,
    open_client,
    require_descriptors,
    store_options,
)
from worker.process.identity import KEY, identity
from worker.segmind import verdicts
from worker.segmind.answers import Credits
from worker.settings import Settings
from worker.store import inbox, workers
from worker.store.database import Database
from worker.store.queries import holds
from worker.store.workers import Member
from worker.telemetry import tracing

MEBIBYTE: Final = 2**20
GIBIBYTE: Final = 2**30
EMPTY_INBOX: Final = ok("empty")
_IMPATIENT: Final = {"connect_timeout": 3.0, "read_timeout": 5.0}
"""The balance is a short answer: a worker's calls have minutes."""


def check_artifacts(settings: Settings) -> Finding:
    """Write and read an object with a worker's options; in a folder, find out whether it could be."""
    if settings.artifacts_url is None and settings.embedded:
        return ok("the folder set with --out")
    url = default_artifacts_url(settings)
    try:
        with closing(open_store(url, options=store_options(settings))) as store:
            store.forecast()
    except ArtifactsError as error:
        return fail(error.message, ARTIFACTS_REMEDY)
    return ok(f"{url} is writable")


ARTIFACTS_REMEDY: Final = "mend it, or correct TTSQ_ARTIFACTS_URL, AWS_ENDPOINT_URL_S3 and the credentials"


def check_spool(settings: Settings) -> Finding:
    spool = Spool(settings.spool_dir.absolute(), settings.spool_min_free_mb * MEBIBYTE)
    if error := spool.forecast():
        return fail(error, "see TTSQ_SPOOL_DIR and TTSQ_SPOOL_MIN_FREE_MB in docs/settings.md")
    above = next(folder for folder in (spool.folder, *spool.folder.parents) if folder.exists())
    free = shutil.disk_usage(above).free / GIBIBYTE
    return ok(f"{spool.folder} is writable, {free:,.1f} GiB free")


def check_process(settings: Settings) -> Finding:
    """What else a worker needs to start on this machine."""
    require_descriptors(settings.concurrency)
    if tracing.is_missing(settings):
        raise StartError("TTSQ_TRACING is otlp, and OpenTelemetry is not installed", tracing.REMEDY)
    file = settings.alive_file
    if file is not None and (error := unwritable(file.absolute().parent)):
        return fail(
            f"the folder of TTSQ_ALIVE_FILE can't be written ({error.strerror}), so health checks would fail",
            "fix it or set another TTSQ_ALIVE_FILE",
        )
    return ok(f"{number(settings.concurrency, 'concurrent call')} can be opened")


def check_listening(settings: Settings) -> Finding:
    """Which rungs listen to takes on this machine, and why the others don't."""
    if not settings.take_rungs:
        return ok("off; TTSQ_TAKE_RUNGS=auto turns on what this machine has")
    if settings.take_checks == "off":
        return warning("off, because TTSQ_TAKE_CHECKS is off", "set it to on, or unset TTSQ_TAKE_RUNGS")
    missing = missing_for_rungs(settings)
    chosen = [str(rung) for rung in chosen_rungs(settings)]
    off = (f"{rung} off" + (f" ({why})" if why else "") for rung, why in missing.items() if rung not in chosen)
    said = "; ".join((f"{', '.join(chosen) or 'none'} on", *off))
    lacking = [f"{rung}: {why}" for rung, why in missing.items() if rung in chosen and why]
    if lacking:
        return warning(f"{said}; judged in part: {'; '.join(lacking)}", "install what is missing, or name fewer rungs")
    return ok(said)


def check_key(settings: Settings, *, works: bool = True) -> Finding:
    """`works` is false on a machine without a worker, which needs no key."""
    if settings.segmind_api_key is None and not works:
        return ok("no API key is set, and none is needed without a worker")
    if settings.segmind_api_key is None:
        remedy = "set SEGMIND_API_KEY in the environment or in .env; `ttsq run FILE --rehearse` needs none"
        other = "" if settings.embedded else "; where no worker runs: `ttsq doctor --no-worker`"
        return fail("no API key is set", remedy + other)
    client = open_client(settings.model_copy(update=_IMPATIENT))
    try:
        answer = client.credits()
    finally:
        client.close()
    where = "" if settings.segmind_base_url == OFFICIAL_BASE_URL else f"{settings.segmind_base_url}: "
    if not isinstance(answer, Credits):
        verdict = verdicts.verdict(answer)
        return fail(f"{where}{verdict.message or verdict.code}", _key_remedy(answer.status))
    dearest = MODELS.dearest
    if answer.total < dearest.price:
        return warning(
            f"{where}accepted, but the balance of {money(answer.total)} is less than one call of {dearest.slug}",
            "top up the account",
        )
    calls = number(int(answer.total / dearest.price), "call")
    return ok(f"{where}accepted; the balance of {money(answer.total)} covers at least {calls}")


def check_models() -> Finding | None:
    """What ends soon; None if there is nothing to say."""
    found = notices(MODELS.values(), today())
    if not found:
        return None
    return warning("; ".join(notice.message for notice in found), found[0].remedy)


def check_workers(settings: Settings, database: Database) -> Finding:
    with database.read() as connection:
        now = database.now(connection)
        limit = now - timedelta(seconds=holds.STALE_SECONDS)
        alive = [member for member in workers.present(connection) if member.heartbeat_at >= limit]
        found = [hold for hold in holds.holds(connection, now=now) if hold.code != "no_workers"]
    slots = sum(member.slots for member in alive)
    state = f"{number(len(alive), 'worker')} alive with {number(slots, 'slot')}" if alive else "none running"
    if odd := [*peers.describe(alive), *_difference(settings, alive)]:
        return warning(f"{state}; {'; '.join(odd)}", peers.REMEDY)
    if found:
        return warning(f"{state}; {describe_hold(found[0], now)}", "`ttsq status` lists all holds")
    if alive:
        return ok(state)
    if settings.embedded:
        return ok("none running; `ttsq run` starts one in its process")
    return warning("no worker is running", "start one with `ttsq worker`")


def check_inbox(database: Database) -> Finding:
    """Rows of the inbox that no worker reads, or that were refused."""
    with database.read() as connection:
        found = inbox.backlog(connection)
        leader = workers.holder(connection, workers.DISPATCHER, now=database.now(connection))
    refused = f"{number(found.refused, 'request')} refused" if found.refused else ""
    if found.waiting and leader is None:
        waiting = f"{number(found.waiting, 'request')} waiting, and no worker reads them"
        return warning("; ".join(filter(None, (waiting, refused))), "start a worker with `ttsq worker`")
    if refused:
        return warning(refused, "`ttsq inbox refused` lists them with the reasons")
    return ok(f"{number(found.waiting, 'request')} waiting") if found.waiting else EMPTY_INBOX


def _difference(settings: Settings, alive: Sequence[Member]) -> list[str]:
    """How this machine's settings differ from the workers'. Without a key it is no worker, and needs none."""
    names = peers.unlike(identity(settings), peers.usual(alive))
    names = [name for name in names if name != KEY or settings.segmind_api_key is not None]
    return [f"this machine differs from the workers in {', '.join(names)}"] if names else []


def _key_remedy(status: int | None) -> str:
    if status in {401, 403}:
        return "set SEGMIND_API_KEY to a key of your Segmind account"
    return "check SEGMIND_BASE_URL and this machine's network"
