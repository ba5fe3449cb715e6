"""`ttsq batch pause|resume|cancel|priority`."""

from __future__ import annotations

from api_models.status import JobStatus
from worker.cli import database as cli_database
from worker.cli.console.format import money, number, short
from worker.cli.console.terminal import Terminal
from worker.dispatch.gates.take_runs import RESUMED_TAKES
from worker.store import batches, lane_takes
from worker.store.batches import BatchRecord
from worker.store.queries import filters, jobs
from worker.store.transitions import actions


def pause(wanted: str, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database:
        with database.read() as connection:
            batch = cli_database.batch(connection, wanted)
        with database.begin() as connection:
            paused = batches.pause(connection, batch.id, now=database.now(connection))
        with database.read() as connection:
            counts = jobs.counts(connection, filters.unfinished(jobs.of_batch(batch.id)))
    if not paused:
        terminal.done(f"{batch.name} is already paused.", **_facts(batch, changed=False))
        return
    running = counts.of(JobStatus.RUNNING)
    queued = counts.total - running
    message = f"{batch.name} is paused: {number(queued, 'text')} queued, {running:,} in flight."
    terminal.done(message, **_facts(batch, changed=True), queued=queued, in_flight=running)
    terminal.note(f"`ttsq batch resume {short(batch.id)}` resumes it.")


def resume(wanted: str, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            batch = cli_database.batch(connection, wanted)
        with database.begin() as connection:
            held = lane_takes.is_held(connection, lane_takes.of_batch(batch.id))
            resumed = batches.resume(connection, batch.id, now=database.now(connection))
    if not resumed:
        terminal.done(f"{batch.name} is not paused.", **_facts(batch, changed=False))
        return
    next_step = "repeat the same `ttsq run` command to start" if settings.embedded else "workers start"
    terminal.done(f"{batch.name} is resumed: {next_step} its remaining texts.", **_facts(batch, changed=True))
    if held:
        terminal.note(trying_again())


def trying_again() -> str:
    """Describe what happens after a hold by refused takes is resumed."""
    return f"If the next {RESUMED_TAKES} takes are refused too, it is held again."


def cancel(wanted: str, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        batch = cli_database.batch(connection, wanted)
        which = jobs.of_batch(batch.id)
        before = jobs.counts(connection, which)
        cancelled = actions.cancel(connection, which, now=database.now(connection))
    paid = f"{money(before.cost)} spent, {number(before.of(JobStatus.SUCCEEDED), 'text')} spoken"
    if not cancelled:
        terminal.done(f"Nothing to cancel: {batch.name} has finished; {paid}.", **_facts(batch, jobs=0))
        return
    terminal.done(f"{number(cancelled, 'job')} of {batch.name} cancelled; {paid}.", **_facts(batch, jobs=cancelled))
    if running := before.of(JobStatus.RUNNING):
        terminal.note(f"{number(running, 'call')} in flight cannot be cancelled; their cost is still recorded.")


def prioritise(wanted: str, priority: int, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        batch = cli_database.batch(connection, wanted)
        changed = actions.prioritise(connection, jobs.of_batch(batch.id), priority)
    message = f"{number(changed, 'job')} of {batch.name} now at priority {priority}."
    terminal.done(message if changed else f"{batch.name} has no unfinished jobs.", **_facts(batch, jobs=changed))


def _facts(batch: BatchRecord, **more: object) -> dict[str, object]:
    return {"batch": str(batch.id), "name": batch.name, **more}
