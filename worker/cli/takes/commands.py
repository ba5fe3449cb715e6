"""`ttsq takes timings`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api_models.timings import Timings, TimingsFormat
from worker.cli.console import complete

app = typer.Typer(name="takes", add_completion=False, help="Listen to takes, and see when words are heard.")

OneJob = Annotated[str, typer.Argument(metavar="JOB", help="Job id, id prefix, or custom_id.")]
OfBatch = Annotated[
    str | None,
    typer.Option(
        "--batch",
        "-b",
        metavar="BATCH",
        help="The job's batch: id, id prefix, or name.",
        autocompletion=complete.batches,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def _takes() -> None:
    pass


@app.command("timings")
def timings(
    job: OneJob,
    *,
    batch: OfBatch = None,
    form: Annotated[TimingsFormat, typer.Option("--format", "-f", help="Format.")] = TimingsFormat.JSON,
    level: Annotated[
        Timings, typer.Option(help="How fine, if nothing is stored beside the audio and it is measured now.")
    ] = Timings.WORD,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file.", show_default="standard output")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print when the sentences and words of a job's audio are heard."""
    from worker.cli.takes import timings as job_timings  # noqa: PLC0415 - documents' modules take long to import

    job_timings.show(job, batch, form, level, out, as_json=as_json)
