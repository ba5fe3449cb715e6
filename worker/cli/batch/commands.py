"""`ttsq batch list|show|pause|resume|cancel|retry|priority|results|download|diff`, and `ttsq prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.batch import diff, download, results, update
from worker.cli.batch import prune as prune_command
from worker.cli.batch import show as batch_show
from worker.cli.console import complete
from worker.cli.console.exits import leave
from worker.cli.console.option_groups import takes
from worker.cli.jobs import list as job_list
from worker.cli.jobs.commands import Yes
from worker.cli.jobs.update import retry_jobs
from worker.cli.run.options import File
from worker.cli.run.row_options import RowOptions

app = typer.Typer(name="batch", add_completion=False, help="Show, change and download batches.", no_args_is_help=True)

Batch = Annotated[
    str,
    typer.Argument(metavar="BATCH", help="Batch id, id prefix, or name.", autocompletion=complete.batches),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that ttsq did not create.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_batches(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of batches.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per batch.")] = False,
) -> None:
    """List batches, newest first."""

    batch_show.list_batches(limit=limit, as_json=as_json)


@app.command("show")
def show_batch(batch: Batch, as_json: AsJson = False) -> None:
    """Show a batch: jobs by state, jobs ahead in the queue, time and cost remaining."""

    batch_show.show(batch, as_json=as_json)


@app.command("pause")
def pause_batch(batch: Batch, as_json: AsJson = False) -> None:
    """Hold a batch until it is resumed. Calls in flight finish."""

    update.pause(batch, as_json=as_json)


@app.command("resume")
def resume_batch(batch: Batch, as_json: AsJson = False) -> None:
    """Resume a batch that was paused, or that is held by refused takes."""

    update.resume(batch, as_json=as_json)


@app.command("cancel")
def cancel_batch(batch: Batch, as_json: AsJson = False) -> None:
    """Cancel unfinished jobs. Calls in flight are still paid and recorded."""

    update.cancel(batch, as_json=as_json)


@app.command("retry")
def retry_batch(
    batch: Batch,
    *,
    code: Annotated[str | None, typer.Option("--code", "-c", help="Only jobs with this error code.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Retry jobs that finished without audio, under the same ids. Their history is kept.

    Prints what refused takes have cost and what retrying may cost; asks on a terminal.
    """

    retry_jobs([], job_list.Filters(batch, (), code), ask=not yes, as_json=as_json)


@app.command("priority")
def prioritise_batch(
    batch: Batch,
    priority: Annotated[
        int, typer.Argument(metavar="N", min=-100, max=100, help="Higher starts earlier; the default is 0.")
    ],
    as_json: AsJson = False,
) -> None:
    """Change the priority of unfinished jobs. Write a negative N after `--`."""

    update.prioritise(batch, priority, as_json=as_json)


@app.command("results")
def write_results(
    *,
    batch: Batch,
    partial: Annotated[bool, typer.Option("--partial", help="Write what is available of an unfinished batch.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write all three files to this folder.", show_default="standard output"),
    ] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="Print the jobs that finished without audio instead.")
    ] = False,
    overwrite: Overwrite = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --out: print one JSON object.")] = False,
) -> None:
    """Print results as JSON lines, or write results.jsonl, errors.jsonl and manifest.csv to DIR."""

    results.write(batch, partial=partial, out=out, errors=errors, overwrite=overwrite, as_json=as_json)


@app.command("download")
def download_batch(  # noqa: PLR0917 - Typer reads the options from it
    batch: Batch,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to download to.", show_default="the name of BATCH")
    ] = None,
    archive: Annotated[
        Path | None, typer.Option("--zip", metavar="FILE", help="Write one zip archive instead of a folder.")
    ] = None,
    parallel: Annotated[int, typer.Option("--parallel", "-p", min=1, max=64, help="Concurrent downloads.")] = 8,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Download audio and result files. Files that are already complete are skipped."""

    target = download.Target(out, archive, overwrite=overwrite)
    leave(download.download(batch, target, parallel=parallel, as_json=as_json))


@app.command("diff")
@takes(rows=RowOptions)
def diff_batch(*, batch: Batch, file: File, rows: RowOptions, as_json: AsJson = False) -> None:
    """Compare FILE with a batch: what is unchanged, changed, added or removed, and what it would cost."""

    diff.diff(batch, None if str(file) == "-" else file, rows.defaults(), rows.sheet_options(), as_json=as_json)


def prune(
    *,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="Minimum age, such as 30d; at least 2d.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete old finished batches and jobs with their audio. The ledger stays."""

    leave(prune_command.prune(older_than, yes=yes, as_json=as_json))
