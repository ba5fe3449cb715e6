"""The description of the API: stable names, a page without scripts, links that lead back through a proxy."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_models.status import JobStatus
from tests.factories import add_job
from tests.gateway import Running, running
from tests.integration.webhooks.harness import LOOPBACK, add_endpoint
from tests.receiver import Receiver
from tests.servers import forked
from tests.servers.ports import free_port
from worker.gateway import docs_page
from worker.store.database import Database
from worker.store.transitions import event_writer
from worker.webhooks import signatures
from worker.webhooks.delivery import Deliverer
from worker.webhooks.relay import OutboxRelay
from worker.webhooks.sender import Sender

BASE = "https://example.org/speech"


@pytest.fixture
def gateway(on_sqlite: Database) -> Iterator[Running]:
    """A gateway behind a proxy that ends TLS and cuts a prefix off."""
    with running(on_sqlite, TTSQ_GATEWAY_URL=f"{BASE}/") as started:
        yield started


def test_operations_have_names_for_generated_clients(gateway: Running) -> None:
    """In camel case, each once, with a tag that is described; and every answer is described by itself."""
    schema = gateway.stranger.get("/openapi.json").json
    operations = [one for methods in schema["paths"].values() for one in methods.values()]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name) for name in names), names
    assert {"createJob", "getJob", "listJobs", "createBatch", "streamEvents", "receiveWebhook"} <= set(names)
    known = {tag["name"] for tag in schema["tags"]}
    assert all(tag["description"] for tag in schema["tags"])
    assert all(set(one["tags"]) <= known and one["tags"] for one in operations)
    assert schema["servers"] == [{"url": BASE}]
    for one in operations:
        described = {status: answer["description"] for status, answer in one["responses"].items()}
        assert all(described.values()), one
        errors = [said for status, said in described.items() if status[0] in "45"]
        assert len(errors) == len(set(errors)), "one for each status"


def test_the_page_needs_nothing_from_elsewhere(gateway: Running) -> None:
    """No script, no address but its own, and the one style that its policy permits by its checksum."""
    reply = gateway.stranger.get("/docs")
    assert reply.headers["content-type"].startswith("text/html")
    policy = reply.headers["content-security-policy"]
    assert policy == docs_page.POLICY
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = reply.body.decode()
    assert "<script" not in page
    assert "style=" not in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["openapi.json"]
    for name in ("createJob", "Idempotency-Key", "POST", f"{BASE}/v1/jobs"):
        assert name in page


def test_links_begin_with_the_public_address(gateway: Running) -> None:
    """`Location` and the audio's URL, which a client behind the prefix follows."""
    client = gateway.client("acme")
    made = client.post("/v1/jobs", {"text": "Good morning."})
    assert made.headers["location"] == f"{BASE}/v1/jobs/{made.json['id']}"
    batch = client.post("/v1/batches", {"jobs": [{"text": "Good morning."}]})
    assert batch.headers["location"] == f"{BASE}/v1/batches/{batch.json['id']}"
    endpoint = client.post("/v1/endpoints", {"url": "https://example.org/hook"})
    assert endpoint.headers["location"] == f"{BASE}/v1/endpoints/{endpoint.json['id']}"
    with gateway.gateway.database.begin() as connection:
        job_id = add_job(connection, tenant="acme", status=JobStatus.SUCCEEDED, notify=True)
        event_writer.ended(connection, [job_id], now=gateway.gateway.database.now(connection))
    expected = f"{BASE}/v1/jobs/{job_id}/audio"
    assert client.get(f"/v1/jobs/{job_id}").json["audio"]["url"] == expected
    (event,) = client.get("/v1/events").json["events"]
    assert event["data"]["audio"]["url"] == expected


def test_a_message_about_a_job_has_the_address_of_its_audio(on_sqlite: Database) -> None:
    """In full where the public address is known, and as a path where it isn't."""
    for base in ("", BASE):
        with Receiver() as receiver:
            add_endpoint(on_sqlite, receiver.url, tenant=f"tenant{len(base)}")
            with on_sqlite.begin() as connection:
                job_id = add_job(connection, tenant=f"tenant{len(base)}", status=JobStatus.SUCCEEDED, notify=True)
                event_writer.ended(connection, [job_id], now=on_sqlite.now(connection))
            posted: list[object] = []
            relay = OutboxRelay(on_sqlite, lambda due, posted=posted: posted.extend(due) or ())  # type: ignore[misc]
            while relay.run_once():
                pass
            for due in posted:
                Deliverer(on_sqlite, Sender(LOOPBACK), public_base=base).run(due)  # type: ignore[arg-type]
            assert receiver.messages[0].json["data"]["audio"]["url"] == f"{base}/v1/jobs/{job_id}/audio"


def test_refused_loopback_names_the_setting_that_permits_it(gateway: Running) -> None:
    """A first try on one machine needs it."""
    client = gateway.client("acme")
    for url in ("http://127.0.0.1:9000/hook", "http://localhost:9000/hook", "https://10.0.0.1/", "http://hooks.lan/"):
        for path, body in (("/v1/endpoints", {"url": url}), ("/v1/jobs", {"text": "Good.", "callback_url": url})):
            reply = client.post(path, body)
            assert reply.status == 422
            assert "TTSQ_WEBHOOK_ALLOW=" in reply.json["faults"][0]["message"]


def test_messages_are_received_and_verified_at_a_terminal(tmp_path: Path, migrated_file: Path) -> None:
    """By the secrets of the queue's endpoints; a message with another signature is shown as such."""
    path = tmp_path / "queue.db"
    shutil.copyfile(migrated_file, path)
    database = Database(f"sqlite:///{path}")
    port = free_port()
    command = [sys.executable, "-m", "worker.cli", "webhooks", "listen", "--port", str(port), "--count", "2"]
    environment = {"TTSQ_DATABASE_URL": f"sqlite:///{path}"}
    with forked.start(command, cwd=tmp_path, env=os.environ | environment, stdout=-1, stderr=-1, text=True) as process:
        try:
            assert process.stderr is not None
            assert f"http://127.0.0.1:{port}/" in process.stderr.readline()
            known = add_endpoint(database, f"http://127.0.0.1:{port}/")
            deliver(database, known.secret, port, "evt_1")
            deliver(database, "whsec_" + "A" * 44, port, "evt_2")
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
            database.close()
    first, second = (line for line in out.splitlines() if "evt_" in line)
    assert f"✓ signed by endpoint {known.id}" in first
    assert "✗" in second
    assert '"text": "Hello."' in out


def deliver(database: Database, secret: str, port: int, name: str) -> None:
    """One signed message."""
    body = b'{"text": "Hello."}'
    with database.read() as connection:
        now = database.now(connection)
    headers = signatures.headers([secret], name, now, body)
    assert Sender(LOOPBACK).post(f"http://127.0.0.1:{port}/", headers, body).status == 204
