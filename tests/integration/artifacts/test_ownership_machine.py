"""Whose file is whose, in whatever order Hypothesis thinks of: batches that share, nest and link their folders, edits,
late takes, cancellations, purges, prunes, copies, downloads, and a user who has files of his own there.

After each step no file of the user's has changed, no name holds an older job's audio where a later one's belongs, and
every job's audio can be read by its checksum. `OWNERSHIP_MACHINE_EXAMPLES=5000` makes a long run, at random instead of
the same every time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, update

from api_models.speech import JobRequest
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.servers.places import quick_folder
from worker.artifacts.addresses import path_of
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.ownership import Owner, remove
from worker.cli.batch.download import Fetcher
from worker.cli.batch.prune import Clearing
from worker.cli.run import clashes
from worker.cli.run.clashes import NameClashError
from worker.cli.run.copies import Copies
from worker.cli.run.submit import Audit
from worker.concurrency.futures import run_here
from worker.execution import upload
from worker.execution.copies import CopySource
from worker.execution.destinations import Destinations
from worker.execution.encoding import EncodedTake, Sound
from worker.execution.settlements import Cost
from worker.execution.spool import Receipt, Spool
from worker.intake.validation import Row
from worker.maintenance.purger import Purger
from worker.producer import resume_key, submit_batch
from worker.results.finisher import Finisher
from worker.store import batches, workers
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.tables.jobs import Batch, Job
from worker.store.transitions import (
    actions,
    claims,
    dispatches,
    purges,
)
from worker.store.transitions import (
    settlement as job_settlement,
)
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement

EXAMPLES: Final = int(os.environ.get("OWNERSHIP_MACHINE_EXAMPLES", "0"))
STEPS: Final = 25
DRAINED: Final = 20
"""Jobs that are done in one go at most."""
NAMES: Final = ("a", "b", "c")
TEXTS: Final = ("One.", "Two.", "Three.", "Four.")
PLACES: Final = (
    ("out", None),
    ("out", "x/{custom_id}.{ext}"),
    ("out/x", None),
    ("link", None),
    ("out/../out/x", None),
    ("out/into", None),
    ("else", None),
    ("out", "into/{custom_id}.{ext}"),
)
"""Folders and templates: `link` leads to `out`, and `out/into` to `else`."""
USERS: Final = ("out/a.wav", "out/x/b.wav", "else/c.wav", "out/manifest.csv", "down/a.wav", "out/x/results.jsonl")
ORIGIN: Final = "https://api.example"


def audio_of(text: str) -> bytes:
    """What a text's speech is here: never that of another one."""
    return f"RIFF{text}".encode() * 20


def sha256_of(text: str) -> str:
    """Of that."""
    return hashlib.sha256(audio_of(text)).hexdigest()


class OwnershipMachine(RuleBasedStateMachine):
    """The parts of workers, commands and the user that write and delete files, on one queue and one disk."""

    def __init__(self, template: Path) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="ttsq-owner-", dir=quick_folder()))
        shutil.copyfile(template, self.root / "queue.db")
        for folder in ("out/x", "else", "down"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "link").symlink_to("out")
        (self.root / "out/into").symlink_to("../else")
        self.database = Database(f"sqlite:///{self.root / 'queue.db'}")
        self.places = Destinations(self.database, (self.root / "shared").as_uri(), connections=2)
        self.users: dict[Path, bytes] = {}
        self.removed: set[Path] = set()
        self.taken: list[Claim] = []
        self.worker = uuid4()
        with self.database.begin() as connection:
            now = self.database.now(connection)
            workers.register(connection, worker_id=self.worker, host="here", pid=1, queue="ttsq", slots=4, now=now)

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.database.close()
        shutil.rmtree(self.root)

    def path(self, name: str) -> Path:
        """A name's one real path."""
        path = self.root / name
        return path.parent.resolve() / path.name

    # The user

    @rule(name=st.sampled_from(USERS), content=st.sampled_from((b"mine", b"mine too")))
    def save_a_file(self, name: str, content: bytes) -> None:
        """Under any name, in the place of whatever has it."""
        path = self.path(name)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        self.users[path] = content

    @rule(name=st.sampled_from(USERS))
    def remove_a_file(self, name: str) -> None:
        """His own, or one of ours."""
        path = self.path(name)
        path.unlink(missing_ok=True)
        self.users.pop(path, None)
        self.removed.add(path)

    # Commands

    @rule(
        place=st.sampled_from(PLACES),
        names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
        texts=st.lists(st.sampled_from(TEXTS), min_size=3, max_size=3),
        saved=st.sampled_from((None, None, *USERS)),
        drains=st.booleans(),
    )
    def run(
        self,
        place: tuple[str, str | None],
        names: Sequence[str],
        texts: Sequence[str],
        saved: str | None = None,
        *,
        drains: bool = False,
    ) -> None:
        """`ttsq run`, with a new sheet, an edited one or one that was given before."""
        folder, template = self.root / place[0], place[1]
        rows = [
            Row(line, JobRequest(custom_id=name, text=text))
            for line, (name, text) in enumerate(zip(names, texts, strict=False), 1)
        ]
        url = folder.resolve().as_uri()
        with self.database.read() as connection:
            key = resume_key(rows, origin=ORIGIN, output_url=url, key_template=template)
            known = batches.by_resume_key(connection, "default", key)
        lost = None if known is None else Audit(self.database, self.places, known.id, "default").run()
        try:
            clashes.refuse(folder, rows, template=template, overwrite=False, but=lost.changed if lost else ())
        except NameClashError:
            return
        renew = lost is not None and bool(lost.replaced) and not lost.gone
        with self.database.begin() as connection:
            submit_batch(
                connection, rows, name="sheet", origin=ORIGIN, output_url=url, key_template=template, renew=renew
            )
        if saved is not None:
            self.save_a_file(saved, b"mine")
        if drains:
            self.drain()

    @rule(share=st.integers(0, 5))
    def cancel(self, share: int) -> None:
        """`ttsq batch cancel`."""
        if batch := self.a_batch(share):
            with self.database.begin() as connection:
                actions.cancel(connection, job_queries.of_batch(batch), now=self.database.now(connection))

    @rule(share=st.integers(0, 5))
    def retry(self, share: int) -> None:
        """`ttsq batch retry`."""
        if batch := self.a_batch(share):
            with self.database.begin() as connection:
                states = (JobStatus.CANCELLED, JobStatus.FAILED)
                actions.retry(connection, job_queries.of_batch(batch), states=states)

    @rule(share=st.integers(0, 5))
    def purge(self, share: int) -> None:
        """`ttsq jobs delete`."""
        if batch := self.a_batch(share):
            with self.database.begin() as connection:
                purges.ask(connection, job_queries.of_batch(batch), now=self.database.now(connection))
                jobs = list(connection.execute(select(Job.id).where(Job.batch_id == batch)).scalars())
            Purger(self.database, self.places).run(jobs)

    @rule(share=st.integers(0, 5))
    def prune(self, share: int) -> None:
        """`ttsq prune`, when a batch has become old."""
        if batch := self.a_batch(share):
            with self.database.begin() as connection:
                now = self.database.now(connection)
                old = update(Batch).where(Batch.id == batch, Batch.finished_at.is_not(None))
                connection.execute(old.values(finished_at=now - timedelta(days=40)))
            Clearing(self.database, self.places, now - timedelta(days=30)).run()

    @rule(share=st.integers(0, 5), folder=st.sampled_from(("down", "out", "else", "link")))
    def download(self, share: int, folder: str) -> None:
        """`ttsq batch download`."""
        if batch := self.a_batch(share):
            with self.database.read() as connection:
                record = batches.by_id(connection, batch)
            assert record is not None
            Fetcher(self.database, self.places, record, FolderStore(self.root / folder, remembers=False)).run(1)

    @rule(share=st.integers(0, 5))
    def copy(self, share: int) -> None:
        """The copies of `ttsq run --out`."""
        if batch := self.a_batch(share):
            with self.database.read() as connection:
                record = batches.by_id(connection, batch)
            assert record is not None
            store = self.places.store_of(tenant="default", batch_id=batch)
            copies = Copies(self.database, job_queries.of_batch(batch), store, self.root / "copies")
            with copies:
                copies.finish()

    # Workers

    @rule(share=st.integers(0, 20))
    def claim(self, share: int) -> None:
        """A worker begins a job."""
        with self.database.begin() as connection:
            waiting = select(Job.id, Job.attempt).where(Job.status.in_(["queued", "scheduled"])).order_by(Job.id)
            rows = connection.execute(waiting).all()
            if not rows:
                return
            job = rows[share % len(rows)]
            now = self.database.now(connection)
            dispatches.dispatch(connection, [job.id], worker_id=self.worker, now=now)
            found = claims.claim(connection, job.id, job.attempt, worker_id=self.worker, now=now)
        if found is not None:
            self.taken.append(found)

    @rule(share=st.integers(0, 20), asks=st.booleans())
    def store(self, share: int, asks: bool) -> None:
        """A take arrives; the worker may have asked long before whether the job is still its own."""
        if not self.taken:
            return
        claim = self.taken.pop(share % len(self.taken))
        with self.database.read() as connection:
            owned = claims.is_owned(connection, claim)
        if asks and not owned:
            return
        place = self.places.for_claim(claim)
        audio = CopySource(claim, place, self.database, self.places, Spool(self.root / "spool", 1)).copied()
        if audio is None:
            take = self.root / "take.wav"
            take.write_bytes(audio_of(claim.speech.text))
            made = EncodedTake(take, 1_000, Sound(None, None, None))
            audio = run_here(
                upload.upload(claim, place, made, Receipt(), Cost(amount=job_settlement.ZERO, estimated=False))
            )
        settlement = Settlement(JobStatus.SUCCEEDED, VerdictKind.SUCCESS, audio=audio)
        with self.database.begin() as connection:
            won = job_settlement.settle(connection, claim, settlement, now=self.database.now(connection))
            status = claims.status_of(connection, claim.job_id)
        if not won and status is JobStatus.CANCELLED:
            key = place.store.key_of(audio.uri)
            assert key is not None
            remove(place.store, key, Owner(job=str(claim.job_id)), sha256=audio.sha256, forget=False)

    @rule()
    def drain(self) -> None:
        """The workers do all there is."""
        for _ in range(DRAINED):
            self.claim(0)
            if not self.taken:
                return
            self.store(0, asks=True)

    @rule(share=st.integers(0, 5))
    def finish(self, share: int) -> None:
        """The result files are written."""
        if batch := self.a_batch(share):
            Finisher(self.database, self.places).run(batch)

    # What holds

    @invariant()
    def no_file_of_the_users_has_changed(self) -> None:
        """Each is there as it was saved."""
        for path, content in self.users.items():
            assert path.read_bytes() == content, path

    @invariant()
    def every_file_holds_its_latest_owner(self) -> None:
        """And what was replaced is still served by its checksum."""
        with self.database.read() as connection:
            columns = (Job.id, Job.uri, Job.sha256, Job.text, Job.batch_id)
            spoken = select(*columns).where(Job.status == "succeeded", Job.purged_at.is_(None)).order_by(Job.id)
            rows = connection.execute(spoken).all()
        for row in rows:
            assert row.sha256 == sha256_of(row.text)
            place = self.places.containing(row.uri or "", tenant="default", batch_id=row.batch_id)
            assert place is not None
            path = path_of(row.uri or "")
            assert path is not None
            path = path.parent.resolve() / path.name
            if path in self.removed or not path.exists():
                continue
            blocks = place.store.read(place.key, sha256=row.sha256)
            if path not in self.users:
                assert blocks is not None, f"{path}: the audio of {row.id} is lost"
            if blocks is not None:
                assert b"".join(blocks) == audio_of(row.text)
            found = place.store.head(place.key)
            if path in self.users or found is None or found.sha256 == row.sha256:
                continue
            owner = Owner.of(found.metadata).job
            assert owner is not None, f"{path} holds content that was never stored"
            assert owner > str(row.id), f"{path} of {row.id} holds the audio of the earlier job {owner}"

    def a_batch(self, share: int) -> UUID | None:
        """One of those there are."""
        with self.database.read() as connection:
            found = list(connection.execute(select(Batch.id).order_by(Batch.id)).scalars())
        return found[share % len(found)] if found else None


@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_no_history_loses_a_file(migrated_file: Path) -> None:
    """A few dozen histories; always the same, unless a long run is asked for."""
    run_state_machine_as_test(
        lambda: OwnershipMachine(migrated_file),  # type: ignore[arg-type]  # it only calls what it is given
        settings=settings(
            max_examples=EXAMPLES or 30,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not EXAMPLES,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
