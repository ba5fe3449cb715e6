"""`ttsq credits`."""

from __future__ import annotations

from typing import Annotated

import typer


def credits(  # noqa: A001 - the API's word
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what is left in the account, and how many calls of each model it pays for. Asking costs nothing."""
    from worker.cli.money import counting  # noqa: PLC0415 - `ttsq --help` doesn't pay for the libraries behind it
    from worker.cli.talk.leaving import leave  # noqa: PLC0415 - likewise

    leave(counting.show(as_json=as_json))
