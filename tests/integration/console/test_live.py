"""The stream of a page, the charts' figures, and audio through the gateway."""

from __future__ import annotations

import gc
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.console_site import TENANT, Browser, signed_in
from tests.factories import add_attempt, add_job
from tests.gateway import Running
from tests.speaking import speaking
from worker.maintenance.activity import ActivitySummary
from worker.store import activity
from worker.store.database import Database


def lines(browser: Browser, path: str) -> Iterator[str]:
    """The lines of a stream, as they come."""
    place = urlsplit(browser.address)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    with closing(connection):
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("content-type")) == (200, "text/event-stream; charset=utf-8")
        while line := answer.readline():
            yield line.decode().rstrip("\n")


def test_the_stream_signals_changes_and_ends_with_the_session(site: Running, operator: Browser) -> None:
    """A new job is one; a session that ended ends the stream with a word of its own."""
    stream = lines(operator, "/console/stream")
    assert next(stream).startswith("retry:")
    with site.gateway.database.begin() as connection:
        add_job(connection, tenant=TENANT)
    assert next(line for line in stream if line.startswith("event:")) == "event: changed"
    with site.gateway.database.begin() as connection:
        connection.execute(text("DELETE FROM console_sessions"))
    assert next(line for line in stream if line.startswith("event:")) == "event: ended"
    assert list(stream)[-1:] == [""]


def test_the_ledger_is_summed_by_the_minute(database: Database) -> None:
    """Once; the minute that has not settled waits; tenants are apart."""
    with database.begin() as connection:
        now = database.now(connection)
        minute = now.replace(second=0, microsecond=0) - timedelta(minutes=5)
        for tenant, verdict, cost in (
            (TENANT, VerdictKind.SUCCESS, "0.0067"),
            (TENANT, VerdictKind.BAD_TAKE, "0.0067"),
            (TENANT, VerdictKind.CACHED, "0"),
            ("globex", VerdictKind.SUCCESS, "0.005"),
        ):
            ended = minute + timedelta(seconds=20)
            add_attempt(
                connection, tenant=tenant, verdict=verdict, cost=Decimal(cost), started_at=minute, finished_at=ended
            )
        add_attempt(connection, tenant=TENANT, started_at=now, finished_at=now)
    summary = ActivitySummary(database)
    assert [summary.run_once(), summary.run_once()] == [True, False]
    with database.begin() as connection:
        activity.sum_minute(connection, minute)
        (one,) = activity.of_tenant(connection, TENANT, since=minute)
    assert (one.minute, one.finished, one.refused, one.cost) == (minute, 2, 1, Decimal("0.0134"))


@pytest.mark.timeout(120)
def test_audio_and_its_waveform_pass_through_the_gateway(on_sqlite: Database, tmp_path: Path) -> None:
    """In full, as a range, as twenty peaks a second; nothing of it runs when it is opened by itself."""
    with speaking(on_sqlite, tmp_path) as site:
        browser = signed_in(site.gateway, tenant="default")
        made = site.client("POST", "/v1/jobs", {"text": "The ferry leaves."}, headers={"Prefer": "wait=60"}, timeout=90)
        job = made.json
        assert job["status"] == JobStatus.SUCCEEDED
        path = f"/console/jobs/{job['id']}"
        whole = browser.get(f"{path}/audio")
        part = browser.get(f"{path}/audio", Range="bytes=4-7")
        assert (whole.status, whole.body[:4], part.status, part.body) == (200, b"RIFF", 206, whole.body[4:8])
        assert "sandbox" in whole.headers["content-security-policy"]
        found = json.loads(browser.get(f"{path}/peaks").body)
        assert len(found["peaks"]) == pytest.approx(found["duration"] * 20, abs=1)
        assert 0 < max(found["peaks"]) <= 1
        assert browser.get(f"{path}/takes/1").status == 404


@pytest.mark.timeout(120)
def test_a_player_that_leaves_leaves_no_file_open(on_sqlite: Database, tmp_path: Path) -> None:
    """Browsers close a connection in the middle of a file when they seek."""
    with speaking(on_sqlite, tmp_path) as site:
        browser = signed_in(site.gateway, tenant="default")
        long = {"text": "The ferry leaves at ten. " * 60}
        job = site.client("POST", "/v1/jobs", long, headers={"Prefer": "wait=60"}, timeout=90).json
        place = urlsplit(browser.address)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        for _ in range(5):
            connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
            connection.request("GET", f"/console/jobs/{job['id']}/audio", headers={"Cookie": cookie})
            assert connection.getresponse().read(100)
            connection.close()
        browser.get("/console")
    gc.collect()  # an unclosed file warns here, and warnings are errors
