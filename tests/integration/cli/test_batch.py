"""`ttsq batch …` and `ttsq prune`, on queues of either kind with audio in a folder."""

from __future__ import annotations

import hashlib
import json
import zipfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from api_models.speech import JobRequest
from api_models.status import JobStatus
from tests.factories import add_attempt, add_batch, add_job, ledger, stored
from tests.terminal import Ttsq, queue, ttsq
from worker import producer
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.partial import sha256_of
from worker.execution.destinations import Destinations
from worker.results.finisher import Finisher
from worker.store.database import Database
from worker.store.tables.jobs import Attempt, Batch, Job

__all__ = ["queue", "ttsq"]

API = "http://127.0.0.1:9"
PRICE = Decimal("0.0067")


@pytest.fixture
def audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """Where audio lies."""
    folder = tmp_path / "store"
    monkeypatch.setenv("TTSQ_ARTIFACTS_URL", folder.as_uri())
    return FolderStore(folder)


def a_batch(database: Database, **columns: Any) -> UUID:  # noqa: ANN401 - any column
    """One without jobs."""
    with database.begin() as connection:
        return add_batch(connection, **({"name": "welcome.csv", "created_at": database.now(connection)} | columns))


def a_job(database: Database, batch: UUID | None, name: str | None = None, **columns: Any) -> UUID:  # noqa: ANN401
    """One of its jobs; what says `text` has the fingerprint that the command would give it."""
    if text := columns.get("text"):
        request = JobRequest(text=text)
        columns["fingerprint"] = producer.content_of(request, origin=API, tenant="default")
    with database.begin() as connection:
        return add_job(connection, batch_id=batch, custom_id=name, **columns)


def spoken(database: Database, store: FolderStore, batch: UUID, name: str, **columns: Any) -> UUID:  # noqa: ANN401
    """A job that succeeded, with unique bytes."""
    source = Path(f"{name}.source")
    source.write_bytes(f"audio of {name} ".encode() * 500)
    key, digest = f"default/{batch}/{name}.wav", sha256_of(source)
    put = store.put(key, source, content_type="audio/wav", sha256=digest, metadata={})
    facts = {"status": JobStatus.SUCCEEDED, "uri": put.uri, "sha256": digest, "audio_bytes": put.size, "cost": PRICE}
    return a_job(database, batch, name, **(facts | columns))


def row(database: Database, job: UUID) -> Any:  # noqa: ANN401 - a row
    with database.read() as connection:
        return stored(connection, job)


class TestOperating:
    """Commands that change batches."""

    def test_a_batch_is_paused_and_resumed(self, queue: Database, ttsq: Ttsq) -> None:
        """Twice changes nothing more; the list and the batch itself say how it stands."""
        batch = a_batch(queue)
        a_job(queue, batch, "a")
        assert "is paused: 1 text queued, 0 in flight" in ttsq("batch", "pause", "welcome").out
        assert "already paused" in ttsq("batch", "pause", "welcome").out
        assert [line["state"] for line in ttsq("batch", "list", "--json").lines] == ["paused"]
        shown = ttsq("batch", "show", "welcome", "--json").data
        assert (shown["state"], shown["hold"]["code"], shown["seconds_left"]) == ("paused", "paused", None)
        assert "is resumed" in ttsq("batch", "resume", str(batch)).out
        assert "is not paused" in ttsq("batch", "resume", str(batch)).out
        assert "running" in ttsq("batch", "list").out

    def test_cancelling_shows_what_is_paid(self, queue: Database, ttsq: Ttsq) -> None:
        """For the whole batch; succeeded jobs stay. A retry selects by code."""
        batch = a_batch(queue)
        a_job(queue, batch, "a", status=JobStatus.SUCCEEDED, cost=PRICE)
        waiting = a_job(queue, batch, "b")
        failed = a_job(queue, batch, "c", status=JobStatus.FAILED, code="bad_audio", cost=PRICE)
        shown = ttsq("batch", "cancel", "welcome")
        assert "1 job of welcome.csv cancelled; $0.0134 spent, 1 text spoken" in shown.out
        assert row(queue, waiting).status == "cancelled"
        assert "Nothing to cancel" in ttsq("batch", "cancel", "welcome").out
        assert "1 job queued again" in ttsq("batch", "retry", "welcome", "--code", "bad_audio").out
        assert [row(queue, job).status for job in (waiting, failed)] == ["cancelled", "queued"]

    def test_a_batch_moves_in_the_queue(self, queue: Database, ttsq: Ttsq) -> None:
        """Unfinished jobs have the new priority; the output shows the old position and the new one."""
        first, second = a_batch(queue, name="first"), a_batch(queue, name="second")
        for number in range(5):
            a_job(queue, first, f"{number}")
        mine = [a_job(queue, second, name) for name in "ab"]
        over = a_job(queue, second, "c", status=JobStatus.CANCELLED)
        assert ttsq("batch", "show", "second", "--json").data["before"] == 2
        assert "2 jobs of second now at priority -5" in ttsq("batch", "priority", "second", "--", "-5").out
        assert [row(queue, job).priority for job in (*mine, over)] == [-5, -5, 0]
        assert ttsq("batch", "show", "second", "--json").data["before"] == 5
        ttsq("batch", "priority", "second", "50")
        found = ttsq("batch", "show", "second", "--json").data
        assert (found["before"], found["counts"], found["state"]) == (0, {"cancelled": 1, "queued": 2}, "under way")
        assert Decimal(found["cost_left"]) > 0


class TestFetching:
    """What a batch came to, on this machine."""

    def test_results_come_early_only_when_asked_for_as_such(
        self, queue: Database, audio: FolderStore, ttsq: Ttsq
    ) -> None:
        """On standard output a line each, or as three files in a folder."""
        batch = a_batch(queue)
        spoken(queue, audio, batch, "a")
        a_job(queue, batch, "b", status=JobStatus.FAILED)
        waiting = a_job(queue, batch, "c")
        refused = ttsq("batch", "results", "welcome")
        assert (refused.code, refused.out) == (2, "")
        assert "--partial" in refused.err
        assert [line["custom_id"] for line in ttsq("batch", "results", "welcome", "--partial").lines] == ["a"]
        (error,) = ttsq("batch", "results", "welcome", "--partial", "--errors").lines
        assert (error["custom_id"], error["code"]) == ("b", "invalid_request")
        with queue.begin() as connection:
            connection.execute(update(Job).where(Job.id == waiting).values(status="cancelled", finished_at=func.now()))
        assert "1 result, 2 errors, in out" in ttsq("batch", "results", "welcome", "--out", "out").out
        assert sorted(path.name for path in Path("out").glob("[!.]*")) == [
            "errors.jsonl",
            "manifest.csv",
            "results.jsonl",
        ]

    def test_an_interrupted_download_resumes(self, queue: Database, audio: FolderStore, ttsq: Ttsq) -> None:
        """Missing files are fetched, whole ones left; an edited one is the user's and needs `--overwrite`."""
        batch = a_batch(queue)
        jobs = {name: spoken(queue, audio, batch, name) for name in "abc"}
        a_job(queue, batch, "d", status=JobStatus.FAILED)
        first = ttsq("batch", "download", "welcome", "--json")
        assert (first.code, first.data["files"], first.data["already_there"]) == (0, 3, 0)
        folder = Path("welcome")
        for name, job in jobs.items():
            assert hashlib.sha256((folder / f"{name}.wav").read_bytes()).hexdigest() == row(queue, job).sha256
        (folder / "a.wav").write_bytes(b"edited")
        (folder / "b.wav").unlink()
        kept = (folder / "c.wav").stat().st_mtime_ns
        again = ttsq("batch", "download", "welcome", "--json")
        assert (again.code, again.data["files"], again.data["already_there"]) == (1, 2, 1)
        assert (folder / "a.wav").read_bytes() == b"edited"
        agreed = ttsq("batch", "download", "welcome", "--overwrite", "--json")
        assert (agreed.code, agreed.data["files"], agreed.data["already_there"]) == (0, 3, 2)
        assert sha256_of(folder / "a.wav") == row(queue, jobs["a"]).sha256
        assert (folder / "c.wav").stat().st_mtime_ns == kept
        assert (folder / "manifest.csv").is_file()
        audio.delete(f"default/{batch}/a.wav")
        (folder / "a.wav").unlink()
        missed = ttsq("batch", "download", "welcome")
        assert missed.code == 1
        assert "a.wav: no longer exists" in missed.err

    @pytest.mark.parametrize("name", [".ssh", "..", ".ssh.csv", "../up", "a\x1b[31m", "x:y", " "])
    def test_a_batchs_name_leads_into_no_folder_of_the_user(
        self, name: str, queue: Database, audio: FolderStore, ttsq: Ttsq
    ) -> None:
        """A hidden folder, one above and a name that no folder may have are replaced."""
        batch = a_batch(queue, name=name)
        spoken(queue, audio, batch, "a")
        assert ttsq("batch", "download", str(batch)).code == 0
        assert Path("up" if name == "../up" else str(batch), "a.wav").is_file()

    def test_audio_that_is_not_the_recorded_take_is_not_taken_for_it(
        self, queue: Database, audio: FolderStore, ttsq: Ttsq
    ) -> None:
        """The recorded take is read by its checksum; without it, another take under its name is left out."""
        batch = a_batch(queue)
        recorded = row(queue, spoken(queue, audio, batch, "a")).sha256
        other = Path("other")
        other.write_bytes(b"a different take")
        digest = sha256_of(other)
        audio.put(f"default/{batch}/a.wav", other, content_type="audio/wav", sha256=digest, metadata={})
        assert ttsq("batch", "download", "welcome", "--out", "kept").code == 0
        assert sha256_of(Path("kept/a.wav")) == recorded
        audio.forget(f"default/{batch}/a.wav", recorded or "")
        missed = ttsq("batch", "download", "welcome", "--out", "here")
        assert (missed.code, Path("here/a.wav").exists()) == (1, False)
        assert "a different take" in missed.err

    def test_a_zip_has_it_all_and_leaves_nothing_beside_it(
        self, queue: Database, audio: FolderStore, ttsq: Ttsq
    ) -> None:
        """The audio under its names, and the three files."""
        batch = a_batch(queue)
        for name in "ab":
            spoken(queue, audio, batch, name)
        assert ttsq("batch", "download", "welcome", "--zip", "all.zip").code == 0
        with zipfile.ZipFile("all.zip") as packed:
            assert packed.testzip() is None
            names = packed.namelist()
        assert names == ["a.wav", "b.wav", "errors.jsonl", "manifest.csv", "results.jsonl"]
        assert [path.name for path in Path.cwd().iterdir() if path.name.startswith(".all")] == []


def test_a_diff_shows_what_a_new_sheet_would_buy(queue: Database, ttsq: Ttsq) -> None:
    """By name and content: changed and new lines are bought, the rest exists; removed lines are named."""
    batch = a_batch(queue)
    for name, text in (("a", "One."), ("b", "Two."), ("c", "Three.")):
        a_job(queue, batch, name, text=text, status=JobStatus.SUCCEEDED)
    a_job(queue, batch, "d", text="Four.")
    Path("new.csv").write_text("custom_id,text\na,One.\nb,Two!\nd,Four.\ne,Three.\n")
    found = ttsq("batch", "diff", "welcome", "new.csv", "--json").data
    assert (found["unchanged"], found["unspoken"], found["changed"], found["added"], found["gone"]) == (
        1,
        ["d"],
        ["b"],
        ["e"],
        ["c"],
    )
    assert (found["calls"], found["copies"]) == (2, 2)
    shown = ttsq("batch", "diff", "welcome", "new.csv")
    assert "for 2 calls; the other 2 texts would be copied" in shown.out


class TestPruning:
    """What ended long ago is cleared away."""

    def test_it_takes_objects_and_rows_and_leaves_the_ledger(
        self, queue: Database, audio: FolderStore, ttsq: Ttsq, tmp_path: Path
    ) -> None:
        """Only old batches are removed, with their result files. Without confirmation nothing is removed."""
        with queue.begin() as connection:
            long_ago = queue.now(connection) - timedelta(days=40)
        old, young, going_on = (a_batch(queue, name=name) for name in ("old", "young", "going on"))
        first = spoken(queue, audio, old, "a", finished_at=long_ago)
        alone = a_job(queue, None, status=JobStatus.FAILED, finished_at=long_ago)
        kept = spoken(queue, audio, young, "b")
        a_job(queue, going_on, "c")
        with queue.begin() as connection:
            add_attempt(connection, job_id=first, batch_id=old, cost=PRICE)
        finisher = Finisher(queue, Destinations(queue, (tmp_path / "store").as_uri(), connections=2))
        assert finisher.run(old)
        assert finisher.run(young)
        with queue.begin() as connection:
            connection.execute(update(Batch).where(Batch.id != young).values(finished_at=long_ago))
        refused = ttsq("prune", "--older-than", "30d")
        assert refused.code == 2
        assert "2 jobs with 0.0 MB of audio, including 1 whole batch would be removed" in refused.err
        done = ttsq("prune", "--older-than", "30d", "--yes", "--json").data
        assert done == {"batches": 1, "jobs": 2, "objects": 4, "troubles": []}
        with queue.read() as connection:
            left = set(connection.execute(select(Job.id)).scalars())
            assert left.isdisjoint({first, alone})
            assert kept in left
            assert len(left) == 2
            assert [attempt.cost for attempt in ledger(connection, first)] == [PRICE]
            assert connection.execute(select(func.sum(Attempt.cost, type_=Attempt.cost.type))).scalar_one() == PRICE
        assert not list((tmp_path / "store" / "default" / str(old)).iterdir())
        assert len(list((tmp_path / "store" / "default" / str(young)).iterdir())) == 4
        assert "Nothing is old enough" in ttsq("prune", "--older-than", "30d").out

    def test_a_file_that_a_later_run_left_in_the_same_folder_stays(
        self, queue: Database, ttsq: Ttsq, tmp_path: Path
    ) -> None:
        """Both rows name it; it is the younger one's."""
        with queue.begin() as connection:
            long_ago = queue.now(connection) - timedelta(days=40)
        folder = tmp_path / "out"
        store = FolderStore(folder)
        source = Path("source")
        source.write_bytes(b"audio")
        for name in "ab":
            store.put(f"{name}.wav", source, content_type="audio/wav", sha256=sha256_of(source), metadata={})
        common = {"status": JobStatus.SUCCEEDED, "sha256": sha256_of(source), "audio_bytes": 5}
        old = a_batch(queue, output_url=folder.as_uri(), finished_at=long_ago)
        young = a_batch(queue, output_url=folder.as_uri())
        for batch, names in ((old, "ab"), (young, "a")):
            for name in names:
                a_job(queue, batch, name, **common, uri=store.uri(f"{name}.wav"), finished_at=long_ago)
        assert ttsq("prune", "--older-than", "30d", "--yes", "--json").data["jobs"] == 2
        assert [path.name for path in sorted(folder.glob("*.wav"))] == ["a.wav"]

    def test_an_invalid_age_is_refused(self, queue: Database, ttsq: Ttsq) -> None:
        """And so is one under which repeated requests would make their jobs again."""
        assert queue is not None
        assert "is not a duration" in ttsq("prune", "--older-than", "soon", "--yes").err
        assert "is too short" in ttsq("prune", "--older-than", "1h", "--yes").err


def test_lists_are_for_machines_too(queue: Database, ttsq: Ttsq) -> None:
    """A line of JSON a batch, the newest first."""
    for name in ("one", "two"):
        a_batch(queue, name=name)
    lines = [json.loads(line) for line in ttsq("batch", "list", "--json").out.splitlines()]
    assert [(line["name"], line["state"]) for line in lines] == [("two", "over"), ("one", "over")]
