"""`ttsq doctor`: run every check, whatever the others find."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from rich.text import Text

from api_models.problems import InvalidInputError
from worker import settings as settings_page
from worker.cli import database as cli_database
from worker.cli.console.exits import Exit, leave
from worker.cli.console.terminal import Terminal
from worker.cli.doctor import bounded, checks
from worker.cli.doctor.broker import check_broker
from worker.cli.doctor.clocks import check_clock
from worker.cli.doctor.database import check_database, check_file
from worker.cli.doctor.findings import Finding, Level, fail, ok, warning
from worker.cli.doctor.objects import check_objects, check_restore
from worker.process.factories import IDLE_SECONDS
from worker.settings import Settings
from worker.store import schema
from worker.store.database import Database

STYLES: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.FAIL: "bold red"}
NAME_COLUMNS: Final = 10
LEVEL_COLUMNS: Final = 8
CONNECTIONS: Final = 2

Named = tuple[str, Finding]


def examine(terminal: Terminal, *, as_json: bool, works: bool = True) -> Exit:
    """Print one line per check. Returns UNUSABLE if any failed. `works` is false on a machine without a worker."""
    found: list[Named] = []
    for name, finding in _checks(terminal, works=works):
        found.append((name, finding))
        if not as_json:
            _show(terminal, name, finding)
    sound = all(finding.level is not Level.FAIL for _, finding in found)
    terminal.data({"ok": sound, "checks": [_data(name, finding) for name, finding in found]})
    return Exit.DONE if sound else Exit.UNUSABLE


def _checks(terminal: Terminal, *, works: bool) -> Iterator[Named]:
    try:
        settings = terminal.guard(settings_page.load())
    except InvalidInputError as error:
        for fault in error.faults:
            yield "settings", fail(str(fault), "fix it in the environment or in .env")
        yield "the rest", warning("not checked: the settings are invalid")
        return
    yield "settings", ok(_kind(settings))
    if (models := checks.check_models()) is not None:
        yield "models", models
    with _database(settings) as (finding, database):
        yield "database", finding
        broker = bounded.run("broker", lambda: check_broker(settings, database))
        yield "broker", broker
        artifacts = bounded.run("artifacts", lambda: checks.check_artifacts(settings))
        yield "artifacts", artifacts
        if works:
            yield "spool", bounded.run("spool", lambda: checks.check_spool(settings))
            process = bounded.run("process", lambda: checks.check_process(settings))
            if process.level is not Level.OK:
                yield "process", process
            yield "listening", bounded.run("listening", lambda: checks.check_listening(settings))
        yield "key", bounded.run("key", lambda: checks.check_key(settings, works=works))
        if database is not None:
            reached = broker.level is not Level.FAIL
            late = warning("not compared: a service answers too slowly")  # which fails its own check
            yield (
                "clock",
                bounded.run("clock", lambda: check_clock(settings, database, broker_answers=reached), late=late),
            )
            yield "workers", bounded.run("workers", lambda: checks.check_workers(settings, database))
            inbox = bounded.run("inbox", lambda: checks.check_inbox(database))
            if inbox != checks.EMPTY_INBOX:
                yield "inbox", inbox
            if artifacts.level is not Level.FAIL:
                yield "objects", bounded.run("objects", lambda: check_objects(settings, database))
            yield "restore", bounded.run("restore", lambda: check_restore(settings, database))


@contextmanager
def _database(settings: Settings) -> Iterator[tuple[Finding, Database | None]]:
    """Yield the finding, and the database if further checks can use it."""
    path = cli_database.sqlite_file(settings)
    finding = None if path is None else check_file(path, embedded=settings.embedded)
    if finding is not None:
        yield finding, None
        return
    database = Database(settings.database_url, connections=CONNECTIONS, idle_seconds=IDLE_SECONDS, only_look=True)
    try:
        finding = bounded.run("database", lambda: check_database(settings, database))
        ready = finding.level is not Level.FAIL and schema.revision(database) is not None
        yield finding, database if ready else None
    finally:
        database.close()


def _kind(settings: Settings) -> str:
    match settings.segmind_rpm:
        case None:
            rate = "rate limit: auto"
        case "unlimited":
            rate = "rate limit: none"
        case ceiling:
            rate = f"rate limit: {ceiling:g} requests per minute"
    kind = "single-process mode" if settings.embedded else "separate workers"
    return f"{kind}, {settings.concurrency:,} concurrent calls, {rate}"


def _show(terminal: Terminal, name: str, finding: Finding) -> None:
    level = (str(finding.level).ljust(LEVEL_COLUMNS), STYLES[finding.level])
    terminal.result(Text.assemble((name.ljust(NAME_COLUMNS), "bold"), level, finding.message))
    if finding.remedy:
        terminal.result(Text.assemble(" " * (NAME_COLUMNS + LEVEL_COLUMNS), (f"→ {finding.remedy}", "dim")))


def _data(name: str, finding: Finding) -> dict[str, str]:
    return {
        "name": name,
        "level": str(finding.level).lower(),
        "message": finding.message,
        "remedy": finding.remedy,
    }


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with every check.")] = False,
    worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Whether workers run on this machine, and need key and spool.")
    ] = True,
) -> None:
    """Check settings, services, key and clock. Costs nothing."""

    leave(examine(Terminal(as_json=as_json), as_json=as_json, works=worker))
