"""The state machine of ownership: the parts of workers, commands and the user that write and delete files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select, update

from api_models.speech import JobRequest
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.integration.artifacts.books import Books, Spoken
from tests.integration.artifacts.ground import HANDS, S3, Bucketful, Ground, audio_of, sha256_of
from worker.artifacts.errors import ArtifactsError
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
from worker.execution.destinations import Destination, Destinations
from worker.execution.encoding import EncodedTake, Sound
from worker.execution.settlements import Cost
from worker.execution.spool import AUDIO, Receipt, Spool
from worker.intake.validation import Row
from worker.maintenance.purger import Purger
from worker.producer import resume_key, submit_batch
from worker.results.finisher import Finisher
from worker.store import batches, workers
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.tables.jobs import Batch, Job
from worker.store.transitions import actions, claims, dispatches, purges
from worker.store.transitions import settlement as job_settlement
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement, StoredAudio

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
    ("s3:out", None),
    ("s3:out", "x/{custom_id}.{ext}"),
    ("s3:out/x", None),
    (None, None),
    (None, "{batch}/{custom_id}.{ext}"),
)
"""Folders, prefixes and templates: `link` leads to `out`, and `out/into` to `else`. None is the settings' own store."""
USERS: Final = (
    "out/a.wav",
    "out/x/b.wav",
    "else/c.wav",
    "out/manifest.csv",
    "down/a.wav",
    "out/x/results.jsonl",
    "s3:out/a.wav",
    "s3:out/x/b.wav",
    "s3:out/manifest.csv",
)
ORIGIN: Final = "https://api.example"


class OwnershipMachine(RuleBasedStateMachine):
    """The parts of workers, commands and the user that write and delete files, on one queue and one ground."""

    def __init__(self, template: Path, bucketful: Bucketful) -> None:
        super().__init__()
        self.ground = Ground(bucketful)
        self.root = self.ground.root
        shutil.copyfile(template, self.root / "queue.db")
        (self.root / "spool").mkdir()
        self.database = Database(f"sqlite:///{self.root / 'queue.db'}")
        stores = dict(bucketful.stores)
        self.places = Destinations(self.database, self.ground.url("store"), connections=2, _stores=stores)
        self.books = Books()
        self.copying: list[tuple[UUID, Copies]] = []
        self.latest: tuple[tuple[str | None, str | None], Sequence[str]] | None = None
        self.taken: list[Claim] = []
        self.worker = uuid4()
        with self.database.begin() as connection:
            now = self.database.now(connection)
            workers.register(connection, worker_id=self.worker, host="here", pid=1, queue="ttsq", slots=4, now=now)

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.database.close()
        self.ground.close()

    # The user

    @initialize(shared=st.sampled_from(("store", "store", "s3:shared")))
    def choose_a_store(self, shared: str) -> None:
        """The settings' own."""
        self.places.default_url = self.ground.url(shared)

    @rule(
        name=st.sampled_from(USERS),
        content=st.sampled_from((b"mine", b"mine too")),
        hand=st.sampled_from(HANDS),
    )
    def save_a_file(self, name: str, content: bytes, hand: str = "new file") -> None:
        """Under any name, in the place of whatever has it."""
        address = self.ground.address(name)
        before = self.ground.visible().get(address) if hand == "same file" else None
        self.ground.save(name, content, hand)
        self.books.save(address, content, before=before)

    @rule(name=st.sampled_from(USERS))
    def remove_a_file(self, name: str) -> None:
        """His own, or one of ours."""
        self.ground.remove(name)
        self.books.remove(self.ground.address(name))

    # Commands

    @rule(
        place=st.sampled_from(PLACES),
        names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
        texts=st.lists(st.sampled_from(TEXTS), min_size=3, max_size=3),
        saved=st.sampled_from((None, None, *USERS)),
        then=st.sampled_from(("", "claim", "drain", "claim and drain")),
        same=st.booleans(),
    )
    def run(
        self,
        place: tuple[str | None, str | None],
        names: Sequence[str],
        texts: Sequence[str],
        saved: str | None = None,
        *,
        then: str = "",
        same: bool = False,
    ) -> None:
        """`ttsq run`, with a new sheet, an edited one (the `same` place and names), or one that was given before."""
        self.ground.is_stirred = True
        place, names = self.latest if same and self.latest else (place, names)
        self.latest = place, names
        rows = [
            Row(line, JobRequest(custom_id=name, text=text))
            for line, (name, text) in enumerate(zip(names, texts, strict=False), 1)
        ]
        where, template = place
        url = None if where is None else self.ground.url(where)
        with self.database.read() as connection:
            key = resume_key(rows, origin=ORIGIN, output_url=url, key_template=template)
            known = batches.by_resume_key(connection, "default", key)
        lost = None if known is None else Audit(self.database, self.places, known.id, "default").run()
        if where is not None and not where.startswith(S3):
            try:
                changed = lost.changed if lost else ()
                clashes.refuse(self.root / where, rows, template=template, overwrite=False, but=changed)
            except NameClashError:
                return
        renew = lost is not None and bool(lost.replaced) and not lost.gone
        with self.database.begin() as connection:
            submit_batch(
                connection, rows, name="sheet", origin=ORIGIN, output_url=url, key_template=template, renew=renew
            )
        if saved is not None:
            self.save_a_file(saved, b"mine")
        if "claim" in then:
            self.claim(0)
        if "drain" in then:
            self.drain(kept=len(self.taken))

    @rule(
        place=st.sampled_from(PLACES),
        name=st.sampled_from(NAMES),
        texts=st.lists(st.sampled_from(TEXTS), min_size=2, max_size=2, unique=True),
        ends=st.sampled_from(("late", "late and owned", "never")),
    )
    def edit(self, place: tuple[str | None, str | None], name: str, texts: Sequence[str], ends: str) -> None:
        """A text is edited while its job is in hand, and spoken; then the first one's take arrives."""
        kept = len(self.taken)
        self.run(place, [name], texts[:1], then="claim")
        self.run(place, [name], texts[1:], then="drain")
        if len(self.taken) > kept and ends != "never":
            self.store(kept, asks=ends == "late and owned")

    @rule(share=st.integers(0, 5))
    def cancel(self, share: int) -> None:
        """`ttsq batch cancel`."""
        if batch := self.a_batch(share):
            with self.database.begin() as connection:
                actions.cancel(connection, job_queries.of_batch(batch.id), now=self.database.now(connection))

    @rule(share=st.integers(0, 5))
    def retry(self, share: int) -> None:
        """`ttsq batch retry`."""
        if batch := self.a_batch(share):
            with self.database.begin() as connection:
                states = (JobStatus.CANCELLED, JobStatus.FAILED)
                actions.retry(connection, job_queries.of_batch(batch.id), states=states)

    @rule(share=st.integers(0, 5))
    def purge(self, share: int) -> None:
        """`ttsq jobs delete`."""
        if batch := self.a_batch(share):
            self.purge_batch(batch)

    def purge_batch(self, batch: BatchRecord) -> None:
        """All its jobs."""
        self.ground.is_stirred = True
        with self.database.begin() as connection:
            purges.ask(connection, job_queries.of_batch(batch.id), now=self.database.now(connection))
            jobs = list(connection.execute(select(Job.id).where(Job.batch_id == batch.id)).scalars())
        Purger(self.database, self.places).run(jobs)

    @rule(share=st.integers(0, 5))
    def prune(self, share: int) -> None:
        """`ttsq prune`, when a batch has become old."""
        if batch := self.a_batch(share):
            self.prune_batch(batch)

    def prune_batch(self, batch: BatchRecord) -> None:
        """If it is finished."""
        self.ground.is_stirred = True
        with self.database.begin() as connection:
            now = self.database.now(connection)
            old = update(Batch).where(Batch.id == batch.id, Batch.finished_at.is_not(None))
            connection.execute(old.values(finished_at=now - timedelta(days=40)))
        Clearing(self.database, self.places, now - timedelta(days=30)).run()

    @rule(share=st.integers(0, 5), folder=st.sampled_from(("down", "out", "else", "link")))
    def download(self, share: int, folder: str) -> None:
        """`ttsq batch download`."""
        if batch := self.a_batch(share):
            before = self.ground.visible()
            Fetcher(self.database, self.places, batch, FolderStore(self.root / folder, remembers=False)).run(1)
            brought = self.ground.visible().items() - before.items()
            self.books.download(dict(brought), [job for job in self.live() if job.batch_id == batch.id])

    @rule(share=st.integers(0, 5))
    def begin_copies(self, share: int) -> None:
        """`ttsq run --out` begins, with a store of the settings' own."""
        if batch := self.a_batch(share):
            store = self.places.store_of(tenant="default", batch_id=batch.id)
            copies = Copies(self.database, job_queries.of_batch(batch.id), store, self.root / "copies")
            self.copying.append((batch.id, copies))

    @rule(share=st.integers(0, 3))
    def bring_copies(self, share: int) -> None:
        """A run brings what is there by now, though later ones may have been here."""
        if not self.copying:
            return
        number = share % len(self.copying)
        batch, copies = self.copying[number]
        failures = " ".join(copies.finish())
        for job in self.live():
            name = f"{job.custom_id}.wav"
            if job.batch_id == batch and f"{name}:" not in failures:
                self.books.bring(self.ground.address(f"copies/{name}"), number, job.text)

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

    @rule(share=st.integers(0, 20))
    def store_a_damaged_take(self, share: int) -> None:
        """The disk has changed it since it was accepted: nothing is stored. This S3 compares no checksums."""
        claim = self.taken[share % len(self.taken)] if self.taken else None
        if claim is not None and isinstance(self.places.for_claim(claim).store, FolderStore):
            with pytest.raises(ArtifactsError, match="isn't the one that was accepted"):
                self.upload(claim, self.places.for_claim(claim), b"RIFFdamaged")

    @rule(share=st.integers(0, 20), asks=st.booleans())
    def store(self, share: int, asks: bool) -> None:
        """A take arrives; the worker may have asked long before whether the job is still its own."""
        self.ground.is_stirred = True
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
            audio = self.upload(claim, place, audio_of(claim.speech.text))
        self.books.put(claim, self.ground.address_of(audio.uri))
        settlement = Settlement(JobStatus.SUCCEEDED, VerdictKind.SUCCESS, audio=audio)
        with self.database.begin() as connection:
            won = job_settlement.settle(connection, claim, settlement, now=self.database.now(connection))
            status = claims.status_of(connection, claim.job_id)
        if not won and status is JobStatus.CANCELLED:
            key = place.store.key_of(audio.uri)
            assert key is not None
            remove(place.store, key, Owner(job=str(claim.job_id)), sha256=audio.sha256, forget=False)

    def upload(self, claim: Claim, place: Destination, content: bytes) -> StoredAudio:
        """As an attempt does that has heard and accepted the audio of its text."""
        take = self.root / f"take{AUDIO}"
        take.write_bytes(content)
        made = EncodedTake(take, 1_000, Sound(None, None, None))
        receipt = Receipt(sha256=sha256_of(claim.speech.text))
        cost = Cost(amount=job_settlement.ZERO, estimated=False)
        return run_here(upload.upload(claim, place, made, receipt, cost))

    @rule(kept=st.integers(0, 1))
    def drain(self, kept: int = 0) -> None:
        """The workers do all there is, but for what they have in hand and keep; the result files as well."""
        for _ in range(DRAINED):
            self.claim(0)
            if len(self.taken) <= kept:
                break
            self.store(kept, asks=True)
        for share in range(3):
            self.finish(share)

    @rule(share=st.integers(0, 5))
    def finish(self, share: int) -> None:
        """The result files are written."""
        self.ground.is_stirred = True
        if batch := self.a_batch(share):
            Finisher(self.database, self.places).run(batch.id)

    # What holds

    @invariant()
    def everything_is_where_it_belongs(self) -> None:
        """By the books."""
        self.books.check(self.ground.visible(), self.live(), self.read)
        self.ground.is_stirred = False

    def read(self, job: Spoken) -> Iterator[bytes] | None:
        """A job's audio, by its checksum; what lies in the bucket as before isn't asked for again."""
        if not (self.ground.is_stirred or job.uri.startswith("file:")):
            return None
        place = self.places.containing(job.uri, tenant="default", batch_id=job.batch_id)
        assert place is not None
        return place.store.read(place.key, sha256=job.sha256)

    def live(self) -> list[Spoken]:
        """The jobs whose audio is to be there."""
        columns = (Job.id, Job.uri, Job.sha256, Job.text, Job.batch_id, Job.custom_id)
        spoken = select(*columns).where(Job.status == "succeeded", Job.purged_at.is_(None)).order_by(Job.id)
        with self.database.read() as connection:
            return [*connection.execute(spoken)]

    def a_batch(self, share: int) -> BatchRecord | None:
        """One of those there are."""
        with self.database.read() as connection:
            found = list(connection.execute(select(Batch.id).order_by(Batch.id)).scalars())
            return batches.by_id(connection, found[share % len(found)]) if found else None
