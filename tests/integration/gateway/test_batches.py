"""Batches over HTTP: paused, resumed, and their result files. On both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from api_models.status import JobStatus
from tests.data.sheets.workbooks import Tab, workbook
from tests.factories import add_batch, add_job
from tests.gateway import Running, running
from worker.execution.destinations import Destinations
from worker.results.finisher import Finisher
from worker.store.database import Database
from worker.store.queries import results


@pytest.fixture
def gateway(database: Database, tmp_path: Path) -> Iterator[Running]:
    """A gateway whose audio lies in a folder."""
    with running(database, TTSQ_ARTIFACTS_URL=(tmp_path / "audio").as_uri()) as started:
        yield started


def a_finished_batch(database: Database, folder: Path, *, output_url: str | None = None) -> UUID:
    """Of one job, which failed; its files are written."""
    with database.begin() as connection:
        batch = add_batch(connection, tenant="acme", output_url=output_url)
        add_job(connection, tenant="acme", batch_id=batch, custom_id="a", status=JobStatus.FAILED)
    assert Finisher(database, Destinations(database, folder.as_uri(), connections=2)).run(batch)
    return batch


def test_a_batch_is_paused_and_resumed(gateway: Running) -> None:
    """Since when is in its view; both may be said twice, and take the scope to operate."""
    client = gateway.client("acme")
    batch = client.post("/v1/batches", {"jobs": [{"text": "A."}]}).json
    assert (batch["paused_at"], batch["finished_at"]) == (None, None)
    path = f"/v1/batches/{batch['id']}"
    paused = client.post(f"{path}/pause")
    assert (paused.status, paused.json["paused_at"] is not None) == (200, True)
    assert client.post(f"{path}/pause").json["paused_at"] == paused.json["paused_at"]
    assert client.get(path).json["paused_at"] == paused.json["paused_at"]
    assert client.post(f"{path}/resume").json["paused_at"] is None
    assert client.post(f"{path}/resume").status == 200


def test_result_files_are_had_when_they_are_written(gateway: Running, database: Database, tmp_path: Path) -> None:
    """Not before; and no other name leads anywhere."""
    client = gateway.client("acme")
    batch = a_finished_batch(database, tmp_path / "audio")
    found = client.get(f"/v1/batches/{batch}/files/errors.jsonl")
    assert (found.status, found.headers["content-type"]) == (200, "application/x-ndjson")
    assert [json.loads(line)["custom_id"] for line in found.body.splitlines()] == ["a"]
    manifest = client.get(f"/v1/batches/{batch}/files/manifest.csv")
    assert manifest.body.startswith(b"\xef\xbb\xbfcustom_id,line,status,file")
    assert client.get(f"/v1/batches/{batch}").json["finished_at"] is not None
    assert client.get(f"/v1/batches/{batch}/files/other.txt").trouble == "not-found"
    young = client.post("/v1/batches", {"jobs": [{"text": "A."}]}).json["id"]
    early = client.get(f"/v1/batches/{young}/files/manifest.csv")
    assert (early.status, early.trouble) == (409, "conflict")


def test_files_that_another_run_has_replaced_are_gone(gateway: Running, database: Database, tmp_path: Path) -> None:
    """Two batches of one folder: the files are the later one's, and are never shown for the other's."""
    client = gateway.client("acme")
    folder = tmp_path / "out"
    first, second = (a_finished_batch(database, folder, output_url=folder.as_uri()) for _ in range(2))
    assert client.get(f"/v1/batches/{first}/files/manifest.csv").trouble == "gone"
    assert client.get(f"/v1/batches/{second}/files/manifest.csv").status == 200


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TABLE = [["ID", "Script", "Chapter"], ["a", "One.", "=1+1"]]


def test_a_workbook_is_uploaded(gateway: Running, database: Database) -> None:
    """One sheet of several, chosen by a parameter that the refusal names; its other columns are kept."""
    client, headers = gateway.client("acme"), {"Content-Type": XLSX}
    book = workbook({"Intro": Tab(TABLE), "Two": Tab([["Text"], ["Two."]])})
    refused = client("POST", "/v1/batches", book, headers=headers)
    assert (refused.status, refused.trouble) == (422, "invalid-input")
    assert "choose one: sheet=Intro, or read all of them: all_sheets=true" in refused.json["detail"]
    template = "%7Btenant%7D/%7Bbatch%7D/%7BChapter%7D/%7Bcustom_id%7D.%7Bext%7D"
    unknown = client("POST", f"/v1/batches?sheet=Two&key_template={template}", book, headers=headers)
    assert "names a field {Chapter} that there isn't" in unknown.json["detail"]
    made = client("POST", f"/v1/batches?sheet=intro&key_template={template}", book, headers=headers)
    assert (made.status, made.json["total"]) == (202, 1)
    with database.read() as connection:
        assert results.extra_names(connection, UUID(made.json["id"])) == ("Chapter",)
    both = client("POST", "/v1/batches?all_sheets=true", book, headers=headers)
    assert (both.status, both.json["total"]) == (202, 2)


def test_rows_of_all_kinds_are_bounded(gateway: Running) -> None:
    """A sheet of nothing but errors is answered after a thousand of them."""
    headers = {"Content-Type": "application/jsonl"}
    reply = gateway.client("acme")("POST", "/v1/batches", b"y\n" * 524_288, headers=headers)
    assert (reply.status, len(reply.json["faults"])) == (422, 100)
    assert reply.json["detail"].startswith("1,001 errors")
