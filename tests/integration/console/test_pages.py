"""The pages: what they show, which questions they answer, and that their forms work without JavaScript."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import insert, select

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.console_site import TENANT, Browser
from tests.factories import a_gate, add_attempt, add_batch, add_gate, add_job, add_worker, stored
from tests.gateway import Running
from worker.gateway.console import job_list
from worker.store import activity
from worker.store.account import OPERATOR
from worker.store.tables.account import GateRow
from worker.store.tables.console import Activity, ConsoleAction


def test_an_empty_console_says_what_to_do_next(operator: Browser) -> None:
    """Every section answers, and none is blank."""
    sections = [
        "",
        "/jobs",
        "/batches",
        "/documents",
        "/operations",
        "/money",
        "/webhooks",
        "/schedules",
        "/keys",
        "/try",
    ]
    for section in sections:
        page = operator.get(f"/console{section}")
        assert page.status == 200, page.text
        assert 'class="empty"' in page.text or section in {"", "/try", "/keys"}, section
    assert "No job was submitted yet" in operator.get("/console").text


def test_now_says_what_holds_the_queue(site: Running, operator: Browser) -> None:
    """In the hold's own words, with what reopens it; others' batches are not named."""
    database = site.gateway.database
    with database.begin() as connection:
        now = database.now(connection)
        add_job(connection, tenant=TENANT)
        add_gate(connection, a_gate(next_probe_at=now + timedelta(seconds=90), since=now))
        add_batch(connection, tenant="globex", name="secret.csv", paused_at=now)
        add_batch(connection, tenant=TENANT, name="ours.csv", paused_at=now)
    page = operator.get("/console")
    assert "1 job waiting: the queue is held" in page.text
    assert "The account is out of credit." in page.text
    assert re.search(r"Tried again <time[^>]*>in 1 min", page.text)
    assert "no worker is running" in page.text
    assert "ours.csv" in page.text
    assert "secret.csv" not in page.text


def test_a_gate_is_opened_by_hand(site: Running, operator: Browser) -> None:
    """And that is logged."""
    database = site.gateway.database
    with database.begin() as connection:
        now = database.now(connection)
        add_gate(connection, a_gate(code=OPERATOR, since=now, next_probe_at=now))
    page = operator.submit(operator.get("/console"), "/gates/account/open")
    assert "The gate is open." in page.text
    with database.read() as connection:
        assert connection.execute(select(GateRow.closed)).scalar_one() is False
        actions = connection.execute(select(ConsoleAction.action, ConsoleAction.subject)).all()
    assert ("open gate", "account") in [tuple(row) for row in actions]


def test_a_job_shows_its_whole_history(site: Running, operator: Browser) -> None:
    """Waits, attempts, verdicts and money in order."""
    database = site.gateway.database
    with database.begin() as connection:
        now = database.now(connection)
        job_id = add_job(
            connection,
            tenant=TENANT,
            text="The ferry leaves at ten past four.",
            status=JobStatus.FAILED,
            code="bad_audio",
            message="Silence.",
            created_at=now - timedelta(minutes=5),
            finished_at=now,
            cost=Decimal("0.0134"),
        )
        for number, verdict in ((1, VerdictKind.RETRY), (2, VerdictKind.BAD_TAKE)):
            began = now - timedelta(minutes=4 - number)
            add_attempt(
                connection,
                job_id=job_id,
                number=number,
                tenant=TENANT,
                verdict=verdict,
                code=str(verdict),
                started_at=began,
                finished_at=began + timedelta(seconds=8),
                possibly_billed=number == 1,
            )
    page = operator.get(f"/console/jobs/{job_id}")
    order = ["Submitted", "Attempt 1.", "possibly billed", "Attempt 2.", "Audio refused", "Finished: failed"]
    places = [page.text.index(words) for words in order]
    assert places == sorted(places)
    assert "took 8.0 s" in page.text
    assert "$0.0134" in page.text


def test_actions_on_a_job_change_it_and_are_logged(site: Running, operator: Browser) -> None:
    """Retry, cancel, delete; one that comes too late says so."""
    database = site.gateway.database
    with database.begin() as connection:
        job_id = add_job(connection, tenant=TENANT, status=JobStatus.FAILED)
    failed = operator.get(f"/console/jobs/{job_id}")
    queued = operator.submit(failed, "/retry")
    assert "The job is queued again." in queued.text
    assert "Nothing was changed" in operator.submit(failed, "/retry").text
    cancelled = operator.submit(queued, "/cancel")
    assert "Cancelled." in cancelled.text
    assert "Text and audio are removed" in operator.submit(cancelled, "/delete").text
    with database.read() as connection:
        assert stored(connection, job_id).text == ""
        rows = connection.execute(select(ConsoleAction.action, ConsoleAction.detail).order_by(ConsoleAction.id)).all()
    assert [tuple(row) for row in rows[1:]] == [
        ("retry job", ""),
        ("retry job", "unchanged"),
        ("cancel job", ""),
        ("delete job", ""),
    ]


def test_jobs_are_paged_without_gap_or_repetition(site: Running, operator: Browser) -> None:
    """By the newest first; the count stands on the first page."""
    with site.gateway.database.begin() as connection:
        made = [add_job(connection, tenant=TENANT, custom_id=f"line {number}") for number in range(120)]
    page, seen = operator.get("/console/jobs"), []
    assert "120 jobs" in page.text
    while True:
        seen += re.findall(r'id="job-([0-9a-f-]{36})"', page.text)
        older = [link for link in page.links if "before=" in link]
        if not older:
            break
        page = operator.get(older[0])
    assert seen == [str(job_id) for job_id in reversed(made)]


def test_jobs_are_filtered_and_exported(site: Running, operator: Browser) -> None:
    """The list and the file agree; a cell cannot begin a formula; a faulty filter names the remedy."""
    with site.gateway.database.begin() as connection:
        add_job(connection, tenant=TENANT, text="The ferry leaves.", voice_1="Kore")
        add_job(connection, tenant=TENANT, text="=HYPERLINK(1) ferry", voice_1="Puck", status=JobStatus.FAILED)
        add_job(connection, tenant="globex", text="Another ferry.")
    page = operator.get("/console/jobs?filter=ferry+voice:puck")
    assert "1 job<" in page.text
    exported = operator.get("/console/jobs.csv?filter=ferry")
    rows = list(csv.DictReader(io.StringIO(exported.text)))
    assert [row["text"] for row in rows] == ["'=HYPERLINK(1) ferry", "The ferry leaves."]
    faulty = operator.get("/console/jobs?filter=sate:failed")
    assert (faulty.status, "did you mean" in faulty.text) == (400, True)


def test_the_api_filters_by_the_same_grammar(site: Running) -> None:
    """And refuses the same faults."""
    with site.gateway.database.begin() as connection:
        add_job(connection, tenant=TENANT, text="The ferry leaves.", cost=Decimal("0.03"))
        add_job(connection, tenant=TENANT, text="The ferry arrives.")
    client = site.client(TENANT)
    found = client.get("/v1/jobs?filter=ferry%20cost:%3E0.02").json["jobs"]
    assert [job["text"] for job in found] == ["The ferry leaves."]
    assert client.get("/v1/jobs?filter=sate:failed").trouble == "invalid-input"
    assert client.get("/v1/jobs?filter=tenant:globex").trouble == "invalid-input"


def test_a_batch_is_paused_and_resumed(site: Running, operator: Browser) -> None:
    """From its page."""
    with site.gateway.database.begin() as connection:
        batch_id = add_batch(connection, tenant=TENANT, total=1)
        add_job(connection, tenant=TENANT, batch_id=batch_id)
    page = operator.submit(operator.get(f"/console/batches/{batch_id}"), "/pause")
    assert "Paused. Calls in flight continue." in page.text
    assert "Resumed." in operator.submit(page, "/resume").text


def test_workers_and_charts(site: Running, operator: Browser) -> None:
    """A worker that is well is ready; the charts have a table behind them."""
    database = site.gateway.database
    with database.begin() as connection:
        now = database.now(connection)
        add_worker(connection, heartbeat_at=now, host="studio-7")
        minute = now.replace(second=0, microsecond=0) - timedelta(minutes=3)
        one = activity.Minute(TENANT, minute, 40, 2, Decimal("0.268"), 1_500, 9_000)
        connection.execute(insert(Activity).values({name: getattr(one, name) for name in activity.Minute.__slots__}))
    page = operator.get("/console")
    assert "studio-7" in page.text
    assert "4.0" in page.text
    figures = operator.get("/console/figures")
    assert '"finished"' in figures.text
    assert max(job_list_numbers(figures.text, "wait_p95")) == 9.0


def job_list_numbers(text: str, name: str) -> list[float]:
    """The points of one chart."""
    found = re.search(rf'"{name}":\[([^\]]*)\]', text)
    assert found is not None
    return [float(number) for number in found[1].split(",") if number != "null"]


def test_money_is_added_up(site: Running, operator: Browser) -> None:
    """By day, model and batch, of this tenant only."""
    database = site.gateway.database
    with database.begin() as connection:
        now = database.now(connection)
        for tenant in (TENANT, "globex"):
            add_attempt(connection, tenant=tenant, started_at=now, finished_at=now, possibly_billed=tenant == TENANT)
    for by in ("day", "model", "batch"):
        page = operator.get(f"/console/money?by={by}&days=1")
        assert page.status == 200
        assert "$0.0067" in page.text
        assert "1 call ended without a clear response" in page.text


def test_saved_views_are_valid_filters(operator: Browser) -> None:
    """Each of them answers."""
    for _, text in job_list.VIEWS:
        assert operator.get(f"/console/jobs?filter={text}").status == 200
