"""`/v1/lexicons`, and jobs, batches, documents, hooks and quotes that name a lexicon."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from api_models.lexicons import LexiconRule
from api_models.schemes import Scheme
from api_models.speech import JobRequest
from api_models.wording import Clean
from tests.factories import NOW
from tests.gateway import Client, Running, running
from tests.integration.gateway.test_hooks import a_hook, send
from worker.producer import enqueue, enqueue_many
from worker.store import lexicons
from worker.store.database import Database
from worker.text.preparation import UnknownLexiconError

RULES = {"rules": [{"match": "Nguyen", "say": "win"}, {"match": "NASA", "spell": True}]}
WRITTEN, SPOKEN = "Mr Nguyen of NASA.", "Mr win of N A S A."


@pytest.fixture
def gateway(database: Database) -> Iterator[Running]:
    with running(database) as started:
        yield started


@pytest.fixture
def client(gateway: Running) -> Client:
    """A client of `acme` with the lexicon `brand`."""
    client = gateway.client("acme")
    assert put(client, "brand", RULES).status == 200
    return client


def put(client: Client, name: str, body: Any) -> Any:  # noqa: ANN401 - JSON
    return client("PUT", f"/v1/lexicons/{name}", body)


def test_a_lexicon_has_versions(client: Client) -> None:
    """Equal rules make no new version; older versions stay readable; removal takes all."""
    assert put(client, "brand", RULES).json["version"] == 1
    assert put(client, "brand", {"rules": RULES["rules"][:1]}).json["version"] == 2
    assert client.get("/v1/lexicons").json["lexicons"][0]["rules"] == 1
    assert client.get("/v1/lexicons/brand?version=1").json["rules"] == RULES["rules"]
    assert client.get("/v1/lexicons/brand?version=9").status == 404
    assert client("DELETE", "/v1/lexicons/brand").status == 204
    assert client.get("/v1/lexicons/brand").status == 404
    assert client("DELETE", "/v1/lexicons/brand").status == 404


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("brand", {"rules": []}, "rules"),
        ("brand", {"rules": [{"match": "a"}]}, "rules.0"),
        ("brand", {"rules": [{"match": "a", "say": "b", "ipa": "c"}]}, "rules.0.ipa"),
        ("a%20b", RULES, "name"),
    ],
)
def test_a_faulty_lexicon_is_refused(client: Client, name: str, body: Any, field: str) -> None:  # noqa: ANN401 - JSON
    reply = put(client, name, body)

    assert reply.status == 422
    assert reply.json["faults"][0]["field"] == field


def test_jobs_and_batches_keep_what_was_written(client: Client) -> None:
    """The view shows the written text, the spoken one, and the version that made it."""
    job = client.post("/v1/jobs", {"text": WRITTEN, "lexicon": "brand"}).json
    assert (job["text"], job["spoken_text"], job["lexicon"]) == (WRITTEN, SPOKEN, "brand@1")
    assert client.get(f"/v1/jobs/{job['id']}").json["spoken_text"] == SPOKEN
    made = client.post("/v1/batches", {"name": "b", "jobs": [{"text": WRITTEN, "lexicon": "brand@1"}, {"text": "Hi."}]})
    found = client.get(f"/v1/jobs?batch_id={made.json['id']}").json["jobs"]
    assert {(one["text"], one["spoken_text"]) for one in found} == {(WRITTEN, SPOKEN), ("Hi.", None)}


def test_an_unknown_lexicon_is_refused_with_its_place(client: Client) -> None:
    """Nothing is written, and another tenant's lexicon is unknown."""
    job = client.post("/v1/jobs", {"text": WRITTEN, "lexicon": "brnd"})
    assert (job.status, job.json["faults"][0]["field"]) == (422, "lexicon")
    assert 'did you mean "brand"' in job.json["detail"]
    batch = client.post("/v1/batches", {"name": "b", "jobs": [{"text": "Hi."}, {"text": "Hi.", "lexicon": "x"}]})
    assert (batch.status, batch.json["faults"][0]["field"]) == (422, "jobs.1.lexicon")
    assert client.post("/v1/jobs", {"text": WRITTEN, "lexicon": "a b"}).status == 422
    assert client.post("/v1/jobs", {"text": WRITTEN, "wording": "{}"}).status == 422
    assert client.get("/v1/jobs").json["jobs"] == []


def test_another_tenants_lexicon_is_unknown(gateway: Running, client: Client) -> None:
    other = gateway.client("other")

    assert other.post("/v1/jobs", {"text": WRITTEN, "lexicon": "brand"}).status == 422
    assert other.get("/v1/lexicons/brand").status == 404
    assert client.get("/v1/lexicons/brand").status == 200


def test_a_document_and_a_quote(client: Client) -> None:
    """The plan is made of what is spoken; equal spoken texts are one call."""
    content = base64.b64encode(WRITTEN.encode()).decode()
    body = {"name": "a.txt", "content": content, "job": {"lexicon": "brand"}}
    made = client.post("/v1/documents", body).json
    assert (made["job"]["text"], made["job"]["spoken_text"]) == (WRITTEN, SPOKEN)
    assert client.get(f"/v1/jobs/{made['job']['id']}/parts").json["parts"][0]["text"] == SPOKEN
    quoted = client.post("/v1/quote", {"jobs": [{"text": WRITTEN, "lexicon": "brand"}, {"text": SPOKEN}]}).json
    assert (quoted["texts"], quoted["calls"]) == (2, 1)
    body["job"] = {"lexicon": "brnd"}
    assert client.post("/v1/documents", body).json["faults"][0]["field"] == "job.lexicon"


def test_a_hook_names_a_lexicon(gateway: Running, client: Client, database: Database) -> None:
    a_hook(database, "news", Scheme.GITHUB, {"text": "text", "lexicon": "'brand'"})

    assert send(gateway, "news", {"text": WRITTEN}).status == 202
    assert client.get("/v1/jobs").json["jobs"][0]["spoken_text"] == SPOKEN


def test_producers_in_python(database: Database) -> None:
    """Jobs of a caller's transaction use its tenant's lexicons; an unknown one leaves nothing behind."""
    request = JobRequest(text=WRITTEN, lexicon="brand")
    with database.begin() as connection:
        lexicons.save(connection, "default", "brand", [LexiconRule(match="Nguyen", say="win")], now=NOW)
        enqueue(connection, request)
        enqueue_many(connection, [request, JobRequest(text="Hi.")] * 30, name="many")
    with database.read() as connection:
        texts = [row[0] for row in connection.exec_driver_sql("SELECT text FROM jobs WHERE wording IS NOT NULL")]
    assert texts == ["Mr win of NASA."] * 31
    with pytest.raises(UnknownLexiconError), database.begin() as connection:
        enqueue(connection, JobRequest(text=WRITTEN, lexicon="brand@7"))


def test_a_text_of_ssml_is_divided_at_its_breaks(client: Client, database: Database) -> None:
    """A short text with a break is a document; faulty markup is refused by its place; the inbox refuses breaks."""
    source = '<speak>Mr Nguyen. <break time="1s"/> Of NASA.</speak>'
    job = client.post("/v1/jobs", {"text": source, "clean": "ssml", "lexicon": "brand"}).json
    assert (job["text"], job["spoken_text"], job["parts"]) == (source, "Mr win.\n\nOf N A S A.", 2)
    refused = client.post("/v1/jobs", {"text": "A <brake/> here.", "clean": "ssml"})
    assert (refused.status, refused.json["faults"][0]["field"]) == (422, "text")
    assert "line 1, column 3: no element <brake>" in refused.json["detail"]
    two = {"text": source, "clean": "ssml", "voice_1": "Kore", "voice_2": "Puck"}
    assert "two speakers share one request" in client.post("/v1/jobs", two).json["detail"]
    assert client.post("/v1/jobs", {"text": "Hi.", "clean": "word"}).status == 422
    with database.begin() as connection:
        enqueue(connection, JobRequest(text=source, clean=Clean.SSML))
    with database.read() as connection:
        parts = connection.exec_driver_sql("SELECT parts FROM jobs WHERE parts IS NOT NULL").all()
    assert [row[0] for row in parts] == [2, 2]
