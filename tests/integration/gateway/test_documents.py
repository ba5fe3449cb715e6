"""`/v1/documents`: a file in, plan and price out, one recording with its captions."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api_models.documents import DocumentMade, DocumentView
from tests.cluster.waiting import wait_for
from tests.long_texts import paragraphs, sentence
from tests.speaking import Speaking, speaking
from worker.store.database import Database

BOOK = "\n\n".join(
    (
        "---\ntitle: The Ferry\n---",
        "# The Ferry",
        *("## One", paragraphs(3)),
        *("## Two", paragraphs(3, first=50)),
        "```\ncode\n```\n",
    )
)


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Iterator[Speaking]:
    with speaking(database, tmp_path) as started:
        yield started


def body(content: bytes | str = BOOK, name: str = "ferry.md", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    raw = content if isinstance(content, bytes) else content.encode()
    return {"name": name, "content": base64.b64encode(raw).decode(), **fields}


def test_a_dry_run_shows_plan_and_price_and_stores_nothing(stage: Speaking) -> None:
    reply = stage.client.post("/v1/documents", body(dry_run=True))
    assert reply.status == 200, reply
    made = DocumentMade.model_validate_json(reply.body)
    assert made.job is None
    assert (made.plan.title, [chapter.title for chapter in made.plan.chapters]) == ("The Ferry", ["", "One", "Two"])
    assert made.plan.parts == sum(chapter.parts for chapter in made.plan.chapters) > 4
    assert [entry.what for entry in made.plan.skipped] == ["code"]
    assert stage.client.get("/v1/jobs").json["jobs"] == []
    assert stage.bills == 0


def test_a_file_becomes_one_recording_with_captions(stage: Speaking) -> None:
    """The quote is the bill; one job, in a batch of its own that can be paused and has the budget."""
    wanted = body(job={"format": "mp3", "voice_1": "Kore"}, captions=["vtt", "chapters"], max_cost="1")
    reply = stage.client.post("/v1/documents", wanted, Idempotency_Key="ferry-1")
    assert reply.status == 202, reply
    made = DocumentMade.model_validate_json(reply.body)
    assert made.job is not None
    place = f"/v1/documents/{made.job.id}"
    wait_for(lambda: stage.client.get(place).json["job"]["finished_at"], seconds=60, what="the recording")
    found = DocumentView.model_validate_json(stage.client.get(place).body)
    assert (found.job.status, found.job.custom_id, found.counts) == (
        "succeeded",
        "ferry",
        {"succeeded": made.plan.parts},
    )
    assert found.files == ["chapters", "vtt"]
    assert Decimal(made.plan.cost) == Decimal(found.job.cost) == stage.emulator.state().billed
    captions = stage.client.get(f"{place}/files/vtt")
    assert captions.headers["content-type"].startswith("text/vtt")
    assert sentence(50)[:15] in captions.body.decode()
    assert stage.client.get(f"{place}/files/srt").status == 404
    again = stage.client.post("/v1/documents", wanted, Idempotency_Key="ferry-1")
    assert again.json["job"]["id"] == str(made.job.id)
    batch = stage.client.get(f"/v1/batches/{found.job.batch_id}").json
    assert (batch["total"], Decimal(batch["max_cost"])) == (1, Decimal(1))


def bomb() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", b"<a>" + b" " * 200_000_000 + b"</a>")
    return content.getvalue()


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": "a.md", "content": "%%"}, "content"),
        (body(b"", "a.md"), "content"),
        (body(b"\xff\xfe\xfa", "a.txt"), "content"),
        (body(b"PK\x03\x04 and nothing else", "a.epub"), "content"),
        (body(b"some text", "a.exe"), "content"),
        (body(job={"voice_1": "Kor"}), "job.voice_1"),
        (body(job={"text": "Another."}), "job.text"),
        (body(job={"voice_1": "Kore", "voice_2": "Puck"}), "job.voice_2"),
        (body(captions=["lrc"]), "captions.0"),
        (body(preset="loud"), "preset"),
        (body(preset="audiobook-acx"), "job.format"),
    ],
)
def test_what_cannot_be_spoken_is_refused_with_its_field(stage: Speaking, wanted: dict[str, Any], field: str) -> None:
    reply = stage.client.post("/v1/documents", wanted)
    assert (reply.status, [fault["field"] for fault in reply.json["faults"]]) == (422, [field])
    assert stage.client.get("/v1/jobs").json["jobs"] == []


def test_an_archive_that_unpacks_without_end_is_refused(stage: Speaking) -> None:
    reply = stage.client.post("/v1/documents", body(bomb(), "bomb.epub"))
    assert (reply.status, reply.json["faults"][0]["field"]) == (422, "content")


def test_a_document_of_another_tenant_is_not_found(stage: Speaking) -> None:
    made = stage.client.post("/v1/documents", body()).json
    stranger = stage.gateway.client("other")
    assert stranger.get(f"/v1/documents/{made['job']['id']}").status == 404
    assert stranger.get(f"/v1/jobs/{made['job']['id']}/parts").status == 404
