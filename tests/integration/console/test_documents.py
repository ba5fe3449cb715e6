"""The console's documents: chapters and parts, the text beside its audio, and what another tenant does not see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.cluster.waiting import wait_for
from tests.console_site import Browser, signed_in
from tests.integration.gateway.test_documents import body
from tests.long_texts import sentence
from tests.speaking import Speaking, speaking
from worker.gateway.console import document_pages
from worker.store.database import Database
from worker.store.documents import chosen

TENANT = "default"
"""Of requests without a key."""


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Iterator[Speaking]:
    with speaking(database, tmp_path) as started:
        yield started


def submitted(stage: Speaking) -> UUID:
    reply = stage.client.post("/v1/documents", body(job={"timings": "sentence", "format": "mp3"}))
    assert reply.status == 202, reply
    return UUID(reply.json["job"]["id"])


def test_a_document_is_shown_by_chapters_and_heard_by_parts(stage: Speaking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part has its text, player and takes; the recording its sentences. Nothing is loaded before it is played."""
    document = submitted(stage)
    wait_for(
        lambda: stage.client.get(f"/v1/documents/{document}").json["job"]["finished_at"], seconds=120, what="the end"
    )
    browser = signed_in(stage.gateway, tenant=TENANT)
    listed = browser.get("/console/documents")
    assert f"/console/documents/{document}" in listed.links
    page = browser.get(f"/console/documents/{document}")
    with stage.gateway.gateway.database.read() as connection:
        parts = chosen(connection, document)
    assert [link for link in page.links if "/console/jobs/" in link and "audio" not in link][1:] == [
        f"/console/jobs/{part.id}" for part in parts
    ]
    players = [given for tag, given in page.tags if tag == "audio"]
    assert [player["preload"] for player in players] == ["metadata", *["none"] * len(parts)]
    for player in players:
        assert browser.get(player["src"]).status == 200
    times = [float(given["data-at"]) for _, given in page.tags if "data-at" in given]
    assert times == sorted(times)
    assert len(times) > len(parts)
    assert sentence(50)[:15] in page.text
    second = next(link for link in page.links if link.endswith("#parts") and "from=1#" not in link)
    first = int(second.partition("from=")[2].partition("#")[0])
    monkeypatch.setattr(document_pages, "PARTS_PER_PAGE", 1)
    alone = browser.get(second.partition("#")[0])
    assert [given["id"] for tag, given in alone.tags if tag == "article"] == [f"part-{first}"]
    assert f"/console/documents/{document}?from={first + 1}" in alone.links
    assert f"/console/documents/{document}" in browser.get(f"/console/jobs/{document}").links


def test_a_document_without_text_keeps_its_row(stage: Speaking) -> None:
    """Title and chapters are text: they go with it."""
    document = submitted(stage)
    wait_for(
        lambda: stage.client.get(f"/v1/documents/{document}").json["job"]["finished_at"], seconds=120, what="the end"
    )
    browser = signed_in(stage.gateway, tenant=TENANT)
    browser.submit(browser.get(f"/console/jobs/{document}"), "/delete")
    page = browser.get(f"/console/documents/{document}")
    assert page.status == 200
    assert "Text and audio were removed" in page.text
    assert not [tag for tag, _ in page.tags if tag == "audio"]
    assert "Text removed" in browser.get("/console/documents").text


def test_other_ids_and_tenants_have_no_document(stage: Speaking) -> None:
    document = submitted(stage)
    stranger = signed_in(stage.gateway, tenant="globex")
    assert str(document) not in stranger.get("/console/documents").text
    assert "No document yet" in stranger.get("/console/documents").text
    assert stranger.get(f"/console/documents/{document}").status == 404
    assert stranger.get(f"/console/documents/{uuid4()}").status == 404
    browser: Browser = signed_in(stage.gateway, tenant=TENANT)
    assert browser.get(f"/console/documents/{document}?from=0").status in {400, 422}
    assert "No part from number" in browser.get(f"/console/documents/{document}?from=900").text
