"""Commands of an installation that stay: an emulator of the API, workers, gateways; and what is asked of them."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.cluster.waiting import wait_for
from tests.distribution.installation import Installation
from tests.servers.process import Process

START_SECONDS: Final = 180.0
ANSWER_SECONDS: Final = 180.0
KEY: Final = "SG_0123456789abcdef"
"""The API key of the emulator."""
WORKS: Final = "worker_started"
SERVES: Final = r"Gateway listening at (http://\S+:\d+)"
_EMULATES: Final = r"(http://127\.0\.0\.1:\d+)"


@contextmanager
def started(
    installation: Installation, folder: Path, ready: str, *words: str, settings: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """A command, from the moment that it says what `ready` matches to the end of the block."""
    process = installation.start(folder, *words, settings=settings)
    try:
        wait_for(
            lambda: re.search(ready, process.whole_log) or not process.alive,
            seconds=START_SECONDS,
            what=" ".join(words),
            instead=lambda: process.log,
        )
        assert process.alive, process.log
        yield process
    finally:
        if process.alive:
            process.signal(signal.SIGKILL)
        process.end()


@contextmanager
def emulator(installation: Installation, folder: Path) -> Iterator[dict[str, str]]:
    """The product's own stand-in for the API; the settings that lead to it."""
    words = ("ttsq", "emulator", "--port", "0", "--key", KEY)
    with started(installation, folder, _EMULATES, *words) as process:
        yield {"SEGMIND_BASE_URL": said(process, _EMULATES), "SEGMIND_API_KEY": KEY}


def said(process: Process, pattern: str) -> str:
    """The first group of what a process wrote."""
    found = re.search(pattern, process.whole_log)
    assert found, process.log
    return found[1]


def audio_of_a_job(gateway: str, key: str | None = None) -> bytes:
    """What one job comes to, asked for and waited for over HTTP at a gateway's address."""
    headers = {"Content-Type": "application/json", "Prefer": "wait=60", "Accept": "audio/*"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    body = json.dumps({"text": "The ferry leaves at ten past four."}).encode()
    request = urllib.request.Request(f"{gateway}/v1/jobs", body, headers, method="POST")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=ANSWER_SECONDS) as answer:
        content: bytes = answer.read()
    return content
