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
    help="Submit files or query results on a schedule, each time once.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the schedule is called.")]
Tenant = Annotated[str, typer.Option(help="Whose it is.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command("add")
def add_schedule(
    name: Name,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE-or-SQL",
            help="A file that the workers can read, s3://bucket/key, or with --database-env a query.",
        ),
    ],
    *,
    cron: Annotated[str, typer.Option(metavar="TIMES", help="Minute, hour, day, month, weekday: '30 2 * * MON-FRI'.")],
    timezone: Annotated[str, typer.Option(help="Whose clock the times mean.")] = "UTC",
    database_env: Annotated[
        str | None,
        typer.Option(
            metavar="VARIABLE", help="The source is a query; the workers find its database's address in this variable."
        ),
    ] = None,
    catch_up: Annotated[
        str, typer.Option(metavar="TIME", help="A time that nobody was there for is made up for if it is no older.")
    ] = "1h",
    tenant: Tenant = "default",
    model: Annotated[str | None, typer.Option(help="Where a row names none.")] = None,
    voice: Annotated[str | None, typer.Option(help="Where a row names none.")] = None,
    voice_2: Annotated[str | None, typer.Option(help="Where a row names none.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Where a row names none.")] = None,
    sheet: Sheet = None,
    all_sheets: AllSheets = False,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    ignore_column: IgnoreColumn = None,
    encoding: Encoding = None,
) -> None:
    """Make a schedule. Workers hold it: it runs while one of them does."""

    options: dict[str, Any] = {"model": model, "voice_1": voice, "voice_2": voice_2, "temperature": temperature}
    options |= {"sheets": tuple(sheet or ()), "all_sheets": all_sheets, "encoding": encoding}
    options |= {"text_column": text_column, "id_column": id_column, "ignored_columns": tuple(ignore_column or ())}
    wanted = add.NewSchedule(name, tenant, source, cron, timezone, database_env, catch_up, options)
    add.add(wanted)


@app.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """Show every schedule, when it is due next, and how its latest run went."""

    schedule_list.show(as_json=as_json)


@app.command("runs")
def list_runs(
    name: Name,
    *,
    tenant: Tenant = "default",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what became of a schedule's times, the latest first."""

    schedule_list.show_runs(tenant, name, limit, as_json=as_json)


@app.command("run")
def run_now(name: Name, tenant: Tenant = "default") -> None:
    """Let it run once now, beside its times."""

    add.run(tenant, name)


@app.command("pause")
def pause(name: Name, tenant: Tenant = "default") -> None:
    """Let none of its times become due. What is handed in goes on."""

    add.pause(tenant, name)


@app.command("resume")
def resume(name: Name, tenant: Tenant = "default") -> None:
    """Let it go on with its next time. Those that passed meanwhile are not made up for."""

    add.resume(tenant, name)


@app.command("remove")
def remove(name: Name, tenant: Tenant = "default") -> None:
    """Take a schedule away. What it has handed in stays."""

    add.remove(tenant, name)
