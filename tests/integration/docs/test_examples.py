"""The examples for producers in Python, run as they stand: against the emulator, on the embedded default."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import create_engine, text

from api_models.status import JobStatus
from tests.gateway import served
from worker import producer
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.queries.jobs import JobRecord

ROOT: Final = Path(__file__).parents[3]
SECONDS: Final = 90.0


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An API, and one machine's queue in the test's own folder, served by one command."""
    with Emulator(EmulatorConfig(latency_seconds=0.05)) as emulator:
        monkeypatch.setenv("SEGMIND_BASE_URL", emulator.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", emulator.key)
        with served(tmp_path, "--all-in-one") as (process, _):
            yield emulator
            process.send_signal(signal.SIGINT)
            process.wait(SECONDS)


def run(name: str, *arguments: str) -> str:
    """What an example prints, from its start to its end."""
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=True).stdout


def jobs(folder: Path) -> list[JobRecord]:
    """Every job of the queue."""
    database = Database(f"sqlite:///{folder}/.ttsq/ttsq.db")
    try:
        with database.read() as connection:
            return job_queries.jobs(connection, job_queries.all_jobs())
    finally:
        database.close()


@pytest.mark.timeout(180)
def test_the_bulk_script_speaks_its_lines(emulator: Emulator, tmp_path: Path) -> None:
    """One batch, every line succeeded, and the cost is the amount that the API billed."""
    shown = run("bulk_script.py").splitlines()
    assert shown[-2] == "12 succeeded"
    assert shown[-1] == f"spent ${emulator.state().billed.normalize()}"
    assert {job.custom_id for job in jobs(tmp_path)} == {f"platform-{number:02}" for number in range(1, 13)}


@pytest.mark.timeout(180)
def test_the_nightly_run_is_made_once(emulator: Emulator, tmp_path: Path) -> None:
    """Started twice for one day, it submits once, and prints the same both times."""
    engine = create_engine(f"sqlite:///{tmp_path}/.ttsq/ttsq.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE specials (number INTEGER, day TEXT, words TEXT)"))
        days = [(1, "2026-12-01", "Soup today."), (2, "2026-12-01", "Fish today."), (3, "2026-12-02", "Not today.")]
        for number, day, words in days:
            connection.execute(text("INSERT INTO specials VALUES (:n, :d, :w)"), {"n": number, "d": day, "w": words})
    engine.dispose()
    first, again = run("nightly_sql.py", "2026-12-01"), run("nightly_sql.py", "2026-12-01")
    assert first == again
    assert first.startswith("2 of 2 spoken for $")
    assert emulator.state().calls == 2


@contextmanager
def flask() -> Iterator[str]:
    """The address of the web application, which runs in a separate process."""
    command = [sys.executable, "-m", "flask", "--app", str(ROOT / "examples/flask_request.py"), "run", "--port", "0"]
    with subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            yield next(found[0] for line in process.stderr if (found := re.search(r"http://127\S+:\d+", line)))
        finally:
            process.kill()
            process.communicate()


def post(address: str, body: dict[str, str]) -> tuple[int, dict[str, object]]:
    """The status and the JSON of an answer."""
    request = urllib.request.Request(
        address, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.timeout(180)
def test_the_web_request_stores_and_speaks_once(emulator: Emulator, tmp_path: Path) -> None:
    """An order that comes twice has one row and one job; another customer's under its number is a conflict."""
    with flask() as address:
        answers = [post(f"{address}/orders/17", {"customer": name}) for name in ("Ada", "Ada", "Bob")]
    assert [status for status, _ in answers] == [202, 202, 409]
    assert answers[0] == answers[1]
    (job,) = jobs(tmp_path)
    engine = create_engine(f"sqlite:///{tmp_path}/.ttsq/ttsq.db")
    assert producer.wait(job.id, timeout_seconds=SECONDS, engine=engine).status == JobStatus.SUCCEEDED
    with engine.connect() as connection:
        assert connection.execute(text("SELECT number, customer, speech FROM orders")).all() == [
            (17, "Ada", str(job.id))
        ]
    engine.dispose()
    assert emulator.state().calls == 1
