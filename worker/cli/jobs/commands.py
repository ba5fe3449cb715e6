"""`ttsq jobs list|show|retry|cancel|delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from api_models.status import JobStatus
from worker.cli.console import complete
from worker.cli.jobs import list as job_list
from worker.cli.jobs import update

app = typer.Typer(
    name="jobs", add_completion=False, help="Show, retry, cancel and delete single jobs.", no_args_is_help=True
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="JOB", help="Job ids, id prefixes or custom_ids.")]
OfBatch = Annotated[
    str | None,
    typer.Option(
        "--batch",
        "-b",
        metavar="BATCH",
        help="Only jobs of this batch: id, id prefix, or name.",
        autocompletion=complete.batches,
    ),
]
OfStatus = Annotated[
    list[JobStatus] | None, typer.Option("--status", "-s", help="Only jobs in this state; repeatable.")
]
OfCode = Annotated[str | None, typer.Option("--code", "-c", help="Only jobs with this error code.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before buying refused texts again.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per job.")]
Result = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_jobs(
    *,
    batch: OfBatch = None,
    status: OfStatus = None,
    code: OfCode = None,
    matching: Annotated[
        str,
        typer.Option(
            "--filter",
            "-f",
            metavar="FILTER",
            help="Only jobs that match, such as 'state:failed cost:>0.02 since:2h \"a phrase\"'.",
            show_default=False,
        ),
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, help="Maximum number of jobs.", show_default="50; with --json all"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List jobs in the order of submission."""

    job_list.list_jobs(job_list.Filters(batch, tuple(status or ()), code, matching), limit=limit, as_json=as_json)


@app.command("show")
def show_job(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Job id, id prefix, or custom_id.")],
    batch: OfBatch = None,
    as_json: AsJson = False,
) -> None:
    """Show one job with all its attempts. Of jobs with one custom_id the newest is shown, unless --batch is given."""

    job_list.show_job(job, batch, as_json=as_json)


@app.command("retry")
def retry_jobs(
    *,
    ids: Ids = None,
    batch: OfBatch = None,
    status: OfStatus = None,
    code: OfCode = None,
    yes: Yes = False,
    as_json: Result = False,
) -> None:
    """Retry jobs that failed, expired or were cancelled. Existing audio is not bought again.

    Prints what refused takes have cost and what retrying may cost; asks on a terminal.
    """

    update.retry_jobs(ids or [], job_list.Filters(batch, tuple(status or ()), code), ask=not yes, as_json=as_json)


@app.command("cancel")
def cancel_jobs(
    *,
    ids: Ids = None,
    batch: OfBatch = None,
    status: OfStatus = None,
    code: OfCode = None,
    as_json: Result = False,
) -> None:
    """Cancel unfinished jobs. A call in flight is still paid and recorded."""

    update.cancel_jobs(ids or [], job_list.Filters(batch, tuple(status or ()), code), as_json=as_json)


@app.command("delete")
def delete_jobs(
    *,
    ids: Ids = None,
    batch: OfBatch = None,
    status: OfStatus = None,
    code: OfCode = None,
    as_json: Result = False,
) -> None:
    """Delete text and audio of finished jobs. Rows and costs are kept."""

    update.delete_jobs(ids or [], job_list.Filters(batch, tuple(status or ()), code), as_json=as_json)
