"""`ttsq schedule list|runs`. Reads only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.table import Table

from worker.cli import database as cli_database
from worker.cli.console.format import cut, moment, one_line, short
from worker.cli.console.terminal import Terminal
from worker.cli.schedule.add import WORKERLESS, find
from worker.cli.snapshot import stamp
from worker.schedules.options import Options
from worker.store import schedules
from worker.store.schedules import RunRecord, ScheduleRecord

SOURCE_CHARACTERS = 40


def show(*, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.read() as connection:
        now = database.now(connection)
        found = schedules.every(connection)
        latest = {
            (one.tenant, one.name): _latest(schedules.runs(connection, one.tenant, one.name, most=1)) for one in found
        }
    for one in found:
        run = latest[one.tenant, one.name]
        terminal.data(_data(one) | {"latest_run": None if run is None else _run_data(run)})
    if as_json:
        return
    if not found:
        terminal.result("No schedules; create one with `ttsq schedule add`.")
        return
    table = _table("NAME", "TENANT", "CRON", "NEXT", "LATEST", "SOURCE")
    for one in found:
        run = latest[one.tenant, one.name]
        table.add_row(
            one.name,
            one.tenant,
            f"{one.cron} {one.timezone}",
            _next(one, now),
            "never ran" if run is None else f"{run.state} {moment(run.due_at, now)}",
            cut(one.source, SOURCE_CHARACTERS),
        )
    terminal.result(table)
    if settings.embedded:
        terminal.note(WORKERLESS, style="yellow")


def show_runs(tenant: str, name: str, most: int, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        now = database.now(connection)
        find(connection, tenant, name)
        found = schedules.runs(connection, tenant, name, most=most)
    for run in found:
        terminal.data(_run_data(run))
    if as_json:
        return
    if not found:
        terminal.result(f"{name} has not run yet.")
        return
    table = _table("DUE", "STATE", "BATCH", "MESSAGE")
    for run in found:
        batch = "" if run.batch_id is None else short(run.batch_id)
        table.add_row(moment(run.due_at, now), str(run.state), batch, one_line(run.message or ""))
    terminal.result(table)


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name)
    return table


def _latest(runs: list[RunRecord]) -> RunRecord | None:
    return runs[0] if runs else None


def _next(schedule: ScheduleRecord, now: datetime) -> str:
    if schedule.paused_at is not None:
        return f"paused since {moment(schedule.paused_at, now)}"
    return "never" if schedule.next_due_at is None else moment(schedule.next_due_at, now)


def _data(schedule: ScheduleRecord) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "tenant": schedule.tenant,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "source": schedule.source,
        "database_env": Options.read(schedule.options).database_env,
        "catch_up_seconds": schedule.catch_up_seconds,
        "next_due_at": None if schedule.paused_at is not None else stamp(schedule.next_due_at),
        "paused_at": stamp(schedule.paused_at),
    }


def _run_data(run: RunRecord) -> dict[str, Any]:
    return {
        "due_at": stamp(run.due_at),
        "state": str(run.state),
        "attempts": run.attempts,
        "batch": None if run.batch_id is None else str(run.batch_id),
        "message": run.message,
        "finished_at": stamp(run.finished_at),
    }
