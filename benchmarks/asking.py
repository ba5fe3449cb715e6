"""What users ask of the queue, over and over. Called as `python -m benchmarks.asking TIMES BATCH JOB GATEWAY KEY`.

The median seconds of each question are its last line, as JSON. What the commands print goes nowhere.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Final

import urllib3

from worker.cli import status
from worker.cli.console.terminal import Terminal

WARMING: Final = 2
"""Answers that load what later ones find there; they don't count."""


def median_seconds(ask: Callable[[], object], times: int) -> float:
    """Of one question."""
    found = []
    for _ in range(times + WARMING):
        began = time.perf_counter()
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            ask()
        found.append(time.perf_counter() - began)
    return statistics.median(found[WARMING:])


def main(times: int, batch: str, job: str, gateway: str, key: str) -> None:
    """Run `ttsq status` for all jobs and for one batch, and the gateway's requests for batches and for a job."""
    http = urllib3.PoolManager(headers={"authorization": f"Bearer {key}"})

    def get(path: str) -> None:
        answer = http.request("GET", f"{gateway}/v1/{path}")
        assert answer.status == 200, answer.data

    questions: dict[str, Callable[[], object]] = {
        "status": lambda: status.show(None, Terminal(), as_json=False, follow=False),
        "status of a batch": lambda: status.show(batch, Terminal(), as_json=False, follow=False),
        "GET batch": lambda: get(f"batches/{batch}"),
        "GET batches": lambda: get("batches?limit=10"),
        "GET job": lambda: get(f"jobs/{job}"),
    }
    print(json.dumps({name: median_seconds(ask, times) for name, ask in questions.items()}))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
