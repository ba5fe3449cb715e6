"""Requests the account's balance, free of charge: the vendor's recommended way to check a key, for v1 and v2."""

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
"""Upper bound of the connect and read timeouts."""


def balance(api: Api, reader: Reader) -> Credits | Answer:
    """Return the balance. The request is free, so an error is never marked as sent."""
    target = api.target("v1", "get-user-credits")
    connect_seconds, read_seconds = min(PROBE_SECONDS, api.connect_seconds), min(PROBE_SECONDS, api.read_seconds)
    try:
        exchange = run_here(api.get(target, connect_seconds=connect_seconds, read_seconds=read_seconds))
    except HTTPError as error:
        return replace(reader.unanswered(call_failure(error), error), sent=False)
    with exchange as response:
        found = reader.balance(response)
    return found if isinstance(found, Credits) else replace(found, sent=False)
