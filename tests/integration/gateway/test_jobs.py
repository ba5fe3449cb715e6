"""Jobs over HTTP: what is answered, and what is a row then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from api_models.access import Scope
from api_models.jobs import JobPage, JobView
from api_models.status import JobStatus
from tests.cluster.waiting import wait_for
from tests.factories import NOW, add_attempt, add_job, stored
from tests.gateway import Client, Running, running
from worker.store.database import Database


@pytest.fixture
def gateway(database: Database) -> Iterator[Running]:
    """A gateway that asks for keys, once on each kind of database."""
    with running(database) as started:
        yield started


@pytest.fixture
def client(gateway: Running) -> Client:
    """A client of the tenant `acme` with every permission."""
    return gateway.client()


def test_a_job_that_is_accepted_is_a_row(gateway: Running, client: Client, database: Database) -> None:
    """202 names the place of the job, which stands in the database with everything that was said of it."""
    wanted = {"text": "Mind the gap.", "voice_1": "Kore", "tags": ["station", "night"], "priority": 5}
    reply = client.post("/v1/jobs", wanted)
    assert reply.status == 202, reply
    view = JobView.model_validate_json(reply.body)
    assert reply.headers["location"] == f"/v1/jobs/{view.id}"
    with database.read() as connection:
        row = stored(connection, view.id)
    assert (row.text, row.voice_1, row.tags, row.priority) == ("Mind the gap.", "Kore", ",station,night,", 5)
    assert (row.tenant, row.status, row.notify) == ("acme", JobStatus.QUEUED, True)
    assert client.get(reply.headers["location"]).json == reply.json
    assert gateway.stranger.get(reply.headers["location"]).status == 401


def test_the_request_id_of_an_accepted_job_is_in_the_log(client: Client) -> None:
    """A client quotes its `X-Request-Id`; reading is logged only where it fails."""
    with capture_logs(processors=[merge_contextvars]) as logs:
        accepted = client.post("/v1/jobs", {"text": "Mind the gap."})
        client.get(accepted.headers["location"])
        wait_for(lambda: [line for line in logs if line["event"] == "request"], seconds=20, what="a line of it")
    (line,) = (line for line in logs if (line["event"], line["log_level"]) == ("request", "info"))
    assert (line["request"], line["status"]) == (accepted.headers["x-request-id"], 202)


def test_every_fault_of_a_body_is_said_at_once(client: Client) -> None:
    """Each with its field, in words that tell what would be right."""
    reply = client.post("/v1/jobs", {"text": "", "voice_1": "Zephir", "temperature": 9, "txet": "x"})
    assert (reply.status, reply.trouble) == (422, "invalid-input")
    faults = {fault["field"]: fault["message"] for fault in reply.json["faults"]}
    assert faults.keys() == {"text", "voice_1", "temperature", "txet"}
    assert faults["txet"] == 'is not a known field; did you mean "text"?'
    assert faults["voice_1"].startswith('no voice "Zephir"; did you mean "Zephyr"?')


def test_the_same_idempotency_key_makes_one_job(client: Client) -> None:
    """The same request again returns the first job; another request under the key is refused."""
    first = client.post("/v1/jobs", {"text": "Once."}, Idempotency_Key="k-1")
    again = client.post("/v1/jobs", {"text": "Once."}, Idempotency_Key="k-1")
    other = client.post("/v1/jobs", {"text": "Twice."}, Idempotency_Key="k-1")
    assert (first.status, again.status, other.status) == (202, 202, 409)
    assert first.json["id"] == again.json["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert other.trouble == "idempotency-key-reused"
    assert len(client.get("/v1/jobs").json["jobs"]) == 1


def test_an_idempotency_key_is_its_tenants_own(gateway: Running, client: Client) -> None:
    """Another tenant's key of the same name is another key."""
    first = client.post("/v1/jobs", {"text": "Once."}, Idempotency_Key="k-1")
    other = gateway.client("globex").post("/v1/jobs", {"text": "Once."}, Idempotency_Key="k-1")
    assert other.status == 202
    assert other.json["id"] != first.json["id"]


def test_a_list_goes_page_by_page_through_all_that_fits(client: Client, database: Database) -> None:
    """The newest first, each once; every filter leaves out what doesn't fit."""
    with database.begin() as connection:
        for number in range(7):
            failed = {"status": JobStatus.FAILED, "code": "invalid_request"} if number % 2 else {}
            add_job(
                connection,
                tenant="acme",
                tags=",a_b,c," if number < 3 else None,
                created_at=NOW + timedelta(minutes=number),
                **failed,
            )
        add_job(connection, tenant="globex")
    ids: list[str] = []
    path = "/v1/jobs?limit=3"
    while path:
        reply = JobPage.model_validate_json(client.get(path).body)
        ids += [str(job.id) for job in reply.jobs]
        path = f"/v1/jobs?limit=3&cursor={reply.next_cursor}" if reply.next_cursor else ""
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 7

    def found(query: str) -> int:
        return len(client.get(f"/v1/jobs?{query}").json["jobs"])

    assert found("status=failed") == 3
    assert found("status=failed&status=queued") == 7
    assert found("tag=a_b") == 3
    assert found("tag=aXb") == 0, "an underscore is no wildcard"
    assert found("code=invalid_request&tag=c") == 1
    assert found("since=2026-11-21T10:03:00Z&until=2026-11-21T10:05:00Z") == 2


def test_an_unknown_parameter_is_refused(client: Client) -> None:
    """A misspelt filter would otherwise show everything."""
    reply = client.get("/v1/jobs?state=failed")
    assert reply.status == 422
    assert reply.json["faults"][0]["message"] == 'is not a parameter of this request; did you mean "status"?'


def test_attempts_show_what_each_cost(client: Client, database: Database) -> None:
    """The ledger of one job."""
    with database.begin() as connection:
        job = add_job(connection, tenant="acme")
        add_attempt(connection, job_id=job, cost=Decimal("0.0067"))
    assert client.get(f"/v1/jobs/{job}/attempts").json["attempts"][0]["cost"] == "0.0067"


def test_cancel_and_retry_change_the_row(client: Client) -> None:
    """Each answers with the job as it is then; what makes no sense is a conflict."""
    job = client.post("/v1/jobs", {"text": "Wait."}).json["id"]
    assert client.post(f"/v1/jobs/{job}/retry").trouble == "conflict"
    assert client.post(f"/v1/jobs/{job}/cancel").json["status"] == "cancelled"
    assert client.post(f"/v1/jobs/{job}/cancel").json["status"] == "cancelled"
    assert client.post(f"/v1/jobs/{job}/retry").json["status"] == "queued"


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        (Scope.READ, "POST", "/v1/jobs"),
        (Scope.SUBMIT, "GET", "/v1/jobs"),
        (Scope.READ, "POST", "/v1/jobs/0190a000-0000-7000-8000-000000000000/cancel"),
        (Scope.OPERATE, "POST", "/v1/endpoints"),
    ],
)
def test_a_key_does_only_what_it_was_made_for(gateway: Running, scope: Scope, method: str, path: str) -> None:
    """Another scope than the route's is refused, whatever is asked."""
    reply = gateway.client("acme", scope)(method, path, {"text": "x"} if method == "POST" else None)
    assert (reply.status, reply.trouble) == (403, "not-permitted")


def test_a_rate_is_kept(gateway: Running) -> None:
    """Requests above the rate get 429 and a Retry-After."""
    slow = gateway.client("acme", rate=12)
    assert slow.get("/v1/models").status == 200
    refused = slow.get("/v1/models")
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 5


def test_a_budget_refuses_what_it_does_not_cover(gateway: Running) -> None:
    """What the key's jobs have cost, and may still cost, counts; looking is free."""
    poor = gateway.client("acme", budget=Decimal("0.01"))
    assert poor.post("/v1/jobs", {"text": "One."}).status == 202
    assert poor.post("/v1/jobs", {"text": "Two."}).status == 202
    refused = poor.post("/v1/jobs", {"text": "Three."})
    assert (refused.status, refused.trouble) == (402, "budget-exhausted")
    assert len(poor.get("/v1/jobs").json["jobs"]) == 2


def test_an_open_door_answers_to_this_machine_alone(database: Database) -> None:
    """Without keys, a page that a browser loaded from elsewhere gets nothing, by whatever name it comes."""
    with running(database, open_door=True) as gateway:
        assert gateway.stranger.get("/v1/jobs").status == 200
        assert gateway.stranger.get("/v1/jobs", Host="evil.example").status == 403
        assert gateway.stranger.get("/v1/jobs", Origin="https://evil.example").status == 403
        assert gateway.stranger.get("/v1/jobs", Authorization="Bearer wrong").status == 401
