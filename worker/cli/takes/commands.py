"""`ttsq takes`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api_models.timings import Timings, TimingsFormat
from worker.cli.console import complete

app = typer.Typer(
    name="takes",
    add_completion=False,
    help="Listen to, mark and choose takes; see when words are heard.",
    no_args_is_help=True,
)

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


@app.command("list")
def list_takes(job: OneJob, batch: OfBatch = None, as_json: AsJson = False) -> None:
    """List the takes of a job, or of a document's parts, with scores, reasons, marks and where they are."""
    from worker.cli.takes import listing  # noqa: PLC0415 - as below

    listing.show_list(job, batch, as_json=as_json)


@app.command("listen")
def listen(
    batch: Annotated[
        str, typer.Argument(metavar="BATCH", help="Batch: id, id prefix, or name.", autocompletion=complete.batches)
    ],
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of takes.")] = 50,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also takes that nothing speaks against.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the suspicious and refused takes of a batch: sentence, second, and where to listen."""
    from worker.cli.takes import listing  # noqa: PLC0415 - as below

    listing.show_suspicious(batch, limit=limit, everything=everything, as_json=as_json)


class Verdict(StrEnum):
    GOOD = "good"
    BAD = "bad"
    NONE = "none"


Number = Annotated[int | None, typer.Option("--take", "-t", min=1, help="Take, as `ttsq takes list` numbers them.")]


@app.command("mark")
def mark(
    job: OneJob,
    verdict: Annotated[Verdict, typer.Argument(help="What you heard; `none` removes a mark.")],
    *,
    batch: OfBatch = None,
    take: Number = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a take is good: the job's audio, or --take. Bad takes teach no rate."""
    from worker.cli.takes import choices  # noqa: PLC0415 - as below
    from worker.store.takes import Mark  # noqa: PLC0415 - likewise

    kept = {Verdict.GOOD: Mark.GOOD, Verdict.BAD: Mark.BAD, Verdict.NONE: None}[verdict]
    choices.mark(job, kept, batch=batch, number=take, as_json=as_json)


@app.command("choose")
def choose(
    job: OneJob,
    take: Annotated[
        int | None, typer.Argument(metavar="[TAKE]", min=1, help="As `ttsq takes list` numbers them.")
    ] = None,
    *,
    batch: OfBatch = None,
    as_json: AsJson = False,
) -> None:
    """Make a take the audio of its job; a failed job succeeds by it. Without TAKE, let a document use this part."""
    from worker.cli.takes import choices  # noqa: PLC0415 - as below

    choices.choose(job, take, batch=batch, as_json=as_json)


@app.command("pin")
def pin(
    job: Annotated[str, typer.Argument(metavar="PART", help="Job id of a document's part, or a prefix.")],
    *,
    off: Annotated[bool, typer.Option("--off", help="No longer keep it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep a part's take in later versions of its document."""
    from worker.cli.takes import choices  # noqa: PLC0415 - as below

    choices.pin(job, pinned=not off, as_json=as_json)


@app.command("calibrate")
def calibrate(
    batch: Annotated[
        str, typer.Argument(metavar="BATCH", help="Batch: id, id prefix, or name.", autocompletion=complete.batches)
    ],
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="Maximum number of takes; marked ones first.")
    ] = 500,
    as_json: AsJson = False,
) -> None:
    """Show what each rung would have refused in a batch, and how often by your marks it would be wrong."""
    from worker.cli.takes import calibration  # noqa: PLC0415 - as below

    calibration.calibrate(batch, limit=limit, as_json=as_json)


rates = typer.Typer(
    name="rates", add_completion=False, help="Show and reset how long voices take.", no_args_is_help=True
)
app.add_typer(rates)
Tenant = Annotated[str | None, typer.Option(help="Only this tenant.")]
Model = Annotated[str | None, typer.Option(help="Only this model.", autocompletion=complete.models)]
VoiceName = Annotated[str | None, typer.Option(help="Only this voice.", autocompletion=complete.voices)]
Language = Annotated[str | None, typer.Option(help="Only this language, such as en.")]


@rates.command("list")
def list_rates(
    *,
    tenant: Tenant = None,
    model: Model = None,
    voice: VoiceName = None,
    language: Language = None,
    as_json: AsJson = False,
) -> None:
    """List the learned rates by tenant, model, voice and language."""
    from worker.cli.takes import rates as learned  # noqa: PLC0415 - as below

    which = {"tenant": tenant, "model": model, "voice": voice, "language": language}
    learned.show(which, as_json=as_json)


@rates.command("reset")
def reset_rates(
    *,
    tenant: Tenant = None,
    model: Model = None,
    voice: VoiceName = None,
    language: Language = None,
    as_json: AsJson = False,
) -> None:
    """Forget the selected rates: takes bought until now no longer count."""
    from worker.cli.takes import rates as learned  # noqa: PLC0415 - as below

    which = {"tenant": tenant, "model": model, "voice": voice, "language": language}
    learned.reset(which, as_json=as_json)


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
