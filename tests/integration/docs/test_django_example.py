"""The Django project among the examples, run as it stands: its own tests, its transactions, and a text spoken."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.cluster.waiting import wait_for
from tests.gateway import served
from tests.servers.ports import free_port
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store.database import Database

ROOT: Final = Path(__file__).parents[3]
PROJECT: Final = ROOT / "examples" / "django"
SECONDS: Final = 90.0
OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
COMMIT_AND_ROLL_BACK: Final = """
from announcements.views import announce
from django.db import transaction

print(announce("The ferry leaves at ten past four.").job_id)
try:
    with transaction.atomic():
        announce("This one is taken back.")
        raise LookupError
except LookupError:
    pass
"""

pytestmark = pytest.mark.timeout(240)


def environment(address: str, **settings: str) -> dict[str, str]:
    """The example's own settings; the client from its source."""
    given = {"TTSQ_DATABASE_URL": address, "DJANGO_SECRET_KEY": "of-a-test", **settings}
    return os.environ | given | {"PYTHONPATH": str(ROOT / "clients" / "python" / "src")}


def manage(address: str, *words: str, **settings: str) -> str:
    """What one of Django's commands prints."""
    command = [sys.executable, "-W", "error", "manage.py", *words]
    given = environment(address, **settings)
    done = subprocess.run(command, cwd=PROJECT, env=given, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_own_tests_pass() -> None:
    """As its README says to run them; and no migration is missing."""
    manage("sqlite:///:memory:", "test")
    manage("sqlite:///:memory:", "makemigrations", "--check", "--dry-run")


def test_a_job_exists_exactly_if_its_row_does(database: Database) -> None:
    """Committed together, rolled back together, on each kind of database."""
    address = database.url.render_as_string(hide_password=False)
    manage(address, "migrate", "--verbosity", "0")
    made = manage(address, "shell", "--verbosity", "0", "--command", COMMIT_AND_ROLL_BACK).split()[-1]
    with database.read() as connection:
        rows = connection.execute(text("SELECT request FROM inbox")).scalars().all()
        stored = connection.execute(text("SELECT job_id FROM announcements_announcement")).scalars().all()
    assert [json.loads(row)["text"] for row in rows] == ["The ferry leaves at ten past four."]
    assert [UUID(str(one)) for one in stored] == [UUID(made)]


@contextmanager
def running(address: str, port: int, **settings: str) -> Iterator[str]:
    """Django's own server; its address."""
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    given = environment(address, PYTHONUNBUFFERED="1", **settings)
    with subprocess.Popen(
        command, cwd=PROJECT, env=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert any(re.search("Starting development server", line) for line in process.stdout)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.communicate()


def test_a_text_is_spoken_and_its_result_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the form over the inbox, the queue and a signed webhook back to the row."""
    port, secrets = free_port(), tmp_path / "secrets.txt"
    address = f"sqlite:///{tmp_path}/.ttsq/ttsq.db"
    own = {"SPEECH_WEBHOOK_URL": f"http://127.0.0.1:{port}/webhooks/speech/", "SPEECH_WEBHOOK_SECRETS": str(secrets)}
    with Emulator(EmulatorConfig(latency_seconds=0.05)) as emulator:
        monkeypatch.setenv("SEGMIND_BASE_URL", emulator.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", emulator.key)
        monkeypatch.setenv("TTSQ_WEBHOOK_ALLOW", "127.0.0.1")
        with served(tmp_path, "--all-in-one") as (process, gateway):
            made = json.dumps({"text": "First.", "webhook_url": "http://127.0.0.1:9/"}).encode()
            get(f"{gateway}/v1/jobs", made, "application/json")
            (endpoint,) = get(f"{gateway}/v1/endpoints")["endpoints"]
            secrets.write_text(get(f"{gateway}/v1/endpoints/{endpoint['id']}/secret")["secret"], encoding="utf-8")
            manage(address, "migrate", "--verbosity", "0")
            with running(address, port, **own) as django:
                manage(address, "shell", "--verbosity", "0", "--command", COMMIT_AND_ROLL_BACK, **own)

                def row() -> Any:  # noqa: ANN401 - any JSON value
                    return get(f"{django}/announcements/")["announcements"][0]

                wait_for(lambda: row()["status"] == "succeeded", seconds=SECONDS, what="the webhook")
                assert row()["audio_url"] == f"/v1/jobs/{row()['job_id']}/audio"
            process.send_signal(signal.SIGINT)
            process.wait(SECONDS)
        assert emulator.state().calls == 2


def get(address: str, body: bytes | None = None, media: str = "") -> Any:  # noqa: ANN401 - any JSON value
    """The JSON of an answer."""
    request = urllib.request.Request(address, body, {"Content-Type": media} if media else {})
    with OPENER.open(request, timeout=SECONDS) as answer:
        return json.load(answer)
