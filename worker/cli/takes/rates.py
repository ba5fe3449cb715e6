"""`ttsq takes rates list` and `reset`."""

from __future__ import annotations

from rich.text import Text

from worker.cli import database as cli_database
from worker.cli.console.format import number
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import stamp
from worker.store import takes
from worker.store.takes import RateRecord

MIN_TAKES = 30
"""From here on a rate is used."""


def show(which: dict[str, str | None], *, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found = takes.rates(connection, *takes.rates_of(**which))
    if not found and not as_json:
        terminal.result("No rates: none is learned without TTSQ_TAKE_RUNGS=rate.")
    for rate in found:
        terminal.data(_data(rate))
        if not as_json:
            terminal.result(_line(rate))


def reset(which: dict[str, str | None], *, as_json: bool) -> None:
    """Forget rates; they are learned anew from takes that are bought from now on."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        found = takes.rates(connection, *takes.rates_of(**which))
        count = takes.reset_rates(connection, found, now=database.now(connection))
    terminal.done(f"{number(count, 'rate')} reset; takes bought until now no longer count.", rates=count)


def _line(rate: RateRecord) -> Text:
    of = rate.of
    name = f"{of.tenant}  {of.model}  {of.voice or 'no voice'}  {of.language or 'unknown language'}"
    use = "in use" if rate.count >= MIN_TAKES else f"in use from {MIN_TAKES} takes"
    line = f"{rate.a:.2f} s + {rate.b:.3f} × {of.source}, ±{rate.mad:.1%}"
    return Text.assemble((name, "bold"), f"  {line}  {number(rate.count, 'take')}, {use}")


def _data(rate: RateRecord) -> dict[str, object]:
    return {
        **rate.of._asdict(),
        "a": rate.a,
        "b": rate.b,
        "mad": rate.mad,
        "takes": rate.count,
        "in_use": rate.count >= MIN_TAKES,
        "since": stamp(rate.since),
        "learned_at": stamp(rate.learned_at),
    }
