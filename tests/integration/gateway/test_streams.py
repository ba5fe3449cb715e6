"""Waiting for ends, following events, and getting at audio over HTTP."""

from __future__ import annotations

import http.client
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import update

from api_models.access import Scope
from api_models.jobs import EventPage
from api_models.status import JobStatus
from tests.factories import NOW, add_batch, add_job
from tests.gateway import Client, Running, running
from tests.servers.s3 import Bucket
from tests.unit.artifacts.test_conformance import store_bytes
from worker.monitoring.catalogue import FAMILIES, Source
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.queries import filters
from worker.store.tables.jobs import Job
from worker.store.transitions import actions

DOCS = Path(__file__).resolve().parents[3] / "docs"
SOUND = bytes(range(256)) * 40


@pytest.fixture
def gateway(database: Database, tmp_path: Path) -> Iterator[Running]:
    """A gateway whose audio lies in a folder, once on each kind of database."""
    with running(database, TTSQ_ARTIFACTS_URL=(tmp_path / "audio").as_uri()) as started:
        yield started


@pytest.fixture
def client(gateway: Running) -> Client:
    """A client of the tenant `acme` with every permission."""
    return gateway.client()


def a_spoken_job(gateway: Running, tmp_path: Path, **columns: object) -> UUID:
    """A job of `acme` with audio."""
    store = gateway.gateway.destinations.store(gateway.gateway.destinations.default_url)
    name = columns.pop("name", "hello")
    put = store_bytes(store, f"acme/jobs/{name}.wav", SOUND, tmp_path)
    sound = {"uri": put.uri, "sha256": put.sha256, "audio_bytes": put.size, "content_type": "audio/wav"}
    with gateway.gateway.database.begin() as connection:
        return add_job(connection, tenant="acme", status=JobStatus.SUCCEEDED, **sound, **columns)


def cancel(database: Database, job: str | UUID) -> float:
    """End a job; the moment it was committed."""
    with database.begin() as connection:
        actions.cancel(connection, filters.selection(job_ids=[UUID(str(job))]), now=NOW)
    return time.monotonic()


class Stream:
    """A client that follows events as `EventSource` does."""

    def __init__(self, client: Client, path: str = "/v1/events/stream", last: str | None = None) -> None:
        place = urlsplit(client.address)
        self._connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        headers = {"Authorization": f"Bearer {client.key}"} | ({"Last-Event-ID": last} if last else {})
        self._connection.request("GET", path, headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        assert self._answer.getheader("content-type") == "text/event-stream; charset=utf-8"
        assert self._answer.readline().startswith(b"retry:")
        assert self._answer.readline().startswith(b"id:")
        self._answer.readline()

    def next(self) -> dict[str, str]:
        """The next event."""
        found: dict[str, str] = {}
        while line := self._answer.readline().decode().strip():
            name, _, value = line.partition(": ")
            found[name] = value
        return found

    def close(self) -> None:
        """Leave."""
        self._connection.close()


def test_a_wait_ends_with_the_job(client: Client, database: Database) -> None:
    """`Prefer: wait` answers with the job as it ended."""
    job = client.post("/v1/jobs", {"text": "Soon."}).json["id"]
    threading.Timer(0.2, cancel, (database, job)).start()
    reply = client.get(f"/v1/jobs/{job}", Prefer="wait=20")
    assert reply.json["status"] == "cancelled"
    assert "retry-after" not in reply.headers


def test_a_wait_that_times_out_returns_the_state(client: Client) -> None:
    """Nothing has happened: 202 as without it, and when to ask again."""
    reply = client.post("/v1/jobs", {"text": "Later."}, Prefer="wait=1")
    assert (reply.status, reply.json["status"]) == (202, "queued")
    assert reply.headers["preference-applied"] == "wait=1"
    assert reply.headers["retry-after"] == "2"


def test_many_may_wait_at_once(gateway: Running, database: Database) -> None:
    """Each stream gets the events of its own job, however many wait."""
    client = gateway.client()
    jobs = [client.post("/v1/jobs", {"text": f"Number {number}."}).json["id"] for number in range(20)]
    found: dict[str, str] = {}

    def wait(job: str) -> None:
        found[job] = client.get(f"/v1/jobs/{job}", Prefer="wait=25").json["status"]

    threads = [threading.Thread(target=wait, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for job in jobs:
        cancel(database, job)
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(jobs, "cancelled")


def test_events_are_pulled_page_by_page(client: Client, database: Database) -> None:
    """Each once, in order; another tenant's are not among them, those of the whole account are."""
    with database.begin() as connection:
        for number in range(5):
            events.record(connection, "job.failed", str(number), {"id": str(number)}, tenant="acme", now=NOW)
            events.record(connection, "job.failed", "theirs", {}, tenant="globex", now=NOW)
        events.record(connection, "account.held", "account", {"code": "bad_key"}, tenant=None, now=NOW)
    seen, after = [], 0
    while page := EventPage.model_validate_json(client.get(f"/v1/events?after={after}&limit=2").body).events:
        seen += [event.subject for event in page]
        after = page[-1].id
    assert seen == ["0", "1", "2", "3", "4", "account"]
    assert client.get(f"/v1/events?after={after}").json == {"events": [], "next_after": after}
    assert [event["type"] for event in client.get("/v1/events?type=account.held").json["events"]] == ["account.held"]


def test_a_stream_resumes_where_it_broke_off(client: Client, database: Database) -> None:
    """Events as they happen; after a break, those since `Last-Event-ID`, none missed and none twice."""
    first = client.post("/v1/jobs", {"text": "One."}).json["id"]
    second = client.post("/v1/jobs", {"text": "Two."}).json["id"]
    third = client.post("/v1/jobs", {"text": "Three."}).json["id"]
    stream = Stream(client)
    cancel(database, first)
    event = stream.next()
    assert event["event"] == "job.cancelled"
    assert json.loads(event["data"])["subject"] == first
    stream.close()
    cancel(database, second)
    again = Stream(client, last=event["id"])
    assert json.loads(again.next()["data"])["subject"] == second
    cancel(database, third)
    assert json.loads(again.next()["data"])["subject"] == third
    again.close()


def test_a_stream_hears_of_its_own_tenant_alone(client: Client, database: Database) -> None:
    """And of the types that were asked for."""
    stream = Stream(client, "/v1/events/stream?type=batch.finished")
    with database.begin() as connection:
        events.record(connection, "batch.finished", "theirs", {}, tenant="globex", now=NOW)
        events.record(connection, "job.failed", "mine", {}, tenant="acme", now=NOW)
        events.record(connection, "batch.finished", "mine", {}, tenant="acme", now=NOW)
    event = stream.next()
    stream.close()
    assert (event["event"], json.loads(event["data"])["subject"]) == ("batch.finished", "mine")


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        (None, SOUND),
        ("bytes=0-9", SOUND[:10]),
        ("bytes=100-", SOUND[100:]),
        ("bytes=-7", SOUND[-7:]),
        ("bytes=0-99999999", SOUND),
        ("bytes=5-1", SOUND),
        ("bytes=0-1,4-5", SOUND),
        ("lines=1-2", SOUND),
    ],
)
def test_audio_is_streamed_whole_or_in_part(
    gateway: Running, client: Client, tmp_path: Path, wanted: str | None, part: bytes
) -> None:
    """As RFC 9110 has it: one range; what can't be understood is the whole."""
    job = a_spoken_job(gateway, tmp_path)
    reply = client("GET", f"/v1/jobs/{job}/audio", headers={} if wanted is None else {"Range": wanted})
    assert reply.body == part
    assert reply.status == (206 if "content-range" in reply.headers else 200)
    assert reply.headers["content-type"] == "audio/wav"
    assert reply.headers["content-disposition"] == "attachment; filename*=UTF-8''hello.wav"


@pytest.mark.parametrize("wanted", ["bytes=99999999-", "bytes=-0"])
def test_a_missing_range_is_refused(gateway: Running, client: Client, tmp_path: Path, wanted: str) -> None:
    """With the size, so that the client can ask for another."""
    reply = client("GET", f"/v1/jobs/{a_spoken_job(gateway, tmp_path)}/audio", headers={"Range": wanted})
    assert (reply.status, reply.headers["content-range"]) == (416, f"bytes */{len(SOUND)}")


def test_missing_audio_is_a_problem(gateway: Running, client: Client, tmp_path: Path) -> None:
    """Not yet stored, deleted, or at an address outside the store."""
    waiting = client.post("/v1/jobs", {"text": "Wait."}).json["id"]
    assert client.get(f"/v1/jobs/{waiting}/audio").trouble == "conflict"
    job = a_spoken_job(gateway, tmp_path)
    (tmp_path / "audio/acme/jobs/hello.wav").unlink()
    assert client.get(f"/v1/jobs/{job}/audio").trouble == "gone"
    (tmp_path / "secret").write_bytes(b"secret")
    outside = a_spoken_job(gateway, tmp_path, name="outside")
    with gateway.gateway.database.begin() as connection:
        connection.execute(update(Job).where(Job.id == outside).values(uri=(tmp_path / "secret").as_uri()))
    assert client.get(f"/v1/jobs/{outside}/audio").trouble == "gone"


def test_an_object_that_is_gone_from_a_bucket_is_answered_with_410(
    on_sqlite: Database, s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted, or replaced under its key: never a redirect to it."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    with running(on_sqlite, TTSQ_ARTIFACTS_URL=s3.url) as started:
        client, jobs = started.client(), {}
        for name in ("kept", "deleted", "replaced"):
            jobs[name] = a_spoken_job(started, tmp_path, name=name)
        store = started.gateway.destinations.store(started.gateway.destinations.default_url)
        store.delete("acme/jobs/deleted.wav")
        store_bytes(store, "acme/jobs/replaced.wav", b"another", tmp_path)
        statuses = {name: client.get(f"/v1/jobs/{job}/audio").status for name, job in jobs.items()}
    assert statuses == {"kept": 302, "deleted": 410, "replaced": 410}


def test_a_batch_comes_as_json_or_as_a_sheet(client: Client) -> None:
    """With its counts; the same Idempotency-Key makes it once; a sheet's faults name their lines."""
    made = client.post("/v1/batches", {"name": "ab", "jobs": [{"text": "A."}, {"text": "B.", "custom_id": "b"}]})
    assert (made.status, made.json["counts"], made.json["total"]) == (202, {"queued": 2}, 2)
    sheet = b"text,voice_1,custom_id\nOne.,Kore,1\nTwo.,,2\n"
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "s-1"}
    first = client("POST", "/v1/batches?name=sheet&voice_1=Puck&max_cost=1.5", sheet, headers=headers)
    again = client("POST", "/v1/batches?name=sheet&voice_1=Puck&max_cost=1.5", sheet, headers=headers)
    assert (first.status, first.json["max_cost"], again.json["id"]) == (202, "1.5", first.json["id"])
    other = client("POST", "/v1/batches?name=sheet", sheet, headers=headers)
    assert other.trouble == "idempotency-key-reused"
    broken = client("POST", "/v1/batches", b"text,voice_1\n,Kore\nx,Zephir\n", headers={"Content-Type": "text/csv"})
    assert [(fault["line"], fault["field"]) for fault in broken.json["faults"]] == [(2, "text"), (3, "voice_1")]
    lines = [json.loads(line) for line in client.get(f"/v1/batches/{first.json['id']}/results").body.splitlines()]
    assert [(line["text"], line["voice_1"]) for line in lines] == [("One.", "Kore"), ("Two.", "Puck")]
    assert len(client.get("/v1/batches").json["batches"]) == 2
    assert client.post(f"/v1/batches/{first.json['id']}/cancel").json == {"jobs": 2}
    assert client.get(f"/v1/batches/{first.json['id']}").json["finished"]
    assert client.post(f"/v1/batches/{first.json['id']}/retry").json == {"jobs": 2}
    events_seen = [event["type"] for event in client.get("/v1/events").json["events"]]
    assert events_seen == ["job.cancelled", "job.cancelled"]


def test_every_fault_of_a_json_batch_is_said_at_once(client: Client) -> None:
    """With the place of each job, names that stand twice included."""
    jobs = [{"text": "A.", "custom_id": "a"}, {"text": ""}, {"text": "C.", "custom_id": "a", "voice": "Kore"}]
    reply = client.post("/v1/batches", {"jobs": [*jobs, {"text": "D.", "custom_id": "a"}]})
    assert [fault["field"] for fault in reply.json["faults"]] == ["jobs.1.text", "jobs.2.voice", "jobs.3.custom_id"]
    assert client.get("/v1/batches").json["batches"] == []


def test_a_batch_comes_as_an_archive(gateway: Running, client: Client, tmp_path: Path, database: Database) -> None:
    """All audio that is there under its own name, and a list of everything beside it."""
    with database.begin() as connection:
        batch = add_batch(connection, tenant="acme", total=2)
        add_job(connection, tenant="acme", batch_id=batch, custom_id="open")
    a_spoken_job(gateway, tmp_path, batch_id=batch, custom_id="hello")
    reply = client.get(f"/v1/batches/{batch}/zip")
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.testzip() is None
        assert archive.read("hello.wav") == SOUND
        assert len(archive.read("results.jsonl").splitlines()) == 2
        assert len(archive.namelist()) == 2


def test_an_archive_holds_no_name_twice(gateway: Running, client: Client, tmp_path: Path, database: Database) -> None:
    """Folders of a key are dropped, and some systems unpack names that differ in case to one file."""
    with database.begin() as connection:
        batch = add_batch(connection, tenant="acme", total=3)
    for folder in ("one/take", "two/take", "three/TAKE"):
        a_spoken_job(gateway, tmp_path, batch_id=batch, custom_id=folder, name=folder)
    with zipfile.ZipFile(io.BytesIO(client.get(f"/v1/batches/{batch}/zip").body)) as archive:
        names = archive.namelist()
    assert len(names) == 4
    assert len({name.casefold() for name in names}) == 4
    assert sum(name.casefold().endswith("take.wav") for name in names) == 3


def test_a_quote_counts_what_would_be_bought(client: Client) -> None:
    """The same text twice is bought once; a fresh take is bought again."""
    again = {"text": "Twice."}
    quote = client.post("/v1/quote", {"jobs": [again, again, again | {"cache": "bypass"}, {"text": "Once."}]}).json
    assert (quote["texts"], quote["calls"], quote["cached"], quote["cost"]) == (4, 3, 1, "0.0201")


def test_the_operators_routes_tell_how_things_stand(gateway: Running, client: Client) -> None:
    """Holds, gates, credits, spend, models and voices, probes and metrics."""
    assert client.get("/v1/holds").json["holds"][0]["code"] == "no_workers"
    operator = gateway.client("acme", Scope.INSTALLATION)
    closed = operator("PUT", "/v1/gates/account", {"closed": True, "reason": "lunch"})
    assert closed.json == {"name": "account", "closed": True, "changed": True}
    assert client.get("/v1/holds").json["holds"][0]["message"] == "lunch"
    assert operator("PUT", "/v1/gates/nonsense", {"closed": True}).trouble == "not-found"
    assert client.get("/v1/credits").json == {"remaining": None, "seen_at": None}
    assert client.get("/v1/spend").json == {"lines": [], "paid": "0"}
    assert len(client.get("/v1/models").json["models"]) == 2
    assert len(client.get("/v1/voices").json["voices"]) == 30
    assert gateway.stranger.get("/healthz").json == gateway.stranger.get("/readyz").json == {"status": "ok"}
    assert gateway.stranger.get("/metrics").status == 401
    shown = client.get("/metrics").body.decode()
    assert 'ttsq_gate_closed{code="operator",gate="account"} 1.0' in shown
    assert 'ttsq_http_requests_total{method="GET",route="/v1/holds",status="200"} 2.0' in shown


def test_the_dashboard_shows_the_queue(client: Client) -> None:
    """Every figure that it draws is one that `/metrics` has, and none of ours is left out of it."""
    dashboard = json.loads((DOCS / "grafana" / "ttsq.json").read_text(encoding="utf-8"))
    drawn = set(re.findall(r"ttsq_\w+", " ".join(t["expr"] for p in dashboard["panels"] for t in p["targets"])))
    told = set(re.findall(r"^# TYPE (ttsq_\w+)", client.get("/metrics").body.decode(), re.MULTILINE))
    counted = {name.removesuffix("_total").removesuffix("_bucket") for name in drawn}
    only_with_rows = {"ttsq_balance_dollars", "ttsq_pace_rpm"}
    own = {name.removesuffix("_total") for name in told if not name.endswith("_created")}
    listed = {family.name.removesuffix("_total") for family in FAMILIES if family.source is not Source.WORKER}
    assert counted == listed
    assert listed - only_with_rows == own
