"""Sheets that change and objects that vanish, over PostgreSQL, Redis and S3: whose copies are there, what is lost."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from api_models.status import JobStatus
from tests.cluster.waiting import wait_for
from tests.integration.cli.test_production import Command, emulator, services, ttsq, worker
from tests.servers.ports import LOOPBACK
from tests.servers.s3 import Bucket
from worker.emulator.latency import Latency
from worker.emulator.server import Emulator
from worker.store.database import Database
from worker.store.tables.jobs import Job

__all__ = ["emulator", "services", "worker"]

pytestmark = pytest.mark.timeout(400)  # several processes a test
TEXTS: Final = [f"This is line number {number} of the sheet." for number in range(1, 13)]
TEMPLATES: Final = (None, "{batch}/{line:03}.{ext}", "{tenant}/{id}.{ext}")
"""Each names an object after its batch or its job: no other is accepted for a store that all batches share."""


def write(texts: Sequence[str], name: str = "sheet.txt") -> None:
    """The sheet."""
    Path(name).write_text("\n".join(texts) + "\n", encoding="utf-8")


def run(*options: str) -> tuple[str, ...]:
    """The command, with copies."""
    return ("run", "sheet.txt", "--out", "copies", *options)


def spoken(database_url: str, *, batch: str | None = None) -> dict[str, str]:
    """The checksum of each text's latest audio, and that each of its jobs has an end."""
    with closing(Database(database_url, connections=1)) as database, database.read() as connection:
        rows = connection.execute(select(Job.text, Job.sha256, Job.status, Job.batch_id).order_by(Job.id)).all()
    assert {row.status for row in rows} <= {JobStatus.SUCCEEDED}
    return {row.text: str(row.sha256) for row in rows if batch in {None, str(row.batch_id)}}


def copies_of(texts: Sequence[str]) -> dict[int, bytes]:
    """The folder's files, by line."""
    return {number: Path(f"copies/{number:04}.wav").read_bytes() for number in range(1, len(texts) + 1)}


def interrupted(process: Command, ready: Path) -> str:
    """Ctrl-C as soon as a file is there; the batch."""
    wait_for(ready.exists, seconds=60, what="a first copy", instead=lambda: process.err)
    process.signal(signal.SIGINT)
    code, out = process.end()
    assert code == 130
    return str(json.loads(out.splitlines()[-1])["batch"])


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_an_edited_sheet_after_ctrl_c_keeps_its_copies_and_objects(
    emulator: Emulator, postgres_database: str, template: str | None
) -> None:
    """The earlier batch's jobs go on and end later: they land neither in its objects nor in its copies."""
    options = () if template is None else ("--key-template", template)
    emulator.admin.latency(Latency(seconds=0.3))
    write(TEXTS)
    with closing(Command(*run("--json", *options))) as first:
        interrupted(first, Path("copies/0001.wav"))
    write(TEXTS[::-1])
    code, found = ttsq(*run("--json", *options))
    assert (code, found["succeeded"]) == (0, len(TEXTS))
    before = copies_of(TEXTS)
    code, _ = ttsq("status", "sheet.txt", "--watch", "--json")
    assert code == 0
    assert copies_of(TEXTS) == before
    assert emulator.state().billed_calls == len(TEXTS)
    write(TEXTS)
    assert ttsq(*run("--json", *options))[0] == 0
    assert copies_of(TEXTS) == dict(enumerate(reversed(before.values()), 1))
    assert len(spoken(postgres_database)) == emulator.state().billed_calls == len(TEXTS)


@pytest.mark.usefixtures("worker")
def test_a_run_that_began_earlier_gives_way_to_a_later_one(emulator: Emulator) -> None:
    """Both still go: the later one's copies stay, and the earlier one says which it could not bring."""
    emulator.admin.latency(Latency(seconds=0.3))
    write(TEXTS)
    with closing(Command(*run("--json"))) as earlier:
        wait_for(Path("copies/0001.wav").exists, seconds=60, what="a first copy", instead=lambda: earlier.err)
        write(["Another text.", "And one more."])
        Path("sheet.txt").rename("other.txt")
        code, _ = ttsq("run", "other.txt", "--out", "copies", "--json")
        assert code == 0
        later = copies_of(TEXTS[:2])
        code, _ = earlier.end()
        told = earlier.err
    assert copies_of(TEXTS[:2]) == later
    assert Path(f"copies/{len(TEXTS):04}.wav").exists()
    write(TEXTS)
    code, found = ttsq(*run("--json"))
    assert (code, found["succeeded"]) == (0, len(TEXTS))
    assert copies_of(TEXTS[:2]) != later
    assert "a later run has written this file" in told or code == 0


def delete(bucket: Bucket, keys: Sequence[str]) -> None:
    """As an operator does who cleans up."""
    with closing(bucket.client()) as client:
        for key in keys:
            client.delete_object(Bucket=bucket.name, Key=key)


def keys_of(bucket: Bucket) -> list[str]:
    """All audio in the bucket."""
    with closing(bucket.client()) as client:
        listed = client.list_objects_v2(Bucket=bucket.name).get("Contents", ())
        return [entry["Key"] for entry in listed if entry["Key"].endswith(".wav")]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("lost", [2, 6], ids=["some", "all"])
def test_objects_that_were_deleted_are_named_and_bought_with_consent_only(
    services: Bucket, emulator: Emulator, lost: int
) -> None:
    """Nothing says that all is well; `--missing` buys those alone."""
    texts = TEXTS[:6]
    write(texts)
    first = ("run", "sheet.txt", "--json")
    assert ttsq(*first)[0] == 0
    assert (len(keys_of(services)), emulator.state().billed_calls) == (6, 6)
    delete(services, keys_of(services)[:lost])
    with closing(Command("run", "sheet.txt")) as command:
        code, out = command.end()
        told = out + command.err
    assert code == 1
    assert f"{lost} files of finished jobs are missing" in told
    assert "--missing" in told
    assert "already spoken" not in told
    assert emulator.state().billed_calls == 6
    code, found = ttsq(*first, "--missing")
    assert (code, found["succeeded"]) == (0, 6)
    assert emulator.state().billed_calls == 6 + lost
    code, _ = ttsq(*first)
    assert (code, emulator.state().billed_calls) == (0, 6 + lost)


class _Gate(BaseHTTPRequestHandler):
    """Passes everything on but HEAD for objects, which is refused as by a policy without s3:GetObject."""

    protocol_version = "HTTP/1.1"
    target: str

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "HEAD" and self.path.count("/") > 1:
            self._answer(403, {}, b"")
            return
        parts = urlsplit(self.target)
        with closing(HTTPConnection(parts.hostname or "", parts.port, timeout=30)) as connection:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            self._answer(answer.status, dict(answer.getheaders()), answer.read())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815 - the names that the library looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Say nothing."""


@contextmanager
def refusing_heads(bucket: Bucket) -> Iterator[str]:
    """An address of the bucket's server at which no object's HEAD is answered."""
    handler = type("_BucketGate", (_Gate,), {"target": bucket.endpoint_url})
    server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.usefixtures("worker")
def test_a_bucket_that_refuses_to_be_asked_counts_as_nothing_lost(
    services: Bucket, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be seen is neither present nor missing: an error with the remedy, and nothing is bought."""
    write(TEXTS[:4])
    assert ttsq("run", "sheet.txt", "--json")[0] == 0
    with refusing_heads(services) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        for options in ((), ("--missing",)):
            with closing(Command("run", "sheet.txt", *options)) as command:
                code, out = command.end()
                told = out + command.err
            assert code not in {0, None}
            assert "refuses these credentials" in told
            assert "s3:GetObject" in told
            assert "already spoken" not in told
            assert emulator.state().billed_calls == 4
