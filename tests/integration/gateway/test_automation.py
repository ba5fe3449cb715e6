"""What automation tools ask for: a webhook per job, REST hooks, and a secret in a header."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from api_models.access import Scope
from api_models.event_samples import SAMPLES
from api_models.happenings import Happening
from tests.factories import NOW, add_job
from tests.gateway import Client, Running, running
from tests.integration.webhooks.harness import WebhookHarness
from tests.receiver import Receiver
from worker.store.database import Database
from worker.store.queries import filters
from worker.store.tables.jobs import Batch, Job
from worker.store.transitions import actions

RESUME = "https://n8n.example.org/webhook-waiting/17?signature=a1b2"
TARGET = "https://hooks.zapier.com/hooks/standard/1/a/"
SECRET = "a-shared-secret-of-32-characters"
INWARD = (
    "http://169.254.169.254/latest/meta-data/",
    "https://127.1/",
    "https://[::ffff:10.0.0.1]/",
    "https://localhost/",
    "ftp://example.org/",
    "https://a:b@example.org/",
)


@pytest.fixture
def gateway(database: Database) -> Iterator[Running]:
    """A gateway on each kind of database."""
    with running(database) as started:
        yield started


@pytest.fixture
def client(gateway: Running) -> Client:
    """A client with every permission."""
    return gateway.client()


@pytest.mark.parametrize("name", ["callback_url", "webhook_url"])
class TestAddressPerJob:
    """Under either name."""

    def test_a_job_is_accepted_with_its_address(self, client: Client, database: Database, name: str) -> None:
        """202 with `Location`, where the job is."""
        reply = client.post("/v1/jobs", {"text": "Good.", name: RESUME})
        assert reply.status == 202
        assert reply.headers["location"] == f"/v1/jobs/{reply.json['id']}"
        assert client.get(reply.headers["location"]).json["id"] == reply.json["id"]
        with database.read() as connection:
            assert connection.execute(select(Job.callback_url)).scalars().all() == [RESUME]
        assert RESUME not in str(reply.json), "an address to resume at is a secret"

    def test_a_batch_and_a_sheet_are_too(self, client: Client, database: Database, name: str) -> None:
        """In the body of one, in the query of the other."""
        made = client.post("/v1/batches", {"jobs": [{"text": "Good."}], name: RESUME})
        address = "https%3A%2F%2Fexample.org%2Fa"
        sheet = client("POST", f"/v1/batches?{name}={address}", b"text\nGood.\n", headers={"Content-Type": "text/csv"})
        assert (made.status, sheet.status) == (202, 202), sheet
        assert made.headers["location"] == f"/v1/batches/{made.json['id']}"
        with database.read() as connection:
            found = connection.execute(select(Batch.callback_url)).scalars().all()
        assert set(found) == {RESUME, "https://example.org/a"}

    @pytest.mark.parametrize("address", INWARD)
    def test_no_address_leads_inward(self, client: Client, name: str, address: str) -> None:
        """Refused under the name that was used; nothing is stored."""
        for path, body in (("/v1/jobs", {"text": "a"}), ("/v1/batches", {"jobs": [{"text": "a"}]})):
            reply = client.post(path, {**body, name: address})
            assert reply.status == 422, reply
            assert reply.json["faults"][0]["field"] == name
        assert client.get("/v1/jobs").json["jobs"] == []

    def test_a_job_of_a_batch_has_none(self, client: Client, name: str) -> None:
        """The batch has one."""
        reply = client.post("/v1/batches", {"jobs": [{"text": "a"}, {"text": "b", name: RESUME}]})
        assert reply.json["faults"][0]["field"] == f"jobs.1.{name}"


def test_two_addresses_are_refused(client: Client) -> None:
    """Neither is ignored silently."""
    both = {"callback_url": RESUME, "webhook_url": RESUME}
    for path, body in (("/v1/jobs", {"text": "a"}), ("/v1/batches", {"jobs": [{"text": "a"}]})):
        (fault,) = client.post(path, {**body, **both}).json["faults"]
        assert fault["field"] == "webhook_url"


class TestSubscriptions:
    """REST hooks."""

    def test_subscribe_receive_unsubscribe(self, database: Database) -> None:
        """The event arrives flat; the address receives nothing after its end."""
        with running(database, TTSQ_WEBHOOK_ALLOW="127.0.0.0/8") as gateway, Receiver() as receiver:
            client, harness = gateway.client(), WebhookHarness(database)
            made = client.post("/v1/subscriptions", {"target_url": receiver.url, "event": "job.cancelled"})
            assert made.status == 201
            assert client.get(made.headers["location"]).json == made.json
            end_a_job(database)
            assert harness.work() == 1
            assert receiver.messages[0].json["status"] == "cancelled"
            assert client("DELETE", made.headers["location"]).status == 204
            assert client("DELETE", made.headers["location"]).status == 404
            end_a_job(database)
            assert harness.work() == 0

    def test_subscribing_twice_sends_once(self, client: Client) -> None:
        """A tool that retries has one subscription; another event or secret is another one."""
        first = client.post("/v1/subscriptions", {"target_url": TARGET, "event": "job.succeeded"})
        again = client.post("/v1/subscriptions", {"target_url": TARGET, "event": "job.succeeded"})
        client.post("/v1/subscriptions", {"target_url": TARGET, "event": "job.failed"})
        assert (first.status, again.status) == (201, 200)
        assert first.json == again.json
        listed = client.get("/v1/subscriptions").json["subscriptions"]
        assert [one["event"] for one in listed] == ["job.succeeded", "job.failed"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            *(({"target_url": address, "event": "job.failed"}, "target_url") for address in INWARD),
            ({"target_url": TARGET, "event": "job.done"}, "event"),
            ({"target_url": TARGET}, "event"),
            ({"event": "job.failed"}, "target_url"),
            ({"target_url": TARGET, "event": "job.failed", "events": []}, "events"),
        ],
    )
    def test_bad_input_is_named(self, client: Client, body: dict[str, str], field: str) -> None:
        """Nothing is subscribed."""
        reply = client.post("/v1/subscriptions", body)
        assert (reply.status, reply.json["faults"][0]["field"]) == (422, field)
        assert client.get("/v1/subscriptions").json["subscriptions"] == []

    def test_a_tenant_sees_its_own(self, gateway: Running, client: Client) -> None:
        """Another tenant's is not found, nor is an endpoint that is no subscription."""
        made = client.post("/v1/subscriptions", {"target_url": TARGET, "event": "job.failed"}).json
        other = gateway.client("globex")
        assert other("DELETE", f"/v1/subscriptions/{made['id']}").status == 404
        assert other.get("/v1/subscriptions").json["subscriptions"] == []
        endpoint = client.post("/v1/endpoints", {"url": TARGET}).json
        assert client("DELETE", f"/v1/subscriptions/{endpoint['id']}").status == 404

    def test_scopes_are_those_of_endpoints(self, gateway: Running) -> None:
        """A key that submits and reads cannot have events sent elsewhere."""
        client = gateway.client("acme", Scope.SUBMIT, Scope.READ)
        assert client.post("/v1/subscriptions", {"target_url": TARGET, "event": "job.failed"}).status == 403
        assert client.get("/v1/subscriptions/samples?event=job.failed").status == 200

    def test_samples_are_made_until_there_are_events(self, client: Client, database: Database) -> None:
        """Then they are the tenant's own, with the same names."""
        (made,) = client.get("/v1/subscriptions/samples?event=job.cancelled").json
        client.post("/v1/subscriptions", {"target_url": TARGET, "event": "job.cancelled"})
        ended = end_a_job(database)
        (real,) = client.get("/v1/subscriptions/samples?event=job.cancelled").json
        assert real["id"] == str(ended) != made["id"]
        assert set(real) == set(made)

    def test_every_event_type_is_listed(self, client: Client) -> None:
        """Each with a sample."""
        listed = client.get("/v1/subscriptions/events").json["events"]
        assert [one["event"] for one in listed] == [str(kind) for kind in Happening]
        assert all(one["sample"]["data"] == SAMPLES[Happening(one["event"])] for one in listed)


class TestSecretHeader:
    """Of endpoints and subscriptions."""

    def test_it_is_set_changed_removed_and_never_shown(self, client: Client) -> None:
        """Its name is."""
        given = {"url": TARGET, "flat": True, "header_name": "X-Webhook-Token", "header_value": SECRET}
        made = client.post("/v1/endpoints", given)
        assert (made.status, made.json["header_name"], made.json["flat"]) == (201, "X-Webhook-Token", True)
        place = made.headers["location"]
        changed = client("PATCH", place, {"header_name": "Authorization", "header_value": f"Bearer {SECRET}"})
        assert changed.json["header_name"] == "Authorization"
        for reply in (made, changed, client.get(place), client.get("/v1/endpoints"), client.get(f"{place}/secret")):
            assert SECRET not in reply.body.decode()
        assert client("PATCH", place, {"flat": False}).json["header_name"] == "Authorization"
        assert client("PATCH", place, {"header_name": None, "header_value": None}).json["header_name"] is None

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"header_name": "X-A"}, "header_value"),
            ({"header_value": SECRET}, "header_value"),
            ({"header_name": "X-A", "header_value": "short"}, "header_value"),
            ({"header_name": "X-A", "header_value": f"{SECRET}\r\nX-B: c"}, "header_value"),
            ({"header_name": "X-A", "header_value": f'{SECRET}"'}, "header_value"),
            ({"header_name": "X A", "header_value": SECRET}, "header_name"),
            ({"header_name": "X-A\r\nHost", "header_value": SECRET}, "header_name"),
            *(
                ({"header_name": name, "header_value": SECRET}, "header_name")
                for name in (
                    "Host",
                    "content-length",
                    "Webhook-Id",
                    "SVIX-Signature",
                    "Transfer-Encoding",
                    "User-Agent",
                )
            ),
        ],
    )
    def test_bad_headers_are_refused(self, client: Client, given: dict[str, Any], field: str) -> None:
        """With the field; the value is not repeated."""
        for path, body in (
            ("/v1/endpoints", {"url": TARGET}),
            ("/v1/subscriptions", {"target_url": TARGET, "event": "job.failed"}),
        ):
            reply = client.post(path, {**body, **given})
            assert (reply.status, reply.json["faults"][0]["field"]) == (422, field), reply
            assert SECRET not in reply.body.decode()

    def test_callbacks_have_none(self, client: Client) -> None:
        """A key that submits could have the secret sent to itself."""
        client.post("/v1/jobs", {"text": "a", "webhook_url": RESUME})
        (own,) = client.get("/v1/endpoints").json["endpoints"]
        assert (own["url"], own["flat"]) == (None, True)
        reply = client("PATCH", f"/v1/endpoints/{own['id']}", {"header_name": "X-A", "header_value": SECRET})
        assert (reply.status, reply.trouble) == (409, "conflict")


def end_a_job(database: Database) -> object:
    """End a job of `acme` whose end has a subscriber."""
    with database.begin() as connection:
        job = add_job(connection, tenant="acme", notify=True)
        actions.cancel(connection, filters.selection(job_ids=[job]), now=NOW)
    return job


def test_a_stream_names_where_it_begins(client: Client, database: Database) -> None:
    """A client that loses it before the first event resumes there, and misses nothing."""
    end_a_job(database)
    place = urlsplit(client.address)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    connection.request("GET", "/v1/events/stream", headers={"Authorization": f"Bearer {client.key}"})
    block = b"".join(iter(connection.getresponse().readline, b"\n")).decode()
    connection.close()
    newest = client.get("/v1/events").json["next_after"]
    assert f"id: {newest}\n" in block
