"""`ttsq events`."""

from __future__ import annotations

from typing import Annotated

import typer


def events(
    after: Annotated[
        int | None, typer.Option(min=0, help="Those after the one of this number; 0 begins with the first.")
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", "-t", metavar="TYPE", help="Of this type, such as account.held.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an event, a line each.")] = False,
) -> None:
    """Show what happened, such as gates that closed and opened, and a balance that ran low. The latest 50."""
    from worker.cli.look import happening  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library
    from worker.cli.talk.leaving import leave  # noqa: PLC0415 - likewise

    leave(happening.show(after=after, types=types or [], follow=follow, as_json=as_json))
