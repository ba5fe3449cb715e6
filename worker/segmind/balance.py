"""Asks for the account's balance, free of charge. The vendor's own way to check a key, whichever way one speaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from urllib3.exceptions import HTTPError

from worker.concurrency.futures import run_here
from worker.segmind.answers import Answer, Credits
from worker.segmind.api import Api
from worker.segmind.reader import Reader
from worker.segmind.transport import call_failure

PROBE_SECONDS: Final = 5.0
"""For the credits endpoint to be reached, to answer, and for the answer's body, unless the account's timeouts are
shorter: it only reads a figure."""


def balance(api: Api, reader: Reader) -> Credits | Answer:
    """What is left. It costs nothing, so an answer that says why not is never marked as sent."""
    target = api.target("v1", "get-user-credits")
    connect_seconds, read_seconds = min(PROBE_SECONDS, api.connect_seconds), min(PROBE_SECONDS, api.read_seconds)
    try:
        exchange = run_here(api.get(target, connect_seconds=connect_seconds, read_seconds=read_seconds))
    except HTTPError as error:
        return replace(reader.unanswered(call_failure(error), error), sent=False)
    with exchange as response:
        found = reader.balance(response)
    return found if isinstance(found, Credits) else replace(found, sent=False)
