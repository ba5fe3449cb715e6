"""`ttsq schedule add|list|remove|pause|resume|run|runs`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from worker.cli.run.options import AllSheets, Encoding, IdColumn, IgnoreColumn, Sheet, TextColumn
from worker.cli.schedule import add
from worker.cli.schedule import list as schedule_list

app = typer.Typer(
    name="schedule",
    add_completion=False,
    help="Submit files or query results on a cron schedule.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the schedule.")]
Tenant = Annotated[str, typer.Option(help="Tenant of the schedule.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


@app.command("add")
def add_schedule(
    name: Name,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE-or-SQL",
            help="File readable by the workers, s3://bucket/key, or with --database-env an SQL query.",
        ),
    ],
    *,
    cron: Annotated[
        str, typer.Option(metavar="TIMES", help="Minute, hour, day, month, weekday, such as '30 2 * * MON-FRI'.")
    ],
    timezone: Annotated[str, typer.Option(help="Time zone of --cron.")] = "UTC",
    database_env: Annotated[
        str | None,
        typer.Option(
            metavar="VARIABLE",
            help="Treat the source as an SQL query; the workers read its database URL from this variable.",
        ),
    ] = None,
    catch_up: Annotated[
        str, typer.Option(metavar="TIME", help="Run a missed time later if it is not older than this.")
    ] = "1h",
    tenant: Tenant = "default",
    model: Annotated[str | None, typer.Option(help="Default model.")] = None,
    voice: Annotated[str | None, typer.Option(help="Default voice.")] = None,
    voice_2: Annotated[str | None, typer.Option(help="Default voice of the second speaker.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Default expressiveness, 0 to 2.")] = None,
    sheet: Sheet = None,
    all_sheets: AllSheets = False,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    ignore_column: IgnoreColumn = None,
    encoding: Encoding = None,
) -> None:
    """Create a schedule. Workers execute it."""

    options: dict[str, Any] = {"model": model, "voice_1": voice, "voice_2": voice_2, "temperature": temperature}
    options |= {"sheets": tuple(sheet or ()), "all_sheets": all_sheets, "encoding": encoding}
    options |= {"text_column": text_column, "id_column": id_column, "ignored_columns": tuple(ignore_column or ())}
    wanted = add.NewSchedule(name, tenant, source, cron, timezone, database_env, catch_up, options)
    add.add(wanted)


@app.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """List schedules with their next time and latest run."""

    schedule_list.show(as_json=as_json)


@app.command("runs")
def list_runs(
    name: Name,
    *,
    tenant: Tenant = "default",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="Maximum number of runs.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List a schedule's runs, newest first."""

    schedule_list.show_runs(tenant, name, limit, as_json=as_json)


@app.command("run")
def run_now(name: Name, tenant: Tenant = "default") -> None:
    """Run a schedule once now."""

    add.run(tenant, name)


@app.command("pause")
def pause(name: Name, tenant: Tenant = "default") -> None:
    """Pause a schedule. Submitted jobs continue."""

    add.pause(tenant, name)


@app.command("resume")
def resume(name: Name, tenant: Tenant = "default") -> None:
    """Resume a schedule at its next time. Missed times are skipped."""

    add.resume(tenant, name)


@app.command("remove")
def remove(name: Name, tenant: Tenant = "default") -> None:
    """Remove a schedule. Submitted jobs are kept."""

    add.remove(tenant, name)
