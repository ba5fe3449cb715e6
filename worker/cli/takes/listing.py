"""`ttsq takes list` and `listen`. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from rich.text import Text
from sqlalchemy import Connection, or_

from worker.artifacts.errors import ArtifactsError
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.format import money, number, one_line
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import amount
from worker.execution.destinations import Destinations
from worker.process.factories import open_destinations
from worker.store.queries import takes
from worker.store.queries.takes import Take
from worker.store.tables.jobs import Job

FILE: Final = "file://"


def show_list(wanted: str, batch: str | None, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        job, _ = cli_database.newest_job(connection, wanted, batch)
        found = takes.bought(connection, or_(Job.id == job.id, Job.parent == job.id))
    if not found and not as_json:
        terminal.result("No takes: nothing was bought for this job.")
    _print(terminal, found, as_json=as_json)


def show_suspicious(wanted: str, *, limit: int, everything: bool, as_json: bool) -> None:
    """Print the takes of a batch, the most suspicious first, with where to listen to them."""
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            found = of_batch(connection, wanted)
        shown = [take for take in ranked(found) if everything or take.is_suspicious or take.code is not None]
        destinations = open_destinations(settings, database, connections=1)
        links = {(take.job_id, take.number): _link(destinations, take) for take in shown[:limit]}
    if not shown and not as_json:
        terminal.result(f"Nothing suspicious among {number(len(found), 'take')}.")
    _print(terminal, shown[:limit], as_json=as_json, links=links)
    if len(shown) > limit:
        terminal.note(f"{len(shown) - limit:,} more; add --limit {len(shown)} to show all", style="dim")


def of_batch(connection: Connection, wanted: str) -> list[Take]:
    """Return the takes of a batch, documents' parts included. Raises UnknownBatchError or AmbiguousError."""
    batch = cli_database.batch(connection, wanted)
    return takes.bought(connection, Job.batch_id == batch.id)


def ranked(found: Iterable[Take]) -> list[Take]:
    """Order takes for listening: used suspicious ones first, then other suspicious ones, then refused ones."""
    return sorted(found, key=lambda take: (not take.is_suspicious, not take.is_used, -(take.score or 0.0)))


def _link(destinations: Destinations, take: Take) -> str | None:
    if take.uri is None or take.uri.startswith(FILE) or take.record is None:
        return take.uri
    try:
        place = destinations.containing(take.uri, tenant=take.record.tenant, batch_id=take.record.batch_id)
        return take.uri if place is None else destinations.address(place) or take.uri
    except ArtifactsError as error:
        raise CliError(f"the store can't be read: {error.message}") from None


def _print(
    terminal: Terminal,
    found: Sequence[Take],
    *,
    as_json: bool,
    links: dict[tuple[UUID, int], str | None] | None = None,
) -> None:
    for take in found:
        link = (links or {}).get((take.job_id, take.number), take.uri)
        terminal.data(as_data(take, link))
        if not as_json:
            for line in _lines(take, link):
                terminal.result(line)


def _lines(take: Take, link: str | None) -> Iterable[Text]:
    style = "yellow" if take.is_suspicious else "red" if take.code else "green"
    state = "used" if take.is_used else "kept" if take.uri else "not kept"
    seconds = "" if take.seconds is None else f"  {take.seconds:.1f} s"
    worst = take.score
    facts = f"{state}{seconds}  {money(take.cost)}" + ("" if worst is None else f"  score {worst:.2f}")
    marked = f"  marked {take.mark}" if take.mark else ""
    yield Text.assemble((f"{take.custom_id or take.job_id}  take {take.number}", style), f"  {facts}{marked}")
    if take.message:
        yield Text(f"  {one_line(take.message)}")
    record = take.record
    if record is not None and record.sentence:
        at = "" if record.start_seconds is None else f"{record.start_seconds:.1f} s: "
        yield Text(f"  {at}“{one_line(record.sentence)}”")
    if link:
        yield Text(f"  {link}")


def as_data(take: Take, link: str | None = None) -> dict[str, Any]:
    """Return a take as JSON. The keys are a stable interface."""
    record = take.record
    return {
        "job": str(take.job_id),
        "custom_id": take.custom_id,
        "take": take.number,
        "used": take.is_used,
        "suspicious": take.is_suspicious,
        "code": take.code,
        "message": take.message,
        "seconds": take.seconds,
        "cost": amount(take.cost),
        "mark": take.mark,
        "rung": None if record is None else record.rung,
        "reason": None if record is None else record.reason,
        "sentence": None if record is None else record.sentence,
        "start_seconds": None if record is None else record.start_seconds,
        "end_seconds": None if record is None else record.end_seconds,
        "findings": [] if record is None else json.loads(record.findings),
        "uri": take.uri,
        "address": link,
    }
