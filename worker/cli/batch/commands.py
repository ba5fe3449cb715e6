"""`ttsq batch list|show|pause|resume|cancel|retry|priority|results|download|diff`, and `ttsq prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.batch import diff, download, results, update
from worker.cli.batch import prune as prune_command
from worker.cli.batch import show as batch_show
from worker.cli.console.exits import leave
from worker.cli.jobs import list as job_list
from worker.cli.jobs.commands import Yes
from worker.cli.jobs.update import retry_jobs
from worker.cli.run.options import (
    AllSheets,
    Encoding,
    File,
    Format,
    IdColumn,
    IgnoreColumn,
    Loudness,
    Model,
    Sheet,
    Temperature,
    TextColumn,
    Voice,
    Voice2,
)
from worker.intake.sheet_options import SheetOptions
from worker.intake.validation import Defaults

app = typer.Typer(name="batch", add_completion=False, help="Show, change and download batches.", no_args_is_help=True)

Batch = Annotated[str, typer.Argument(metavar="BATCH", help="Its id, the beginning of it, or its name.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that ttsq didn't make.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command("list")
def list_batches(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a batch, a line each.")] = False,
) -> None:
    """List batches, the newest first."""

    batch_show.list_batches(limit=limit, as_json=as_json)


@app.command("show")
def show_batch(batch: Batch, as_json: AsJson = False) -> None:
    """Show how a batch stands: its jobs by state, what is before it in the queue, and about how long it will take."""

    batch_show.show(batch, as_json=as_json)


@app.command("pause")
def pause_batch(batch: Batch) -> None:
    """Let none of its jobs start until it is resumed. Calls under way go on."""

    update.pause(batch)


@app.command("resume")
def resume_batch(batch: Batch) -> None:
    """Resume a batch that was paused; let one that its refused takes hold try a few more."""

    update.resume(batch)


@app.command("cancel")
def cancel_batch(batch: Batch) -> None:
    """Call off what isn't over, and tell what is paid already. Calls under way are still paid, and recorded."""

    update.cancel(batch)


@app.command("retry")
def retry_batch(
    batch: Batch,
    *,
    code: Annotated[str | None, typer.Option("--code", "-c", help="Only jobs that ended with this code.")] = None,
    yes: Yes = False,
) -> None:
    """Retry jobs that ended without audio, under the same ids. Their history stays.

    Prints what was paid for them in vain and what retrying may cost; on a terminal it asks.
    """

    retry_jobs([], job_list.Filters(batch, (), code), ask=not yes)


@app.command("priority")
def prioritise_batch(
    batch: Batch,
    priority: Annotated[int, typer.Argument(metavar="N", min=-100, max=100, help="Higher goes first; 0 is usual.")],
) -> None:
    """Let what isn't over go before, or after, other jobs. A negative N comes after `--`."""

    update.prioritise(batch, priority)


@app.command("results")
def write_results(
    batch: Batch,
    partial: Annotated[bool, typer.Option("--partial", help="What there is, of a batch that isn't over.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write all three files there.", show_default="standard output")
    ] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Print those that ended without audio instead.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Print its results, a line of JSON each; or leave results.jsonl, errors.jsonl and manifest.csv in DIR."""

    results.write(batch, partial=partial, out=out, errors=errors, overwrite=overwrite)


@app.command("download")
def download_batch(  # noqa: PLR0917 - Typer reads the options from it
    batch: Batch,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder.", show_default="the name of BATCH")
    ] = None,
    archive: Annotated[
        Path | None, typer.Option("--zip", metavar="FILE", help="One archive instead of a folder.")
    ] = None,
    parallel: Annotated[int, typer.Option("--parallel", "-p", min=1, max=64, help="Objects at a time.")] = 8,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Fetch its audio, and its result files. What is there already, whole, is not fetched again."""

    target = download.Target(out, archive, overwrite=overwrite)
    leave(download.download(batch, target, parallel=parallel, as_json=as_json))


@app.command("diff")
def diff_batch(
    *,
    batch: Batch,
    file: File,
    sheet: Sheet = None,
    all_sheets: AllSheets = False,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    ignore_column: IgnoreColumn = None,
    encoding: Encoding = None,
    model: Model = None,
    voice: Voice = None,
    voice_2: Voice2 = None,
    temperature: Temperature = None,
    audio_format: Format = None,
    loudness: Loudness = None,
    as_json: AsJson = False,
) -> None:
    """Tell what of FILE the batch has, what would be bought anew and for how much, and what FILE no longer has."""

    defaults = Defaults(
        model=model, voice_1=voice, voice_2=voice_2, temperature=temperature, format=audio_format, loudness=loudness
    )
    options = SheetOptions.of(sheet, text_column, id_column, ignore_column, encoding, all_sheets=all_sheets)
    diff.diff(batch, None if str(file) == "-" else file, defaults, options, as_json=as_json)


def prune(
    *,
    older_than: Annotated[str, typer.Option("--older-than", metavar="TIME", help="Such as 30d; at least 2d.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete old finished batches and jobs with their audio. The ledger stays."""

    leave(prune_command.prune(older_than, yes=yes, as_json=as_json))
