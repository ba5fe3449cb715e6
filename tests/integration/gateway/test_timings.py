"""Times over HTTP: asked for with a job, a batch or a sheet; read as JSON and captions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from api_models.status import JobStatus
from tests.factories import add_job
from tests.gateway import Client, Running, running
from tests.unit.artifacts.test_conformance import store_bytes
from worker.documents.captions.cues import Span
from worker.documents.captions.timeline import Timeline
from worker.execution import timings
from worker.store.database import Database

TEXT = "It waits. They left."


@pytest.fixture
def gateway(database: Database, tmp_path: Path) -> Iterator[Running]:
    with running(database, TTSQ_ARTIFACTS_URL=(tmp_path / "audio").as_uri()) as started:
        yield started


@pytest.fixture
def client(gateway: Running) -> Client:
    return gateway.client()


def a_timed_job(gateway: Running, folder: Path, *, of: str | None = None) -> UUID:
    """A job of `acme`, and times that say they are those of the audio `of`, or of its own."""
    places = gateway.gateway.destinations
    store = places.store(places.default_url)
    audio = store_bytes(store, "acme/jobs/a b.wav", b"RIFF", folder)
    spans = (Span(0.1, 1.0, 0, 9, "alignment", 0.9), Span(1.2, 2.0, 10, 20, "alignment", 0.8))
    content = Timeline(TEXT, "en", 2.1, (Span(0.1, 2.0, 0, 20, "seam", 1.0),), spans).encode().encode()
    metadata = {timings.AUDIO: of or audio.sha256 or ""}
    store_bytes(store, f"acme/jobs/a b.wav{timings.SUFFIX}", content, folder, metadata=metadata)
    found = {"uri": audio.uri, "sha256": audio.sha256, "audio_bytes": audio.size, "timings": "word", "text": TEXT}
    with gateway.gateway.database.begin() as connection:
        return add_job(connection, tenant="acme", status=JobStatus.SUCCEEDED, **found)


def test_times_are_asked_for_per_job_batch_and_sheet(client: Client) -> None:
    """What is no kind of times is refused by name, with a suggestion."""
    assert client.post("/v1/jobs", {"text": "Hi.", "timings": "word"}).json["timings"] == "word"
    assert client.post("/v1/jobs", {"text": "Hi."}).json["timings"] == "none"
    batch = client.post(
        "/v1/batches", {"timings": "sentence", "jobs": [{"text": "A."}, {"text": "B.", "timings": "none"}]}
    )
    sheet = client(
        "POST",
        "/v1/batches?timings=sentence",
        b"text,Timings\nA.,\nB.,None\n",
        headers={"Content-Type": "text/csv"},
    )
    for reply in (batch, sheet):
        assert reply.status == 202, reply
        jobs = client.get(f"/v1/jobs?batch_id={reply.json['id']}").json["jobs"]
        assert [job["timings"] for job in jobs] == ["none", "sentence"]
    refused = client.post("/v1/jobs", {"text": "Hi.", "timings": "words"})
    assert refused.status == 422
    assert 'did you mean "word"' in str(refused.json["faults"])


def test_times_are_read_as_json_and_captions(gateway: Running, client: Client, tmp_path: Path) -> None:
    job = a_timed_job(gateway, tmp_path)
    found = client.get(f"/v1/jobs/{job}/timings").json
    assert "".join(found["alignment"]["characters"]) == TEXT
    assert found["alignment"]["character_start_times_seconds"][0] == 0.1
    assert [sentence["text"] for sentence in found["sentences"]] == ["It waits.", "They left."]
    for form, beginning in (("srt", b"1\n00:00:00,100 --> "), ("vtt", b"WEBVTT\n"), ("ass", b"[Script Info]")):
        assert client.get(f"/v1/jobs/{job}/timings?format={form}").body.startswith(beginning)
    assert client.get(f"/v1/jobs/{job}/timings?format=txt").status == 422


def test_there_are_none_of_other_audio_or_tenants(gateway: Running, client: Client, tmp_path: Path) -> None:
    job = a_timed_job(gateway, tmp_path, of="0" * 64)
    assert client.get(f"/v1/jobs/{job}/timings").status == 404
    assert gateway.client("other").get(f"/v1/jobs/{a_timed_job(gateway, tmp_path)}/timings").status == 404
