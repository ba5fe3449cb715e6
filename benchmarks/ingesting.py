"""One way of handing in a sheet, in a process of its own. Called as `python -m benchmarks.ingesting WAY FILE`.

`queue` judges the sheet and hands it in as `ttsq run` does; `copy` sends the texts to the table by bare COPY or bare
executemany, unjudged; `celery` publishes one message a row; `nothing` starts and ends. Its last line is rows,
seconds and peak megabytes.
"""

from __future__ import annotations

import csv
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from celery import Celery
from uuid_utils.compat import uuid7

from worker import producer, settings
from worker.intake.reader import judge_all
from worker.store.database import Database

COLUMNS: Final = (
    "id, tenant, lane, custom_id, line, status, priority, model, text, voice_1, fingerprint, use_cache, attempt,"
    " attempts_used, takes_used, recover, created_at, cost, cached"
)


def queue(path: Path) -> int:
    """Judged whole, then written whole."""
    judged = judge_all(path)
    assert not judged.faults, judged.faults
    with closing(_database()) as database, database.begin() as connection:
        made = producer.submit_batch(
            connection, judged.rows, name="bench", origin=settings.current().segmind_base_url, output_url=None
        )
        return made.batch.total


def copy(path: Path) -> int:
    """The bound: no rule is applied, and no fingerprint made; any 64 hex digits take its place in the index."""
    with closing(_database()) as database, database.begin() as connection:
        cursor: Any = connection.connection.cursor()
        if database.is_sqlite:
            marks = ", ".join("?" * len(COLUMNS.split(",")))
            cursor.executemany(f"INSERT INTO jobs ({COLUMNS}) VALUES ({marks})", _bare(path))  # noqa: S608 - no input
            return int(cursor.rowcount)
        with cursor, cursor.copy(f"COPY jobs ({COLUMNS}) FROM STDIN") as stream:
            for row in _bare(path):
                stream.write_row(row)
        return int(cursor.rowcount)


def celery(path: Path) -> int:
    """What a queue does that keeps its work in the broker."""
    app = Celery("bench", broker=settings.current().broker_url, set_as_current=False)
    with path.open(newline="", encoding="utf-8") as file, app.producer_pool.acquire(block=True) as made:
        rows = list(csv.DictReader(file))
        for row in rows:
            app.send_task("bench.speak", args=[row], queue="bench", producer=made, ignore_result=True)
    app.close()
    return len(rows)


def nothing(_: Path) -> int:
    """What starting costs."""
    return 0


def _bare(path: Path) -> Iterator[tuple[object, ...]]:
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            rest = (os.urandom(32).hex(), True, 0, 0, 0, False, now, 0, False)
            name = (uuid7().hex, "default", "0" * 32, row["custom_id"], line, "queued", 0)
            yield (*name, "gemini-3.1-flash-tts", row["text"], row["voice_1"], *rest)


def _database() -> Database:
    return Database(settings.current().database_url, connections=2)


def _peak_mb() -> float:
    """Measured inside the process: a parent's `wait4` reports a peak that includes the parent's size at the fork."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return int(status.split("VmHWM:")[1].split()[0]) / 1_024


def main(way: str, path: Path) -> None:
    """Go one way, and say how long it took, in how much memory."""
    ways = {"queue": queue, "copy": copy, "celery": celery, "nothing": nothing}
    began = time.perf_counter()
    count = ways[way](path)
    print(count, time.perf_counter() - began, _peak_mb())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
