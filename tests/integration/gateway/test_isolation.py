"""No key sees another tenant's: shown by walking through every route of the description."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import pytest

from tests.factories import add_attempt, add_batch, add_job
from tests.gateway import Client, Reply, Running, running
from tests.integration.webhooks.harness import WebhookHarness, add_endpoint, ids, record_events
from worker.store import documents
from worker.store.database import Database
from worker.store.outbox import deliveries

SECRET_WORD: Final = "a word that only acme may read"
BODIES: Final[dict[tuple[str, str], Any]] = {
    ("patch", "/v1/endpoints/{endpoint_id}"): {"thin": True},
    ("post", "/v1/endpoints/{endpoint_id}/redeliver"): {
        "since": "2020-01-01T00:00:00Z",
        "until": "2030-01-01T00:00:00Z",
    },
}
SHARED: Final = frozenset({"/v1/hooks/{name}", "/v1/gates/{name}"})
"""Paths whose parameter names nothing that belongs to a tenant: a hook asks for its sender's signature instead of a
key, and gates are the whole installation's, which is what the scope `admin` is for."""

NAMED: Final = {
    "/v1/casts/{name}": {"roles": {"Anna": "Kore"}},
    "/v1/lexicons/{name}": {"rules": [{"match": SECRET_WORD, "say": "nothing"}]},
}
"""Paths whose names are each tenant's own, and what acme has there. A PUT makes one of its caller's."""


@pytest.fixture
def gateway(database: Database) -> Iterator[Running]:
    """A gateway, and something of acme's in every table."""
    with running(database) as started:
        yield started


def of_acme(database: Database) -> dict[str, UUID]:
    """What there is of acme's, by the parameter that names it."""
    with database.begin() as connection:
        batch = add_batch(connection, tenant="acme", name=SECRET_WORD)
        job = add_job(connection, tenant="acme", batch_id=batch, text=SECRET_WORD, tags=",theirs,")
        add_attempt(connection, job_id=job, tenant="acme", message=SECRET_WORD)
        documents.add(connection, [documents.DocumentRecord(job, plan="", style="{}")])
    endpoint = add_endpoint(database, "http://127.0.0.1:9/acme")
    record_events(database, *ids(1))
    WebhookHarness(database).work()
    with database.read() as connection:
        (delivery,) = deliveries.listed(connection, most=2)
    subscription = add_endpoint(database, "http://127.0.0.1:9/acme", flat=True, events="job.succeeded")
    return {
        "job_id": job,
        "document_id": job,
        "batch_id": batch,
        "endpoint_id": endpoint.id,
        "delivery_id": delivery.id,
        "subscription_id": subscription.id,
    }


def test_for_every_route_anothers_key_gets_404(gateway: Running, database: Database) -> None:
    """With the same status, words and headers as for what doesn't exist, and nothing is changed by it."""
    theirs = of_acme(database)
    file = {"name": "manifest.csv", "kind": "vtt"}
    nobodys = dict.fromkeys(theirs, UUID(int=0xDEAD))
    acme, globex = gateway.client("acme"), gateway.client("globex")
    for path, content in NAMED.items():
        assert acme("PUT", path.format_map(file), content).status == 200
    walked = 0
    for path, operations in acme.get("/openapi.json").json["paths"].items():
        names = re.findall(r"{(\w+)}", path)
        if not names or path in SHARED:
            continue
        for method in operations.keys() - ({"put"} if path in NAMED else set()):
            body = BODIES.get((method, path))
            found = globex(method.upper(), path.format_map(theirs | file), body)
            assert (found.status, found.trouble) == (404, "not-found"), (method, path)
            assert said(found) == said(globex(method.upper(), path.format_map(nobodys | file), body)), (method, path)
            assert gateway.stranger(method.upper(), path.format_map(theirs | file), body).status == 401
            walked += 1
    assert walked >= 18
    for path in NAMED:
        assert acme.get(path.format_map(file)).status == 200, "it is still there"
    for name, value in theirs.items():
        path = {"batch_id": "batches", "delivery_id": "deliveries"}.get(name, f"{name.removesuffix('_id')}s")
        assert acme.get(f"/v1/{path}/{value}").status == 200, "it is still there"


def said(reply: Reply) -> tuple[Any, ...]:
    """Everything but what differs from request to request."""
    words = {name: value for name, value in reply.json.items() if name != "instance"}
    return reply.status, words, sorted(reply.headers)


def test_no_list_shows_anothers(gateway: Running, database: Database) -> None:
    """Whatever is asked for: lists, filters, events, spend and figures of another tenant have nothing of acme's."""
    of_acme(database)
    acme, globex = gateway.client("acme"), gateway.client("globex")
    lists = [
        path
        for path, operations in acme.get("/openapi.json").json["paths"].items()
        if "get" in operations and "{" not in path and path != "/v1/events/stream"
    ]
    assert len(lists) >= 12
    for path in [*lists, "/v1/jobs?tag=theirs", "/v1/spend?by=batch", "/v1/spend?by=tenant", "/v1/events?after=0"]:
        text = globex.get(path).body.decode()
        assert SECRET_WORD not in text, path
        assert "acme" not in text, path
    assert SECRET_WORD in acme.get("/v1/jobs").body.decode()
    assert SECRET_WORD in acme.get("/v1/batches").body.decode()


def test_every_route_asks_for_a_key(gateway: Running) -> None:
    """But the probes, the description, and hooks, which ask for a signature."""
    free = {"/healthz", "/readyz", "/v1/hooks/{name}"}
    client: Client = gateway.stranger
    for path, operations in client.get("/openapi.json").json["paths"].items():
        for method, operation in operations.items():
            if path in free:
                assert "security" not in operation
                continue
            assert operation["security"] == [{"key": []}]
            reply = client(method.upper(), path.replace("{", "").replace("}", ""))
            assert (reply.status, reply.trouble) == (401, "no-key"), path
            assert reply.headers["www-authenticate"].startswith("Bearer")
