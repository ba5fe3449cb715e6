"""`ttsq jobs list|show|retry|cancel|delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from api_models.status import JobStatus
from worker.cli.jobs import list as job_list
from worker.cli.jobs import update

app = typer.Typer(
    name="jobs", add_completion=False, help="Show, retry, cancel and delete single jobs.", no_args_is_help=True
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of jobs, or their beginnings.")]
OfBatch = Annotated[str | None, typer.Option("--batch", "-b", help="Jobs of this batch: id, its beginning, or name.")]
OfStatus = Annotated[list[JobStatus] | None, typer.Option("--status", "-s", help="Jobs in this state.")]
OfCode = Annotated[str | None, typer.Option("--code", "-c", help="Jobs that ended with this code.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before paying for refused texts again.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a job, a line each.")]


@app.command("list")
def list_jobs(
    batch: OfBatch = None,
    status: OfStatus = None,
    code: OfCode = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="At most so many.", show_default="50; with --json all")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List jobs in the order they were handed in."""

    job_list.list_jobs(job_list.Filters(batch, tuple(status or ()), code), limit=limit, as_json=as_json)


@app.command("show")
def show_job(
    job: Annotated[str, typer.Argument(metavar="ID", help="The job's id, or its beginning.")], as_json: AsJson = False
) -> None:
    """Show everything about one job, its attempts included."""

    job_list.show_job(job, as_json=as_json)


@app.command("retry")
def retry_jobs(
    *, ids: Ids = None, batch: OfBatch = None, status: OfStatus = None, code: OfCode = None, yes: Yes = False
) -> None:
    """Retry jobs that failed, expired or were cancelled. Audio that is there already is not bought again.

    Prints what was paid for them in vain and what retrying may cost; on a terminal it asks.
    """

    update.retry_jobs(ids or [], job_list.Filters(batch, tuple(status or ()), code), ask=not yes)


@app.command("cancel")
def cancel_jobs(ids: Ids = None, batch: OfBatch = None, status: OfStatus = None, code: OfCode = None) -> None:
    """Call off jobs that aren't over. A call under way is still paid, and its cost recorded."""

    update.cancel_jobs(ids or [], job_list.Filters(batch, tuple(status or ()), code))


@app.command("delete")
def delete_jobs(ids: Ids = None, batch: OfBatch = None, status: OfStatus = None, code: OfCode = None) -> None:
    """Remove text and audio of jobs that are over. Their rows, and what they cost, stay."""

    update.delete_jobs(ids or [], job_list.Filters(batch, tuple(status or ()), code))
