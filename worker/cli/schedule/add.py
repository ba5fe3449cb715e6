"""`ttsq schedule add|run|pause|resume|remove`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, TypeGuard

from sqlalchemy import Connection

from api_models.hints import did_you_mean
from api_models.key_templates import TemplateError, checked_template
from api_models.problems import Fault, InvalidInputError
from worker.cli import database as cli_database
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.format import moment
from worker.cli.console.terminal import Terminal
from worker.cli.run.row_options import option_faults
from worker.cli.snapshot import stamp
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
CHECKED_ROWS: Final = 100
"""Rows of a source that are checked when a schedule is created; it may change before it runs."""
SHOWN_FAULTS: Final = 20
WORKERLESS: Final = (
    "In single-process mode no worker runs between commands, so schedules do not start:"
    " keep `ttsq serve --all-in-one` running, or set TTSQ_BROKER_URL and run `ttsq worker`."
)


@dataclass(frozen=True, slots=True)
class NewSchedule:
    name: str
    tenant: str
    source: str
    cron: str
    timezone: str
    catch_up: str
    options: Options


def add(wanted: NewSchedule, *, as_json: bool) -> None:
    """Create a schedule. Raises BadOptionError or CliError."""
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    _check_names(wanted)
    options = wanted.options
    source = wanted.source if options.database_env is not None else _place(wanted.source)
    at_once = options.defaults_at(datetime.now(UTC))
    if faults := Judge(at_once, Names(1), settings.max_text_bytes).default_faults:
        raise CliError("the schedule is invalid", lines=[str(fault) for fault in option_faults(faults)])
    _check_template(options)
    _check_source(source, options, settings)
    catch_up = _seconds(wanted.catch_up)
    with cli_database.queue_to_fill(settings) as database, database.begin() as connection:
        now = database.now(connection)
        due = _next(wanted.cron, wanted.timezone, now)
        schedule = ScheduleRecord(
            wanted.tenant, wanted.name, wanted.cron, wanted.timezone, source, options.kept(), catch_up, now, due
        )
        _check_lexicon(connection, wanted)
        if not schedules.add(connection, schedule):
            raise CliError(
                f"tenant {wanted.tenant} already has a schedule {wanted.name}",
                f"remove it first: ttsq schedule remove {wanted.name}",
            )
    message = f"{wanted.name} next runs at {_when(due, wanted.timezone, now)}."
    terminal.done(message, tenant=wanted.tenant, name=wanted.name, next_due_at=stamp(due))
    if options.database_env is None and not source.startswith(BUCKET) and not Path(source).is_file():
        terminal.note(f"{source} does not exist on this machine; workers must be able to read it.", style="yellow")
    _warn(terminal, settings)


def run(tenant: str, name: str, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.begin() as connection:
        find(connection, tenant, name)
        now = database.now(connection)
        schedules.add_run(connection, RunKey(tenant, name, now), RunState.DUE, now=now)
    message = f"{name} runs as soon as a worker is free; `ttsq schedule runs {name}` shows the result."
    terminal.done(message, tenant=tenant, name=name, due_at=stamp(now))
    _warn(terminal, settings)


def pause(tenant: str, name: str, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        find(connection, tenant, name)
        paused = schedules.pause(connection, tenant, name, now=database.now(connection))
    message = f"{name} is paused." if paused else f"{name} is already paused."
    terminal.done(message, tenant=tenant, name=name, changed=bool(paused))


def resume(tenant: str, name: str, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.begin() as connection:
        schedule, now = find(connection, tenant, name), database.now(connection)
        due = _next(schedule.cron, schedule.timezone, now)
        resumed = schedules.resume(connection, tenant, name, next_due_at=due)
    if not resumed:
        terminal.done(f"{name} is not paused.", tenant=tenant, name=name, changed=False)
        return
    message = f"{name} next runs at {_when(due, schedule.timezone, now)}."
    terminal.done(message, tenant=tenant, name=name, changed=True, next_due_at=stamp(due))
    _warn(terminal, settings)


def remove(tenant: str, name: str, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        find(connection, tenant, name)
        schedules.remove(connection, tenant, name)
    terminal.done(f"{name} removed; jobs it submitted are kept.", tenant=tenant, name=name)


def find(connection: Connection, tenant: str, name: str) -> ScheduleRecord:
    """Find a schedule by name. Raises CliError: there is none."""
    found = schedules.by_name(connection, tenant, name)
    if found is None:
        known = [schedule.name for schedule in schedules.every(connection, tenant)]
        raise CliError(
            f"tenant {tenant} has no schedule {name}{did_you_mean(name, known)}",
            "`ttsq schedule list` lists all",
        )
    return found


def _check_names(wanted: NewSchedule) -> None:
    if not _NAME.fullmatch(wanted.name):
        raise BadOptionError("NAME", wanted.name, "must be 1 to 64 letters, digits, dots, hyphens or underscores")
    if not wanted.tenant.strip() or len(wanted.tenant) > MAX_TENANT_CHARACTERS:
        raise BadOptionError("--tenant", wanted.tenant, f"is not a name of 1 to {MAX_TENANT_CHARACTERS} characters")
    database_env = wanted.options.database_env
    if database_env is not None and not _VARIABLE.fullmatch(database_env):
        # The value may be a database URL with a password; do not print it.
        raise CliError(
            "--database-env takes the name of an environment variable, not an address",
            "set a variable such as CMS_DATABASE_URL in the workers' environment, and pass its name",
        )


def _place(source: str) -> str:
    """Return a file's absolute path, or an object's address."""
    found = by_name(Path(source))
    if isinstance(found, Fault):
        raise CliError(f"{source} {found.message}", "for a query, add --database-env VARIABLE")
    return source if source.startswith(BUCKET) else str(Path(source).absolute())


def _check_template(options: Options) -> None:
    """Check the key template; the columns that it names are known when the schedule runs."""
    if options.key_template is None:
        return
    try:
        checked_template(options.key_template, shared=True, columns=None)
    except TemplateError as error:
        raise CliError(f"--key-template: {options.key_template} {error}") from None


def _check_lexicon(connection: Connection, wanted: NewSchedule) -> None:
    """Check that the lexicon exists; its newest version applies to each run. Raises CliError."""
    if (name := wanted.options.defaults.lexicon) is None:
        return
    from worker.producer.wording import StoredLexicons  # noqa: PLC0415 - most schedules name none
    from worker.text.errors import TextError  # noqa: PLC0415 - likewise

    try:
        StoredLexicons(connection, wanted.tenant)(name)
    except TextError as error:
        raise CliError(f"--lexicon: {error}", error.remedy) from None


def _check_source(source: str, options: Options, settings: Settings) -> None:
    """Check sheets, columns and encoding of the file, if it exists on this machine."""
    path = Path(source)
    if options.database_env is not None or source.startswith(BUCKET) or not path.is_file():
        return
    rows = read(
        path,
        defaults=options.defaults_at(datetime.now(UTC)),
        max_text_bytes=settings.max_text_bytes,
        options=options.sheet,
    )
    faults = list(islice((fault for fault in islice(rows, CHECKED_ROWS) if _is_of_the_whole(fault)), SHOWN_FAULTS))
    if faults:
        raise InvalidInputError(source, faults)


def _is_of_the_whole(item: Row | Fault) -> TypeGuard[Fault]:
    return isinstance(item, WholeFault) or (isinstance(item, Fault) and item.line is None)


def _seconds(span: str) -> int:
    found = _SPAN.fullmatch(span.strip())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else -1
    if not 0 <= seconds <= MAX_CATCH_UP_SECONDS:
        raise BadOptionError("--catch-up", span, "is not a duration such as 30m, 1h or 2d, up to 31d")
    return seconds


def _next(expression: str, timezone: str, now: datetime) -> datetime:
    try:
        due = cron.next_after(expression, timezone, now)
    except BadTimesError as error:
        raise CliError(str(error)) from None
    if due is None:
        raise BadOptionError("--cron", expression, "never occurs")
    return due


def _when(due: datetime, timezone: str, now: datetime) -> str:
    there = "" if timezone == "UTC" else f", {due.astimezone(cron.zone(timezone)):%H:%M} in {timezone}"
    return f"{moment(due, now)}{there} ({due:%Y-%m-%dT%H:%M:%SZ})"


def _warn(terminal: Terminal, settings: Settings) -> None:
    if settings.embedded:
        terminal.note(WORKERLESS, style="yellow")
