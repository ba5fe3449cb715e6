"""`ttsq takes mark`, `choose` and `pin`."""

from __future__ import annotations

from sqlalchemy import select

from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.terminal import Terminal
from worker.execution import chosen_takes
from worker.execution.chosen_takes import ChoiceError
from worker.process.factories import open_destinations
from worker.store import takes
from worker.store.queries import takes as take_queries
from worker.store.queries.jobs import JobRecord
from worker.store.queries.takes import Take
from worker.store.tables.jobs import Job
from worker.store.takes import Mark, unheard, voice_of
from worker.store.transitions import choices


def mark(wanted: str, verdict: Mark | None, *, batch: str | None, number: int | None, as_json: bool) -> None:
    """Keep what a listener said of a take; without a number, of the job's audio, or else of its latest take."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        job, _ = cli_database.newest_job(connection, wanted, batch)
        take = _named(take_queries.bought(connection, Job.id == job.id), wanted, number)
        voice, now = voice_of(job.voice_1, job.voice_2), database.now(connection)
        row = take.record or unheard(job.id, take.number, job.tenant, job.batch_id, job.model, voice, now)
        takes.mark(connection, row, verdict)
    said = "is no longer marked" if verdict is None else f"is marked {verdict}"
    terminal.done(f"✓ take {take.number} of {_name(job)} {said}.", job=str(job.id), take=take.number, mark=verdict)


def _named(found: list[Take], wanted: str, number: int | None) -> Take:
    if not found:
        raise CliError(f"{wanted} has no takes: nothing was bought for it")
    if number is None:
        return next((take for take in found if take.is_used), found[-1])
    take = next((take for take in found if take.number == number), None)
    if take is None:
        raise CliError(f"{wanted} has no take {number}", f"known: {', '.join(str(take.number) for take in found)}")
    return take


def choose(wanted: str, number: int | None, *, batch: str | None, as_json: bool) -> None:
    """Make a take its job's audio; of a part without a number, let the recording use this job's audio."""
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.begin() as connection:
            job, _ = cli_database.newest_job(connection, wanted, batch)
            parent, part = connection.execute(select(Job.parent, Job.part).where(Job.id == job.id)).one()
            if number is None:
                if parent is None or part is None or job.uri is None:
                    raise CliError(f"{_name(job)} is no part with audio", "name a take: ttsq takes choose JOB TAKE")
                choices.choose_part(connection, job.id, parent, part)
        if number is not None:
            try:
                chosen_takes.choose(database, open_destinations(settings, database, connections=1), job.id, number)
            except ChoiceError as error:
                raise CliError(error.message, error.remedy) from None
    what = f"take {number} of {_name(job)} is its audio now" if number is not None else f"part {part} uses {_name(job)}"
    after = "" if parent is None else "; the document is joined again by the next worker"
    terminal.done(f"✓ {what}{after}.", job=str(job.id), take=number)


def pin(wanted: str, *, pinned: bool, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        job, _ = cli_database.newest_job(connection, wanted, None)
        if not choices.pin(connection, job.id, pinned=pinned):
            raise CliError(
                f"{_name(job)} is no part of a document that succeeded", "`GET /v1/jobs/{id}/parts` lists them"
            )
    said = "is kept in later versions of its document" if pinned else "is no longer kept"
    terminal.done(f"✓ {_name(job)} {said}.", job=str(job.id), pinned=pinned)


def _name(job: JobRecord) -> str:
    return job.custom_id or str(job.id)
