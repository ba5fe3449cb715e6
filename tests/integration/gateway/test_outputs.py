"""Over HTTP: audio in the form and place that were asked for, public addresses, and the removal of both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from api_models.jobs import JobView
from api_models.status import JobStatus
from tests.factories import add_job, stored
from tests.gateway import Client, Running, running
from tests.unit.artifacts.test_conformance import store_bytes
from worker.store import outputs
from worker.store.database import Database


@pytest.fixture
def gateway(database: Database, tmp_path: Path) -> Iterator[Running]:
    """A gateway whose audio lies in a folder, and that expires everything; on each kind of database."""
    with running(database, TTSQ_ARTIFACTS_URL=(tmp_path / "audio").as_uri(), TTSQ_EXPIRES_AFTER="30d") as started:
        yield started


@pytest.fixture
def client(gateway: Running) -> Client:
    """A client of the tenant `acme` with every permission."""
    return gateway.client()


def a_spoken_job(gateway: Running, folder: Path) -> UUID:
    """A job of `acme` with audio."""
    places = gateway.gateway.destinations
    put = store_bytes(places.store(places.default_url), "acme/jobs/a b.mp3", b"ID3", folder, content_type="audio/mpeg")
    sound = {"uri": put.uri, "sha256": put.sha256, "audio_bytes": put.size, "content_type": "audio/mpeg"}
    with gateway.gateway.database.begin() as connection:
        return add_job(connection, tenant="acme", status=JobStatus.SUCCEEDED, audio_format="mp3", **sound)


def test_a_job_says_what_it_is_to_become(client: Client, database: Database) -> None:
    """Format, loudness and time are in the row and in the answer; what says nothing of its time has the settings'."""
    view = JobView.model_validate_json(
        client.post("/v1/jobs", {"text": "Hi.", "format": "opus", "loudness": -16, "expires_after": "12h"}).body
    )
    assert (view.format, view.loudness, view.expires_after, view.removed_at) == ("opus", -16, 43_200, None)
    plain = JobView.model_validate_json(client.post("/v1/jobs", {"text": "Hi."}).body)
    with database.read() as connection:
        rows = [stored(connection, one.id) for one in (view, plain)]
    assert [(row.audio_format, row.target_lufs, row.expires_after) for row in rows] == [
        ("opus", -16, 43_200),
        (None, None, 30 * 86_400),
    ]
    assert client.get(f"/v1/jobs/{view.id}").json["format"] == "opus"


def test_an_mp3_says_how_it_is_encoded_and_tagged(client: Client) -> None:
    """For one job, for a JSON batch and for a sheet; what can't be is refused by name."""
    wanted = {"mp3_bitrate": "192k", "sample_rate": 44_100, "title": "A", "album": "B", "track": 3}
    seen = {"format": "mp3", "mp3_bitrate": 192, "sample_rate": 44_100, "title": "A", "album": "B", "track": "3"}
    job = client.post("/v1/jobs", {"text": "Hi."} | wanted).json
    assert job | seen == job
    batch = client.post("/v1/batches", wanted | {"jobs": [{"text": "A."}, {"text": "B.", "format": "flac"}]})
    sheet = client(
        "POST",
        "/v1/batches?mp3_bitrate=192k&sample_rate=44100&album=B&track=3",
        b"text,title,format\nA.,A,\nB.,Other,flac\n",
        headers={"Content-Type": "text/csv"},
    )
    for reply in (batch, sheet):
        assert reply.status == 202, reply
        flac, mp3 = client.get(f"/v1/jobs?batch_id={reply.json['id']}").json["jobs"]
        assert mp3 | seen == mp3
        assert (flac["format"], flac["mp3_bitrate"], flac["title"]) == ("flac", None, None)
    for body, field in (
        ({"mp3_bitrate": 192}, "mp3_bitrate"),
        ({"format": "wav", "mp3_bitrate": 128}, "mp3_bitrate"),
        ({"format": "opus", "sample_rate": 44_100}, "sample_rate"),
        ({"format": "mp3", "track": "first"}, "track"),
    ):
        refused = client.post("/v1/jobs", {"text": "Hi."} | body)
        assert (refused.status, refused.json["faults"][0]["field"]) == (422, field), refused


def test_markup_is_reported_before_anything_is_bought(client: Client) -> None:
    """With a job, with both kinds of batch and with a quote; a plain text has no warnings."""
    texts = ["Plain.", "<b>Bold.</b>", "Fish &amp; chips.", "<p>Also.</p>"]
    jobs = {"jobs": [{"text": text} for text in texts]}
    html, entities = "2 texts contain HTML, which may be read aloud: ", "1 text contains character entities"
    for reply in (client.post("/v1/batches", jobs), client.post("/v1/quote", jobs)):
        assert [reply.json["warnings"][0], reply.json["warnings"][1][: len(entities)]] == [
            f"{html}jobs.1, jobs.3",
            entities,
        ]
    sheet = client("POST", "/v1/batches", "\n".join(["text", *texts]).encode(), headers={"Content-Type": "text/csv"})
    assert sheet.json["warnings"][0] == f"{html}lines 3, 5"
    assert client.post("/v1/jobs", {"text": texts[1]}).json["warnings"] == [
        "the text contains HTML, which may be read aloud"
    ]
    assert client.post("/v1/jobs", {"text": texts[0]}).json["warnings"] == []
    for text in ("<br/>", "&nbsp;", "<speak></speak>", "#N/A"):
        assert client.post("/v1/jobs", {"text": text}).json["warnings"] == [
            "the text contains nothing but markup or the error of a formula, which may be read aloud"
        ]


def test_a_batch_says_it_for_its_jobs(client: Client, database: Database) -> None:
    """As JSON and as a sheet; a job's own word counts more."""
    named = {"format": "mp3", "key_template": "{batch}/{model}/{custom_id}.{ext}"}
    made = client.post("/v1/batches", named | {"jobs": [{"text": "A."}, {"text": "B.", "format": "flac"}]})
    sheet = client(
        "POST",
        "/v1/batches?format=mp3&expires_after=8w&key_template={batch}/{id}.{ext}",
        b"text,format\nA.,\nB.,flac\n",
        headers={"Content-Type": "text/csv"},
    )
    for reply, template, seconds in (
        (made, named["key_template"], 2_592_000),
        (sheet, "{batch}/{id}.{ext}", 4_838_400),
    ):
        assert reply.status == 202, reply
        jobs = client.get(f"/v1/jobs?batch_id={reply.json['id']}").json["jobs"]
        assert [(job["text"], job["format"], job["expires_after"]) for job in reversed(jobs)] == [
            ("A.", "mp3", seconds),
            ("B.", "flac", seconds),
        ]
        with database.read() as connection:
            assert outputs.of_batch(connection, UUID(reply.json["id"])).key_template == template


def test_a_template_that_could_bring_jobs_together_is_refused(client: Client) -> None:
    """With the field, and the remedy."""
    reply = client.post("/v1/batches", {"key_template": "{tenant}/{custom_id}.{ext}", "jobs": [{"text": "A."}]})
    assert (reply.status, reply.trouble) == (422, "invalid-input")
    (fault,) = reply.json["faults"]
    assert fault["field"] == "key_template"
    assert "two batches" in fault["message"]


def test_a_job_is_deleted_with_its_audio(gateway: Running, client: Client, database: Database, tmp_path: Path) -> None:
    """Its text and its object are deleted, its audio returns 410, its row stays; repeating it changes nothing."""
    job = a_spoken_job(gateway, tmp_path)
    assert client.get(f"/v1/jobs/{job}/audio").body == b"ID3"
    for _ in range(2):
        reply = client("DELETE", f"/v1/jobs/{job}")
        assert reply.status == 200, reply
        assert (reply.json["text"], reply.json["audio"], reply.json["status"]) == ("", None, "succeeded")
        assert reply.json["removed_at"] is not None
    assert client.get(f"/v1/jobs/{job}/audio").trouble == "gone"
    assert not (tmp_path / "audio/acme/jobs/a b.mp3").exists()
    with database.read() as connection:
        assert stored(connection, job).text == ""


def test_only_own_finished_outputs_are_deleted(gateway: Running, client: Client, tmp_path: Path) -> None:
    """A job that waits is to be cancelled first; another tenant's isn't there."""
    waiting = client.post("/v1/jobs", {"text": "Wait."}).json["id"]
    assert client("DELETE", f"/v1/jobs/{waiting}").trouble == "conflict"
    assert client.get(f"/v1/jobs/{waiting}").json["text"] == "Wait."
    job = a_spoken_job(gateway, tmp_path)
    assert gateway.client("other")("DELETE", f"/v1/jobs/{job}").trouble == "not-found"
    assert client.get(f"/v1/jobs/{job}/audio").status == 200


def test_audio_is_served_if_the_settings_say_so(database: Database, tmp_path: Path) -> None:
    """The gateway names the public address, and streams nothing."""
    address = (tmp_path / "audio").as_uri()
    with running(database, TTSQ_ARTIFACTS_URL=address, TTSQ_PUBLIC_URL="https://cdn.example/v/") as gateway:
        job = a_spoken_job(gateway, tmp_path)
        reply = gateway.client().get(f"/v1/jobs/{job}/audio")
    assert (reply.status, reply.headers["location"]) == (302, "https://cdn.example/v/acme/jobs/a%20b.mp3")
