"""`ttsq schedule add|list|remove|pause|resume|run|runs`."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.console import complete
from worker.cli.console.format import dollars
from worker.cli.console.option_groups import takes
from worker.cli.run.options import InvalidRows, KeyTemplate, MaxCost, OnInvalid
from worker.cli.run.row_options import RowOptions
from worker.cli.schedule import add
from worker.cli.schedule import list as schedule_list
from worker.schedules.options import Options

app = typer.Typer(
    name="schedule",
    add_completion=False,
    help="Submit files or query results on a cron schedule.",
    no_args_is_help=True,
)

NewName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the schedule.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the schedule.", autocompletion=complete.schedules)]
Tenant = Annotated[str, typer.Option(help="Tenant of the schedule.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
Result = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("add")
@takes(rows=RowOptions)
def add_schedule(
    *,
    name: NewName,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE-or-SQL",
            help="File readable by the workers, s3://bucket/key, or with --database-env an SQL query.",
        ),
    ],
    rows: RowOptions,
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
    max_cost: MaxCost = None,
    key_template: KeyTemplate = None,
    on_invalid: InvalidRows = OnInvalid.REJECT,
    fresh: Annotated[bool, typer.Option("--fresh", help="Buy every text of every run again.")] = False,
    as_json: Result = False,
) -> None:
    """Create a schedule. Workers execute it.

    --max-cost bounds each run. --deadline may be a length of time after a run is due, such as 6h.
    """

    options = Options(
        database_env,
        None if max_cost is None else str(dollars("--max-cost", max_cost)),
        key_template,
        skip_invalid=on_invalid is OnInvalid.SKIP,
        use_cache=not fresh,
        defaults=rows.defaults(),
        sheet=rows.sheet_options(),
    )
    add.add(add.NewSchedule(name, tenant, source, cron, timezone, catch_up, options), as_json=as_json)


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
def run_now(name: Name, tenant: Tenant = "default", as_json: Result = False) -> None:
    """Run a schedule once now."""

    add.run(tenant, name, as_json=as_json)


@app.command("pause")
def pause(name: Name, tenant: Tenant = "default", as_json: Result = False) -> None:
    """Pause a schedule. Submitted jobs continue."""

    add.pause(tenant, name, as_json=as_json)


@app.command("resume")
def resume(name: Name, tenant: Tenant = "default", as_json: Result = False) -> None:
    """Resume a schedule at its next time. Missed times are skipped."""

    add.resume(tenant, name, as_json=as_json)


@app.command("remove")
def remove(name: Name, tenant: Tenant = "default", as_json: Result = False) -> None:
    """Remove a schedule. Submitted jobs are kept."""

    add.remove(tenant, name, as_json=as_json)
