"""Schedules made, held, and taken away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeGuard

from sqlalchemy import Connection

from api_models.hints import did_you_mean
from api_models.problems import Fault, InvalidInputError
from worker.cli import database as cli_database
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.format import moment
from worker.cli.console.terminal import Terminal
from worker.intake.custom_ids import Names
from worker.intake.header import WholeFault
from worker.intake.kinds import by_name
from worker.intake.reader import read
from worker.intake.validation import Judge, Row
from worker.schedules import cron
from worker.schedules.cron import BadTimesError
from worker.schedules.options import Options
from worker.schedules.source import BUCKET
from worker.settings import Settings
from worker.store import schedules
from worker.store.schedules import RunKey, RunState, ScheduleRecord

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPAN: Final = re.compile(r"(\d{1,6})\s*([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_CATCH_UP_SECONDS: Final = 31 * 86_400
MAX_TENANT_CHARACTERS: Final = 64
LOOKED_AT: Final = 100
"""Rows and faults of a source that are looked at when a schedule is made; it may be another by the time it runs."""
SHOWN_FAULTS: Final = 20
WORKERLESS: Final = (
    "With these settings nothing runs between two commands, so nobody would look at the clock:"
    " keep `ttsq serve --all-in-one` running, or set TTSQ_BROKER_URL and run `ttsq worker`."
)


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule as it was asked for."""

    name: str
    tenant: str
    source: str
    cron: str
    timezone: str
    database_env: str | None
    catch_up: str
    defaults: Mapping[str, Any]


def add(wanted: NewSchedule) -> None:
    """Make it.

    Raises:
        BadOptionError, CliError
    """
    terminal = Terminal()
    settings = cli_database.settings(terminal)
    _check_names(wanted)
    source = wanted.source if wanted.database_env is not None else _place(wanted.source)
    options = Options(wanted.database_env, **wanted.defaults)
    if faults := Judge(options.defaults, Names(1), settings.max_text_bytes).default_faults:
        raise CliError("the schedule can't be made", lines=[str(fault) for fault in faults])
    _check_source(source, options, settings)
    catch_up = _seconds(wanted.catch_up)
    with cli_database.queue_to_fill(settings) as database, database.begin() as connection:
        now = database.now(connection)
        due = _next(wanted.cron, wanted.timezone, now)
        schedule = ScheduleRecord(
            wanted.tenant, wanted.name, wanted.cron, wanted.timezone, source, options.kept(), catch_up, now, due
        )
        if not schedules.add(connection, schedule):
            raise CliError(
                f"tenant {wanted.tenant} has a schedule called {wanted.name}",
                f"take it away first: ttsq schedule remove {wanted.name}",
            )
    terminal.result(f"{wanted.name} runs next at {_when(due, wanted.timezone, now)}.")
    if wanted.database_env is None and not source.startswith(BUCKET) and not Path(source).is_file():
        terminal.note(f"There is no {source} here now; the workers will look for it then.", style="yellow")
    _warn(terminal, settings)


def run(tenant: str, name: str) -> None:
    """Once more, now. Raises CliError where there is no such schedule."""
    terminal = Terminal()
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.begin() as connection:
        find(connection, tenant, name)
        now = database.now(connection)
        schedules.add_run(connection, RunKey(tenant, name, now), RunState.DUE, now=now)
    terminal.result(f"{name} runs as soon as a worker takes it up; `ttsq schedule runs {name}` shows what comes of it.")
    _warn(terminal, settings)


def pause(tenant: str, name: str) -> None:
    """Raises CliError where there is no such schedule."""
    terminal = Terminal()
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        find(connection, tenant, name)
        paused = schedules.pause(connection, tenant, name, now=database.now(connection))
    terminal.result(f"{name} is paused." if paused else f"{name} was paused already.")


def resume(tenant: str, name: str) -> None:
    """Raises CliError where there is no such schedule."""
    terminal = Terminal()
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.begin() as connection:
        schedule, now = find(connection, tenant, name), database.now(connection)
        due = _next(schedule.cron, schedule.timezone, now)
        resumed = schedules.resume(connection, tenant, name, next_due_at=due)
    if not resumed:
        terminal.result(f"{name} isn't paused.")
        return
    terminal.result(f"{name} runs next at {_when(due, schedule.timezone, now)}.")
    _warn(terminal, settings)


def remove(tenant: str, name: str) -> None:
    """Raises CliError where there is no such schedule."""
    terminal = Terminal()
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        find(connection, tenant, name)
        schedules.remove(connection, tenant, name)
    terminal.result(f"{name} is taken away; what it has handed in stays.")


def find(connection: Connection, tenant: str, name: str) -> ScheduleRecord:
    """The schedule of that name. Raises CliError where there is none."""
    found = schedules.by_name(connection, tenant, name)
    if found is None:
        known = [schedule.name for schedule in schedules.every(connection, tenant)]
        raise CliError(
            f"tenant {tenant} has no schedule called {name}{did_you_mean(name, known)}",
            "`ttsq schedule list` shows all",
        )
    return found


def _check_names(wanted: NewSchedule) -> None:
    if not _NAME.fullmatch(wanted.name):
        raise BadOptionError("NAME", wanted.name, "has other characters than letters, digits, . _ - or is too long")
    if not wanted.tenant.strip() or len(wanted.tenant) > MAX_TENANT_CHARACTERS:
        raise BadOptionError("--tenant", wanted.tenant, f"is no name of 1 to {MAX_TENANT_CHARACTERS} characters")
    if wanted.database_env is not None and not _VARIABLE.fullmatch(wanted.database_env):
        # It may be the address itself, which must not be repeated.
        raise CliError(
            "--database-env wants the name of an environment variable, not an address",
            "put the address into a variable of the workers, such as CMS_DATABASE_URL, and name that",
        )


def _place(source: str) -> str:
    """A file's whole path, or an object's address."""
    found = by_name(Path(source))
    if isinstance(found, Fault):
        raise CliError(f"{source} {found.message}", "for a query, say where its database is: --database-env VARIABLE")
    return source if source.startswith(BUCKET) else str(Path(source).absolute())


def _check_source(source: str, options: Options, settings: Settings) -> None:
    """Find out now, where the file is here, whether it can be read at all: its sheets, its columns, its encoding."""
    path = Path(source)
    if options.database_env is not None or source.startswith(BUCKET) or not path.is_file():
        return
    rows = read(path, defaults=options.defaults, max_text_bytes=settings.max_text_bytes, options=options.sheet)
    faults = list(islice((fault for fault in islice(rows, LOOKED_AT) if _is_of_the_whole(fault)), SHOWN_FAULTS))
    if faults:
        raise InvalidInputError(source, faults)


def _is_of_the_whole(item: Row | Fault) -> TypeGuard[Fault]:
    return isinstance(item, WholeFault) or (isinstance(item, Fault) and item.line is None)


def _seconds(span: str) -> int:
    found = _SPAN.fullmatch(span.strip())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else -1
    if not 0 <= seconds <= MAX_CATCH_UP_SECONDS:
        raise BadOptionError("--catch-up", span, "is no time such as 30m, 1h or 2d, up to 31d")
    return seconds


def _next(expression: str, timezone: str, now: datetime) -> datetime:
    try:
        due = cron.next_after(expression, timezone, now)
    except BadTimesError as error:
        raise CliError(str(error)) from None
    if due is None:
        raise BadOptionError("--cron", expression, "never comes")
    return due


def _when(due: datetime, timezone: str, now: datetime) -> str:
    there = "" if timezone == "UTC" else f", {due.astimezone(cron.zone(timezone)):%H:%M} in {timezone}"
    return f"{moment(due, now)}{there} ({due:%Y-%m-%dT%H:%M:%SZ})"


def _warn(terminal: Terminal, settings: Settings) -> None:
    if settings.embedded:
        terminal.note(WORKERLESS, style="yellow")
