"""Gates opened and closed by hand, and what happens next, in words."""

from __future__ import annotations

from api_models.status import IN_FLIGHT, WAITING
from api_models.verdict import GateScope
from worker.cli.batch.changing import trying_again
from worker.cli.gates.listing import held_by
from worker.cli.gates.naming import GateName, named
from worker.cli.queue import opening
from worker.cli.talk.errors import StorageGateError
from worker.cli.talk.terminal import Terminal
from worker.cli.talk.wording import number, one_line
from worker.dispatch import gates
from worker.settings import Settings
from worker.store import account, holds, lane_takes, views
from worker.store.account import Gate
from worker.store.views import Counts


def open_gate(wanted: str) -> None:
    """Open it, whoever or whatever closed it."""
    terminal = Terminal()
    settings = opening.settings(terminal)
    if wanted.startswith(holds.TAKES_PREFIX):
        _open_lane(wanted, settings, terminal)
        return
    with opening.queue(settings) as database, database.begin() as connection:
        known = account.known_gates(connection)
        name = named(wanted, [gate.name for gate, _ in known])
        gate = next((gate for gate, closed in known if closed and gate.name == str(name)), None)
        if gate is not None:
            account.open_gate(connection, gate.name, now=database.now(connection))
        others = [other.name for other, closed in known if closed and other.name != str(name)]
        waiting = views.counts(connection, held_by(name.model)).of(*WAITING)
    if gate is None:
        terminal.result(f"{name} isn't closed.")
    else:
        terminal.result(f"{name} is open. {_after_opening(gate, waiting, settings)}")
    if others:
        terminal.note(f"Still closed: {', '.join(others)}.")


def _open_lane(name: str, settings: Settings, terminal: Terminal) -> None:
    """Resume what refused takes hold."""
    with opening.queue(settings) as database, database.begin() as connection:
        released = lane_takes.resume(connection, holds.lane_of(name), now=database.now(connection))
        waiting = views.counts(connection, holds.takes_selection(name)).of(*WAITING)
    if not released:
        terminal.result(f"{name} isn't closed.")
        return
    terminal.result(f"{name} is open. {_waiting_words(waiting, settings)} {trying_again()}")


def close_gate(wanted: str, reason: str) -> None:
    """Close it until a hand opens it again.

    Raises:
        UnknownGateError, StorageGateError
    """
    terminal = Terminal()
    with opening.queue(opening.settings(terminal)) as database, database.begin() as connection:
        known = account.known_gates(connection)
        name = named(wanted, [gate.name for gate, _ in known])
        if name.scope is GateScope.STORAGE:
            raise StorageGateError
        before = next((gate for gate, closed in known if closed and gate.name == str(name)), None)
        message = f"closed by hand: {one_line(reason)}" if reason.strip() else "closed by hand"
        account.hold_gate(connection, name.scope, name.model, message=message, now=database.now(connection))
        counts = views.counts(connection, held_by(name.model))
    terminal.result(f"{name} is closed. {_after_closing(name, counts)}")
    if before is not None and before.code not in gates.BY_HAND:
        terminal.note(
            f"It was closed already ({before.code}: {one_line(before.message)}); now it won't open by itself."
        )


def _after_opening(gate: Gate, waiting: int, settings: Settings) -> str:
    jobs = _waiting_words(waiting, settings)
    if not waiting or gate.code in gates.BY_HAND:
        return jobs
    return (
        f"{jobs} If the trouble lasts ({gate.code}), the first call meets it and closes it again; no job fails by it."
    )


def _waiting_words(waiting: int, settings: Settings) -> str:
    if not waiting:
        return "No job waits for it now."
    who = "a `ttsq run` under way, or the next one, starts them" if settings.embedded else "the workers start them now"
    return f"{number(waiting, 'job')} {'waits' if waiting == 1 else 'wait'}: {who}."


def _after_closing(name: GateName, counts: Counts) -> str:
    what = "Nothing more starts" if name.model is None else f"No job of {name.model} starts"
    flying = counts.of(*IN_FLIGHT)
    calls = f"; {number(flying, 'call')} under way may finish" if flying else ""
    return f"{what} until `ttsq gates open {name}`{calls}."
