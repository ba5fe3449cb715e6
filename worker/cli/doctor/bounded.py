"""Runs a check with a limit on its whole time: a server that accepts a connection and never answers fails its check.

Weakness: the thread of a check that is late lasts until the library in which it waits raises, or the process exits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from worker.cli.console.explain import explain
from worker.cli.doctor.findings import Finding, fail

CHECK_SECONDS: Final = 8.0
"""For all exchanges of one check; each answer has 3 to 5 seconds where the library can be told."""

_SERVICES: Final = {
    "database": "the database; check TTSQ_DATABASE_URL, and the network to it",
    "broker": "the broker; check TTSQ_BROKER_URL, and the network to it",
    "artifacts": "the audio store; check TTSQ_ARTIFACTS_URL, AWS_ENDPOINT_URL_S3, and the network to it",
    "spool": "the disk of TTSQ_SPOOL_DIR; a network file system may be away",
    "key": "the API; check SEGMIND_BASE_URL, and this machine's network",
}
_OTHERS: Final = "a service; repeat the command, and see which one is slow"


def run(name: str, check: Callable[[], Finding], *, late: Finding | None = None) -> Finding:
    """Return the finding of the check with this name: a failure if it raises or takes too long, or then `late`."""
    found: SimpleQueue[Finding] = SimpleQueue()
    threading.Thread(target=lambda: found.put(_explained(check)), name=f"ttsq-doctor-{name}", daemon=True).start()
    try:
        return found.get(timeout=CHECK_SECONDS)
    except Empty:
        if late is not None:
            return late
        service, _, remedy = _SERVICES.get(name, _OTHERS).partition("; ")
        return fail(f"no answer within {CHECK_SECONDS:g} s from {service}", remedy)


def _explained(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - one failing check must not stop the others
        found = explain(error)
        return fail(found.message, found.remedy)
