"""The gates, for people and for machines. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.text import Text
from sqlalchemy import ColumnElement

from api_models.status import WAITING
from worker.cli.queue import opening
from worker.cli.queue.reckoning import stamp
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import duration, moment, number, one_line
from worker.dispatch import gates
from worker.store import account, holds, lane_takes, selections, views
from worker.store.account import Gate
from worker.store.holds import Hold


def show(*, every: bool, as_json: bool) -> None:
    """Print those that are closed, or `every` one that ever was."""
    terminal = Terminal(as_json=as_json)
    with opening.queue(opening.settings(terminal)) as database, database.read() as connection:
        now = database.now(connection)
        known = account.known_gates(connection)
        waiting = {gate.name: views.counts(connection, held_by(gate.model)).of(*WAITING) for gate, _ in known}
        lanes = [holds.takes_hold(lane) for lane in lane_takes.held(connection)]
        waiting |= {
            lane.name: views.counts(connection, holds.takes_selection(lane.name)).of(*WAITING) for lane in lanes
        }
    shown = [(gate, closed) for gate, closed in known if closed or every]
    for gate, closed in shown:
        terminal.data(_data(gate, closed=closed, waiting=waiting[gate.name]))
        if not as_json:
            for line in _lines(gate, now, closed=closed, waiting=waiting[gate.name]):
                terminal.result(line)
    for lane in lanes:
        terminal.data(_lane_data(lane, waiting[lane.name]))
        if not as_json:
            for line in _lane_lines(lane, now, waiting[lane.name]):
                terminal.result(line)
    if not shown and not lanes and not as_json:
        terminal.result("No gate is closed; nothing in the account holds the queue.")
    if not every and len(known) > len(shown):
        terminal.note(f"{number(len(known) - len(shown), 'more gate')} closed once; --all shows them", style="dim")


def held_by(model: str | None) -> ColumnElement[bool]:
    """The jobs that a gate keeps back while it is closed."""
    return views.everything() if model is None else selections.of_model(views.everything(), model)


def _lines(gate: Gate, now: datetime, *, closed: bool, waiting: int) -> Iterator[Text]:
    since = f"{moment(gate.since, now)}"
    state = ("closed", "bold yellow") if closed else ("open", "green")
    when = f" since {since} ({duration((now - gate.since).total_seconds())})" if closed else f", last closed at {since}"
    yield Text.assemble((gate.name, "bold"), "  ", state, when)
    yield Text.assemble(("  why     ", "dim"), f"{gate.code}: {one_line(gate.message)}")
    if closed:
        yield Text.assemble(("  next    ", "dim"), _next(gate, now))
        yield Text.assemble(("  holds   ", "dim"), number(waiting, "waiting job"))


def _lane_lines(lane: Hold, now: datetime, waiting: int) -> Iterator[Text]:
    since = "" if lane.since is None else f" since {moment(lane.since, now)}"
    yield Text.assemble((lane.name, "bold"), "  ", ("closed", "bold yellow"), since)
    yield Text.assemble(("  why     ", "dim"), f"{lane.code}: {one_line(lane.message)}")
    yield Text.assemble(
        ("  next    ", "dim"), f"nothing by itself; `ttsq gates open {lane.name}` lets it try a few more"
    )
    yield Text.assemble(("  holds   ", "dim"), number(waiting, "waiting job"))


def _lane_data(lane: Hold, waiting: int) -> dict[str, Any]:
    _, *_, model = lane.name.split(":")
    return {
        "name": lane.name,
        "scope": "takes",
        "model": model,
        "closed": True,
        "code": lane.code,
        "message": lane.message,
        "since": stamp(lane.since),
        "next_probe_at": None,
        "probes": 0,
        "waiting": waiting,
    }


def _next(gate: Gate, now: datetime) -> str:
    if gate.code in gates.BY_HAND:
        return f"nothing by itself; `ttsq gates open {gate.name}` opens it"
    how = "a free check" if gates.is_free(gate) else "one real job"
    wait = (gate.next_probe_at - now).total_seconds()
    when = f"in {duration(wait)}" if wait > 0 else "as soon as a worker can"
    return f"{how} {when}, after {number(gate.probes, 'probe')} so far"


def _data(gate: Gate, *, closed: bool, waiting: int) -> dict[str, Any]:
    by_itself = closed and gate.code not in gates.BY_HAND
    return {
        "name": gate.name,
        "scope": str(gate.scope),
        "model": gate.model,
        "closed": closed,
        "code": gate.code,
        "message": gate.message,
        "since": stamp(gate.since),
        "next_probe_at": stamp(gate.next_probe_at) if by_itself else None,
        "probes": gate.probes,
        "waiting": waiting if closed else 0,
    }
