"""Files and batches of OpenAI's protocol: what is queued, what is refused, and what the results say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select, update

from api_models.access import Scope
from api_models.status import JobStatus
from tests.factories import NOW
from tests.gateway import Client, Reply, Running, running
from tests.long_texts import paragraphs
from worker.store.database import Database
from worker.store.tables.jobs import Batch, Job

FILES: Final = "/openai/v1/files"
BATCHES: Final = "/openai/v1/batches"
SPEECH: Final = {"model": "tts-1", "voice": "alloy", "input": "Mind the gap."}


@pytest.fixture
def gateway(database: Database, tmp_path: Path) -> Iterator[Running]:
    """A gateway that asks for keys, without a worker."""
    with running(database, TTSQ_ARTIFACTS_URL=(tmp_path / "audio").as_uri()) as started:
        yield started


@pytest.fixture
def client(gateway: Running) -> Client:
    """A client of the tenant `acme` with every permission."""
    return gateway.client()


def line(name: str, **body: Any) -> bytes:  # noqa: ANN401 - any JSON
    """One request of a file."""
    said = {"custom_id": name, "method": "POST", "url": "/v1/audio/speech", "body": {**SPEECH, **body}}
    return json.dumps(said).encode()


def upload(client: Client, content: bytes, *, purpose: str = "batch", **fields: str) -> Reply:
    """A form as browsers and SDKs send it."""
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value.encode())
        for name, value in {"purpose": purpose, **fields}.items()
    ]
    file = b'--x\r\nContent-Disposition: form-data; name="file"; filename="b.jsonl"\r\n\r\n' + content + b"\r\n"
    body = b"".join([*parts, file, b"--x--\r\n"])
    return client("POST", FILES, body, headers={"Content-Type": "multipart/form-data; boundary=x"})


def batch_of(client: Client, lines: Sequence[bytes], **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """A batch of these lines."""
    file = upload(client, b"\n".join(lines)).json["id"]
    asked = {"input_file_id": file, "endpoint": "/v1/audio/speech", "completion_window": "24h", **fields}
    reply = client.post(BATCHES, asked)
    assert reply.status == 200, reply
    found: dict[str, Any] = reply.json
    return found


def finish(database: Database, **columns: Any) -> None:  # noqa: ANN401 - any column
    """All unfinished jobs have this outcome, and their batches are finished."""
    with database.begin() as connection:
        connection.execute(update(Job).where(Job.finished_at.is_(None)).values(finished_at=NOW, **columns))
        connection.execute(update(Batch).values(finished_at=NOW))


SPOKEN: Final = {"status": JobStatus.SUCCEEDED, "uri": "file:///a.mp3", "sha256": "a" * 64, "duration_ms": 1_500}


def test_a_file_comes_back_as_it_was_sent(client: Client) -> None:
    """Its size, its bytes, and nothing after it was deleted."""
    content = line("a") + b"\n"
    file = upload(client, content).json
    assert (file["object"], file["bytes"], file["filename"], file["purpose"]) == (
        "file",
        len(content),
        "b.jsonl",
        "batch",
    )
    assert client.get(f"{FILES}/{file['id']}").json == file
    assert client.get(f"{FILES}/{file['id']}/content").body == content
    assert [one["id"] for one in client.get(FILES).json["data"]] == [file["id"]]
    assert client("DELETE", f"{FILES}/{file['id']}").json == {"id": file["id"], "object": "file", "deleted": True}
    assert client.get(f"{FILES}/{file['id']}").status == 404
    assert client.get(f"{FILES}/{file['id']}/content").status == 404


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"purpose": "fine-tune"}, "purpose"), ({"expires_after[seconds]": "3600"}, "expires_after[seconds]")],
)
def test_a_form_that_asks_for_more_is_refused(client: Client, fields: dict[str, str], param: str) -> None:
    """No option of an upload is ignored."""
    reply = upload(client, line("a"), **fields)
    assert (reply.status, reply.json["error"]["param"]) == (400, param)


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\n", b"{}"])
def test_a_broken_form_is_refused_in_openais_form(client: Client, body: bytes) -> None:
    """Whatever the parser does not understand."""
    reply = client("POST", FILES, body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (reply.status, reply.json["error"]["type"]) == (400, "invalid_request_error")


def test_a_batch_queues_every_line(client: Client) -> None:
    """With its name, form and deadline; the state and the counts are OpenAI's."""
    made = batch_of(client, [line("a"), b"", line("b", response_format="wav", voice="nova")], metadata={"for": "radio"})
    assert (made["object"], made["status"], made["errors"]) == ("batch", "in_progress", None)
    assert made["request_counts"] == {"total": 2, "completed": 0, "failed": 0}
    assert made["expires_at"] - made["created_at"] == 86_400
    assert made["metadata"] == {"for": "radio"}
    jobs = {job["custom_id"]: job for job in client.get("/v1/jobs").json["jobs"]}
    assert [(job["format"], job["voice_1"]) for _, job in sorted(jobs.items())] == [("mp3", "Kore"), ("wav", "Zephyr")]
    assert all(job["deadline"] for job in jobs.values())
    assert client.get(f"{BATCHES}/{made['id']}").json == made
    assert client.get(BATCHES).json["data"] == [made]


def test_a_long_line_becomes_one_job_of_parts(client: Client, database: Database) -> None:
    """One request for its batch; with instructions, which apply to one call, it is refused."""
    batch = batch_of(client, [line("long", input=paragraphs(12)), line("short")])
    assert batch["request_counts"]["total"] == 2
    with database.read() as connection:
        rows = connection.execute(select(Job.custom_id, Job.parts).where(Job.parent.is_(None)).order_by(Job.line)).all()
        parts = connection.execute(select(func.count()).where(Job.parent.is_not(None))).scalar_one()
    assert [name for name, _ in rows] == ["long", "short"]
    assert rows[0].parts == parts >= 3
    assert rows[1].parts is None
    refused = batch_of(client, [line("long", input=paragraphs(12), instructions="Whisper.")])
    assert refused["errors"]["data"][0]["param"] == "input"


def test_every_faulty_line_is_reported_by_number(client: Client) -> None:
    """All at once, and nothing is queued."""
    lines = [
        line("a"),
        b"{",
        line("a"),
        line("d", voice="aloy", model="tts-7"),
        line("e", response_format="pcm", speed=1.5),
        b'{"custom_id": "f", "method": "GET", "url": "/v1/embeddings", "body": {}}',
        b"[]",
        line("g/../h"),
        line("i", speach="x"),
        b"\xff",
    ]
    made = batch_of(client, lines)
    assert (made["status"], made["output_file_id"]) == ("failed", None)
    found = {(error["line"], error["param"]) for error in made["errors"]["data"]}
    assert found == {
        (2, None),
        (3, "custom_id"),
        (4, "voice"),
        (4, "model"),
        (5, "response_format"),
        (5, "speed"),
        (6, "method"),
        (6, "url"),
        (7, None),
        (8, "custom_id"),
        (9, "speach"),
        (10, None),
    }
    assert client.get("/v1/jobs").json["jobs"] == []
    assert client.get(f"{BATCHES}/{made['id']}").json == made


def test_thousands_of_faults_are_counted(client: Client) -> None:
    """The list has an end, which says how many more there are."""
    errors = batch_of(client, [b"{"] * 1_500)["errors"]["data"]
    assert len(errors) == 1_001
    assert errors[-1]["message"] == "and 500 more errors"


def test_an_empty_file_is_a_failed_batch(client: Client) -> None:
    """It has nothing to do."""
    assert batch_of(client, [b"", b""])["errors"]["data"][0]["message"] == "the file has no requests"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": "/v1/chat/completions"}, "endpoint"),
        ({"completion_window": "48h"}, "completion_window"),
        ({"input_file_id": "file-0"}, "input_file_id"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 5}}, "output_expires_after.seconds"),
        ({"metadata": {"k" * 65: "v"}}, None),
        ({"color": "red"}, "color"),
    ],
)
def test_a_batch_that_cannot_be_is_refused(client: Client, change: dict[str, Any], param: str | None) -> None:
    """With the field; no row is left."""
    file = upload(client, line("a")).json["id"]
    asked = {"input_file_id": file, "endpoint": "/v1/audio/speech", "completion_window": "24h"}
    reply = client.post(BATCHES, {**asked, **change})
    assert reply.status in {400, 404}
    assert param is None or reply.json["error"]["param"] == param
    assert client.get(BATCHES).json["data"] == []


def test_results_are_files(client: Client, database: Database) -> None:
    """Audio with address, length, cost and checksum in one; what has none, with its reason, in the other."""
    made = batch_of(client, [line("a"), line("b", input="Stand back.")])
    job = client.get("/v1/jobs").json["jobs"][-1]
    with database.begin() as connection:
        connection.execute(
            update(Job)
            .where(Job.custom_id == "b")
            .values(status="failed", finished_at=NOW, code="bad_audio", message="No.")
        )
    finish(database, **SPOKEN)
    done = client.get(f"{BATCHES}/{made['id']}").json
    assert (done["status"], done["completed_at"]) == ("completed", int(NOW.timestamp()))
    assert done["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    [spoken] = map(json.loads, client.get(f"{FILES}/{done['output_file_id']}/content").body.splitlines())
    assert (spoken["custom_id"], spoken["error"], spoken["response"]["status_code"]) == ("a", None, 200)
    body = spoken["response"]["body"]
    assert body["url"] == f"{client.address}/v1/jobs/{job['id']}/audio"
    assert (body["format"], body["duration"], body["cost"], body["sha256"]) == ("mp3", 1.5, "0", "a" * 64)
    content = client.get(f"{FILES}/{done['error_file_id']}/content").body
    [failed] = map(json.loads, content.splitlines())
    assert (failed["custom_id"], failed["response"], failed["error"]) == (
        "b",
        None,
        {"code": "bad_audio", "message": "No."},
    )
    assert client.get(f"{FILES}/{done['error_file_id']}").json["bytes"] == len(content)


def test_a_missed_window_keeps_what_is_done(client: Client, database: Database) -> None:
    """State `expired`, with both files."""
    made = batch_of(client, [line("a"), line("b", input="Stand back.")], completion_window="1h")
    with database.begin() as connection:
        connection.execute(update(Job).where(Job.custom_id == "b").values(status="expired", finished_at=NOW))
    finish(database, **SPOKEN)
    done = client.get(f"{BATCHES}/{made['id']}").json
    assert (done["status"], done["expired_at"]) == ("expired", int(NOW.timestamp()))
    [failed] = map(json.loads, client.get(f"{FILES}/{done['error_file_id']}/content").body.splitlines())
    assert failed["error"]["code"] == "batch_expired"
    assert done["output_file_id"]


def test_cancelling_keeps_what_is_done(client: Client, database: Database) -> None:
    """First `cancelling`, then `cancelled`; the audio so far is in the output file."""
    made = batch_of(client, [line("a"), line("b", input="Stand back.")])
    with database.begin() as connection:
        connection.execute(update(Job).where(Job.custom_id == "a").values(finished_at=NOW, **SPOKEN))
    under_way = client.post(f"{BATCHES}/{made['id']}/cancel").json
    assert (under_way["status"], under_way["request_counts"]) == (
        "cancelling",
        {"total": 2, "completed": 1, "failed": 1},
    )
    finish(database)
    done = client.get(f"{BATCHES}/{made['id']}").json
    assert done["status"] == "cancelled"
    assert done["cancelling_at"]
    assert client.post(f"{BATCHES}/{made['id']}/cancel").json == done
    assert b'"a"' in client.get(f"{FILES}/{done['output_file_id']}/content").body
    assert b"batch_cancelled" in client.get(f"{FILES}/{done['error_file_id']}/content").body


def test_files_and_batches_are_their_tenants_own(gateway: Running, client: Client) -> None:
    """Another tenant sees none, and cannot use a file by its id; each route asks for its scope."""
    made = batch_of(client, [line("a")])
    stranger = gateway.client("globex")
    for path in (f"{FILES}/{made['input_file_id']}", f"{BATCHES}/{made['id']}"):
        assert stranger.get(path).status == 404
    output = "file-output-" + made["id"].removeprefix("batch_")
    assert stranger.get(f"{FILES}/{output}/content").status == 404
    assert stranger("DELETE", f"{FILES}/{made['input_file_id']}").status == 404
    asked = {"input_file_id": made["input_file_id"], "endpoint": "/v1/audio/speech", "completion_window": "24h"}
    assert stranger.post(BATCHES, asked).status == 404
    assert stranger.get(BATCHES).json["data"] == []
    reader = gateway.client("acme", Scope.READ)
    assert upload(reader, line("a")).status == 403
    assert reader.post(f"{BATCHES}/{made['id']}/cancel").status == 403
    assert reader("DELETE", f"{FILES}/{made['input_file_id']}").status == 403


def test_lists_go_page_by_page(client: Client) -> None:
    """By `after`, as the SDK does it."""
    files = [upload(client, line(str(number))).json["id"] for number in range(3)]
    first = client.get(f"{FILES}?limit=2").json
    assert ([file["id"] for file in first["data"]], first["has_more"]) == (files[:0:-1], True)
    rest = client.get(f"{FILES}?limit=2&after={first['last_id']}").json
    assert ([file["id"] for file in rest["data"]], rest["has_more"]) == (files[:1], False)


def test_the_content_of_a_file_is_not_read_from_another_place(client: Client, tmp_path: Path) -> None:
    """A file whose content was replaced in the store is gone."""
    file = upload(client, line("a")).json
    [path] = list((tmp_path / "audio").rglob("*.jsonl"))
    path.write_bytes(line("b"))
    reply = client.get(f"{FILES}/{file['id']}/content")
    assert reply.status == 410 or hashlib.sha256(reply.body).hexdigest() == hashlib.sha256(line("a")).hexdigest()
