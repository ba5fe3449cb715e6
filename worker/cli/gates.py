"""`ttsq gates`, `ttsq gates open|close`. A gate is a circuit breaker on the account, a model or the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.text import Text
from sqlalchemy import ColumnElement

from api_models.hints import did_you_mean
from api_models.registry import MODELS
from api_models.status import IN_FLIGHT, WAITING
from api_models.verdict import GateScope
from worker.cli import database as cli_database
from worker.cli.batch.update import trying_again
from worker.cli.console import complete
from worker.cli.console.errors import StorageGateError, UnknownGateError
from worker.cli.console.format import duration, moment, number, one_line
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import stamp
from worker.dispatch.gates import rules
from worker.settings import Settings
from worker.store import account, lane_takes
from worker.store.account import Gate
from worker.store.queries import filters, holds, jobs
from worker.store.queries import jobs as job_queries
from worker.store.queries.holds import Hold
from worker.store.queries.jobs import Counts


def show(*, show_all: bool, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        now = database.now(connection)
        known = account.known_gates(connection)
        waiting = {gate.name: jobs.counts(connection, held_by(gate.model)).of(*WAITING) for gate, _ in known}
        lanes = [holds.takes_hold(lane) for lane in lane_takes.held(connection)]
        waiting |= {lane.name: jobs.counts(connection, holds.takes_selection(lane.name)).of(*WAITING) for lane in lanes}
    shown = [(gate, closed) for gate, closed in known if closed or show_all]
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
        terminal.result("No gate is closed.")
    if not show_all and len(known) > len(shown):
        terminal.note(f"{number(len(known) - len(shown), 'open gate')} not shown; add --all", style="dim")


def held_by(model: str | None) -> ColumnElement[bool]:
    """Select the jobs that a gate holds while it is closed; `model` None selects all."""
    return jobs.all_jobs() if model is None else filters.of_model(jobs.all_jobs(), model)


def _lines(gate: Gate, now: datetime, *, closed: bool, waiting: int) -> Iterator[Text]:
    since = f"{moment(gate.since, now)}"
    state = ("closed", "bold yellow") if closed else ("open", "green")
    when = f" since {since} ({duration((now - gate.since).total_seconds())})" if closed else f", last closed at {since}"
    yield Text.assemble((gate.name, "bold"), "  ", state, when)
    yield Text.assemble(("  reason  ", "dim"), f"{gate.code}: {one_line(gate.message)}")
    if closed:
        yield Text.assemble(("  next    ", "dim"), _next(gate, now))
        yield Text.assemble(("  holds   ", "dim"), number(waiting, "job"))


def _lane_lines(lane: Hold, now: datetime, waiting: int) -> Iterator[Text]:
    since = "" if lane.since is None else f" since {moment(lane.since, now)}"
    yield Text.assemble((lane.name, "bold"), "  ", ("closed", "bold yellow"), since)
    yield Text.assemble(("  reason  ", "dim"), f"{lane.code}: {one_line(lane.message)}")
    yield Text.assemble(("  next    ", "dim"), f"stays closed; `ttsq gates open {lane.name}` allows a few more takes")
    yield Text.assemble(("  holds   ", "dim"), number(waiting, "job"))


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
    if gate.code in rules.BY_HAND:
        return f"stays closed until `ttsq gates open {gate.name}`"
    probe = "free check" if rules.is_free(gate) else "probe with one job"
    wait = (gate.next_probe_at - now).total_seconds()
    when = f"in {duration(wait)}" if wait > 0 else "as soon as a worker is free"
    return f"{probe} {when}; {number(gate.probes, 'probe')} so far"


def _data(gate: Gate, *, closed: bool, waiting: int) -> dict[str, Any]:
    by_itself = closed and gate.code not in rules.BY_HAND
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


MODEL_PREFIX: Final = f"{GateScope.MODEL}:"


@dataclass(frozen=True, slots=True)
class GateName:
    scope: GateScope
    model: str | None = None

    def __str__(self) -> str:
        return str(self.scope) if self.model is None else f"{MODEL_PREFIX}{self.model}"


def named(wanted: str, known: Iterable[str] = ()) -> GateName:
    """Resolve a gate's name. `known` adds gates that are not in the registry. Raises UnknownGateError."""
    everything = [str(GateScope.ACCOUNT), str(GateScope.STORAGE), *(f"{MODEL_PREFIX}{slug}" for slug in MODELS)]
    everything += [name for name in known if name not in everything]
    for name in (wanted, f"{MODEL_PREFIX}{wanted}"):
        if name in everything:
            scope, _, model = name.partition(":")
            return GateName(GateScope(scope), model or None)
    bare = wanted.removeprefix(MODEL_PREFIX)
    hint = did_you_mean(bare, [name.removeprefix(MODEL_PREFIX) for name in everything])
    raise UnknownGateError(wanted, everything, hint)


app = typer.Typer(name="gates", add_completion=False, help="Show, open and close the gates that hold the queue.")

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="account, storage, or a model's slug.", autocompletion=complete.gates),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback(invoke_without_command=True)
def list_gates(
    context: typer.Context,
    show_all: Annotated[bool, typer.Option("--all", "-a", help="Include open gates that were closed before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per gate.")] = False,
) -> None:
    """List closed gates: since when, the API's reason, and the next probe."""
    if context.invoked_subcommand is not None:
        return

    show(show_all=show_all, as_json=as_json)


@app.command("open")
def open_gate(name: Name, as_json: AsJson = False) -> None:
    """Open a gate without waiting for its next probe. It closes again if the error persists."""

    _open(name, as_json=as_json)


@app.command("close")
def close_gate(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Reason shown by `ttsq gates`.")] = "",
    as_json: AsJson = False,
) -> None:
    """Hold all jobs, or one model's, until the gate is opened by hand. Calls in flight finish."""

    _close(name, reason, as_json=as_json)


def _open(wanted: str, *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    if wanted.startswith(holds.TAKES_PREFIX):
        _open_lane(wanted, settings, terminal)
        return
    with cli_database.queue(settings) as database, database.begin() as connection:
        known = account.known_gates(connection)
        name = named(wanted, [gate.name for gate, _ in known])
        gate = next((gate for gate, closed in known if closed and gate.name == str(name)), None)
        if gate is not None:
            account.open_gate(connection, gate.name, now=database.now(connection))
        others = [other.name for other, closed in known if closed and other.name != str(name)]
        waiting = job_queries.counts(connection, held_by(name.model)).of(*WAITING)
    message = f"{name} is not closed." if gate is None else f"{name} is open. {_after_opening(gate, waiting, settings)}"
    terminal.done(message, name=str(name), changed=gate is not None, queued=waiting)
    if others:
        terminal.note(f"Still closed: {', '.join(others)}.")


def _open_lane(name: str, settings: Settings, terminal: Terminal) -> None:
    with cli_database.queue(settings) as database, database.begin() as connection:
        released = lane_takes.resume(connection, holds.lane_of(name), now=database.now(connection))
        waiting = job_queries.counts(connection, holds.takes_selection(name)).of(*WAITING)
    if not released:
        terminal.done(f"{name} is not closed.", name=name, changed=False, queued=waiting)
        return
    message = f"{name} is open. {_describe_waiting(waiting, settings)} {trying_again()}"
    terminal.done(message, name=name, changed=True, queued=waiting)


def _close(wanted: str, reason: str, *, as_json: bool) -> None:
    """Hold jobs until the gate is opened by hand. Raises UnknownGateError or StorageGateError."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        known = account.known_gates(connection)
        name = named(wanted, [gate.name for gate, _ in known])
        if name.scope is GateScope.STORAGE:
            raise StorageGateError
        before = next((gate for gate, closed in known if closed and gate.name == str(name)), None)
        message = f"closed by hand: {one_line(reason)}" if reason.strip() else "closed by hand"
        account.hold_gate(connection, name.scope, name.model, message=message, now=database.now(connection))
        counts = job_queries.counts(connection, held_by(name.model))
    held = counts.of(*WAITING)
    terminal.done(f"{name} is closed. {_after_closing(name, counts)}", name=str(name), closed=True, queued=held)
    if before is not None and before.code not in rules.BY_HAND:
        terminal.note(
            f"It was already closed ({before.code}: {one_line(before.message)}); it no longer opens automatically."
        )


def _after_opening(gate: Gate, waiting: int, settings: Settings) -> str:
    jobs = _describe_waiting(waiting, settings)
    if not waiting or gate.code in rules.BY_HAND:
        return jobs
    return f"{jobs} If the error persists ({gate.code}), the next call closes the gate again; no job fails."


def _describe_waiting(waiting: int, settings: Settings) -> str:
    if not waiting:
        return "No jobs were waiting."
    next_step = "the current or next `ttsq run` starts them" if settings.embedded else "workers start them now"
    return f"{number(waiting, 'job')} queued: {next_step}."


def _after_closing(name: GateName, counts: Counts) -> str:
    what = "No job starts" if name.model is None else f"No job of {name.model} starts"
    in_flight = counts.of(*IN_FLIGHT)
    calls = f"; {number(in_flight, 'call')} in flight will finish" if in_flight else ""
    return f"{what} until `ttsq gates open {name}`{calls}."
