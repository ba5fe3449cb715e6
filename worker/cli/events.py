"""`ttsq events`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from worker.cli import database as cli_database
from worker.cli.console.exits import Exit, Interrupts, leave
from worker.cli.console.explain import explain
from worker.cli.console.format import moment, one_line
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import stamp
from worker.store.database import Database, is_passing
from worker.store.outbox import events as outbox_events
from worker.store.outbox.events import Event

LATEST: Final = 50
PAGE: Final = 500
POLL_SECONDS: Final = 1.0
TYPE_COLUMNS: Final = 18


def show(*, after: int | None, types: Sequence[str], follow: bool, as_json: bool) -> Exit:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database:
        seen, shown = after, 0
        if seen is None:
            with database.read() as connection:
                seen = outbox_events.before_latest(connection, LATEST, types=types)
        for event in _after(database, seen, types):
            _print(terminal, event, as_json=as_json)
            seen, shown = event.id, shown + 1
        if follow:
            return _follow(database, terminal, seen, types, as_json=as_json)
    if not shown and not as_json:
        terminal.result(f"No events of type {' or '.join(types)}." if types else "No events yet.")
    return Exit.DONE


def _follow(database: Database, terminal: Terminal, seen: int, types: Sequence[str], *, as_json: bool) -> Exit:
    outage = False
    with Interrupts() as interrupts:
        while not interrupts.count:
            try:
                for event in _after(database, seen, types):
                    _print(terminal, event, as_json=as_json)
                    seen = event.id
                outage = False
            except SQLAlchemyError as error:
                if not is_passing(error):
                    raise
                if not outage:
                    terminal.warn(f"{explain(error).message}; waiting for it to recover")
                outage = True
            interrupts.wait(POLL_SECONDS)
    return Exit.INTERRUPTED


def _after(database: Database, seen: int, types: Sequence[str]) -> Iterator[Event]:
    """Yield events in pages, so that a long history needs little memory and no long transaction."""
    while True:
        with database.read() as connection:
            page = outbox_events.after(connection, seen, most=PAGE, types=types)
        yield from page
        if len(page) < PAGE:
            return
        seen = page[-1].id


def _print(terminal: Terminal, event: Event, *, as_json: bool) -> None:
    terminal.data(_data(event))
    if not as_json:
        details = "  ".join(
            f"{name}={_value(value)}" for name, value in event.data.items() if _adds_detail(value, event)
        )
        tenant = f" ({event.tenant})" if event.tenant else ""
        terminal.result(
            Text.assemble(
                (f"{event.id:>6}  ", "dim"),
                f"{moment(event.at, datetime.now(UTC))}  ",
                (f"{event.type:<{TYPE_COLUMNS}}  ", "bold"),
                f"{event.subject}{tenant}  {details}".rstrip(),
            )
        )


def _adds_detail(value: object, event: Event) -> bool:
    return value is not None and str(value) not in {event.subject, *event.subject.split(":", 1)}


def _value(value: object) -> str:
    line = one_line(str(value))
    return f'"{line}"' if " " in line else line


def _data(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": stamp(event.at),
        "type": event.type,
        "tenant": event.tenant,
        "subject": event.subject,
        "data": dict(event.data),
    }


def events(
    after: Annotated[int | None, typer.Option(min=0, help="Show events after this id; 0 shows all.")] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", "-t", metavar="TYPE", help="Only this type, such as account.held; repeatable."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new events until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per event.")] = False,
) -> None:
    """Show recent events, such as closed gates or a low balance.

    Without --after, the latest 50."""

    leave(show(after=after, types=types or [], follow=follow, as_json=as_json))
