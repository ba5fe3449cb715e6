"""Scripts and casts over HTTP: every turn in its voice, and every fault with its field before anything is bought."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api_models.casts import CastView
from api_models.documents import DocumentMade, DocumentView
from tests.cluster.waiting import wait_for
from tests.speaking import Speaking, speaking
from tests.unit.scripts.samples import FOLDER
from worker.emulator.ledger import text_hash
from worker.store.database import Database

ROLES: dict[str, Any] = {"Anna": {"voice": "Kore", "style": "hurried"}, "Old Ben": "Charon", "narrator": "Sulafat"}
CASTS = "/v1/casts"


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Iterator[Speaking]:
    with speaking(database, tmp_path) as started:
        yield started


def body(name: str = "ferry.txt", content: bytes | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    raw = (FOLDER / name).read_bytes() if content is None else content
    return {"name": name, "content": base64.b64encode(raw).decode(), **fields}


def test_a_script_is_one_recording_of_many_voices(stage: Speaking) -> None:
    """The plan names speakers and prices, the quote is the bill, and the tracks lie beside the recording."""
    assert stage.client("PUT", f"{CASTS}/ferry", {"roles": ROLES}).json["version"] == 1
    wanted = body(cast="ferry@1", stems=True, captions=["vtt"], job={"format": "flac"})
    plan = DocumentMade.model_validate_json(stage.client.post("/v1/documents", {**wanted, "dry_run": True}).body).plan
    assert [(one.name, one.voice, one.parts) for one in plan.speakers] == [
        ("narrator", "Sulafat", 2),
        ("Anna", "Kore", 4),
        ("Old Ben", "Charon", 5),
    ]
    assert sum(Decimal(one.cost) for one in plan.speakers) == Decimal(plan.cost)
    assert stage.bills == 0
    reply = stage.client.post("/v1/documents", wanted)
    assert reply.status == 202, reply
    made = DocumentMade.model_validate_json(reply.body)
    assert made.job is not None
    place = f"/v1/documents/{made.job.id}"
    wait_for(lambda: stage.client.get(place).json["job"]["finished_at"], seconds=60, what="the recording")
    found = DocumentView.model_validate_json(stage.client.get(place).body)
    assert (found.job.status, found.files) == ("succeeded", ["stems", "vtt"])
    assert Decimal(found.job.cost) == Decimal(plan.cost) == stage.emulator.state().billed
    bill = {(line.text, line.voices) for line in stage.emulator.state(detail=True).bill}
    assert (text_hash("[hurried] [whispering] I was told that it\nwould leave at ten past."), "Kore") in bill
    assert stage.client.get(f"{place}/files/stems").headers["content-type"] == "application/zip"
    assert "<v Old Ben>" in stage.client.get(f"{place}/files/vtt").body.decode()


def test_casts_have_versions_of_one_tenant(stage: Speaking) -> None:
    client = stage.client
    assert client("PUT", f"{CASTS}/ferry", {"roles": ROLES}).json["version"] == 1
    assert client("PUT", f"{CASTS}/ferry", {"roles": ROLES}).json["version"] == 1
    assert client("PUT", f"{CASTS}/ferry", {"roles": {"Anna": "Leda"}}).json["version"] == 2
    first = CastView.model_validate_json(client.get(f"{CASTS}/ferry?version=1").body)
    assert (first.versions, first.roles["Anna"]["voice"]) == ([1, 2], "Kore")
    assert [one["version"] for one in client.get(CASTS).json["casts"]] == [2]
    stranger = stage.gateway.client("other")
    assert stranger.get(f"{CASTS}/ferry").status == 404
    assert stranger.get(CASTS).json == {"casts": []}
    assert client("DELETE", f"{CASTS}/ferry").status == 204
    assert client("DELETE", f"{CASTS}/ferry").status == 404
    assert client.get(f"{CASTS}/ferry").status == 404
    assert client("PUT", f"{CASTS}/ferry", {"roles": {"Anna": "Leda"}}).json["version"] == 3


@pytest.mark.parametrize(
    ("name", "roles", "field"),
    [
        ("a", {"Anna": {"voice": "Kor"}}, "roles.Anna.voice"),
        ("a", {"A": "B", "B": "A"}, "roles.A"),
        ("a", {"Anna": {"voice": "Kore", "pace": 9}}, "roles.Anna.RoleIn.pace"),
        ("a", {}, "roles"),
        ("-a", {"Anna": "Kore"}, "name"),
        ("a@2", {"Anna": "Kore"}, "name"),
    ],
)
def test_a_faulty_cast_is_refused(stage: Speaking, name: str, roles: dict[str, Any], field: str) -> None:
    reply = stage.client("PUT", f"{CASTS}/{name}", {"roles": roles})
    assert (reply.status, field in [fault["field"] for fault in reply.json["faults"]]) == (422, True), reply.json
    assert stage.client.get(CASTS).json == {"casts": []}


@pytest.mark.parametrize(
    ("wanted", "field", "message"),
    [
        (body(cast={"Anna": "Kore"}), "cast", 'has no role for narration (line 8: add a role narrator), "Old Ben"'),
        (body(cast="season"), "cast", "is no cast that is kept"),
        (body(cast={"A": "B", "B": "A"}), "cast", "is a circular alias"),
        (body(content=b"Anna: a\nAnna:\n", cast={"Anna": "Kore"}), "content", "line 2, Anna: has no words"),
        (body(content=b"Anna: a\n" * 1_250_000, cast={"Anna": "Kore"}), "content", "divide it at its scenes"),
        (body("duel.fountain"), "cast", "is missing"),
        (body(cast=ROLES, job={"voice_1": "Kore"}), "job.voice_1", "is for texts without speakers"),
        (body(stems=True), "stems", "is for scripts"),
    ],
)
def test_a_faulty_script_is_refused(stage: Speaking, wanted: dict[str, Any], field: str, message: str) -> None:
    reply = stage.client.post("/v1/documents", wanted)
    assert (reply.status, [fault["field"] for fault in reply.json["faults"]]) == (422, [field])
    assert message in reply.json["faults"][0]["message"]
    assert stage.client.get("/v1/jobs").json["jobs"] == []


def test_a_job_of_two_voices_and_three_speakers_is_refused(stage: Speaking) -> None:
    wanted = {"text": "Anna: a\nBen: b\nCora: c", "voice_1": "Kore", "voice_2": "Puck"}
    reply = stage.client.post("/v1/jobs", wanted)
    assert (reply.status, reply.json["faults"][0]["field"]) == (422, "voice_2")
    assert "submit it as a script" in reply.json["faults"][0]["message"]
