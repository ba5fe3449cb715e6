"""Courses of events in which a checksum alone shows whose a file is: single steps at random seldom come upon them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule
from sqlalchemy import select

from tests.integration.artifacts.ground import HANDS, S3, Bucketful, Ground
from tests.integration.artifacts.ownership_machine import NAMES, PLACES, OwnershipMachine
from worker.cli.run.copies import Copies
from worker.results.finisher import Finisher
from worker.store import batches
from worker.store.batches import BatchRecord
from worker.store.queries import jobs as job_queries
from worker.store.tables.jobs import Batch

FOLDERS: Final = tuple(place for place in PLACES if place[0] is not None and not place[0].startswith(S3))
PREFIXES: Final = tuple(place for place in PLACES if place[0] is not None and place[0].startswith(S3))
"""In these a later batch takes an earlier one's names. Stores of one kind copy by themselves."""


class OwnershipHistories(OwnershipMachine):
    """The machine, with several steps as one."""

    def __init__(self, template: Path, bucketful: Bucketful) -> None:
        super().__init__(template, bucketful)
        self.unheard = 0
        """Texts of which no audio was ever made before."""

    @rule(
        places=st.one_of([st.tuples(st.sampled_from(kind), st.sampled_from(kind)) for kind in (FOLDERS, PREFIXES)]),
        names=st.lists(st.sampled_from(NAMES), min_size=2, max_size=2),
    )
    def copy_what_was_replaced(
        self, places: tuple[tuple[str, str | None], tuple[str, str | None]], names: Sequence[str]
    ) -> None:
        """A text's only audio is replaced by an edited sheet's; then another batch wants that text."""
        place, elsewhere = places
        text = self.an_unheard_text()
        self.run(place, names[:1], [text], then="drain")
        self.run(place, names[:1], [self.an_unheard_text()], then="drain")
        self.run(elsewhere, names[1:], [text], then="drain")

    @rule(name=st.sampled_from(NAMES), edits=st.booleans())
    def copy_an_edited_sheet(self, name: str, *, edits: bool) -> None:
        """`ttsq run --out`, and again after the text was edited: the file of before is there and has its content."""
        for _ in range(2):
            self.run((None, None), [name], [self.an_unheard_text()], then="drain")
            batch = self.newest_batch()
            store = self.places.store_of(tenant="default", batch_id=batch.id)
            copies = Copies(self.database, job_queries.of_batch(batch.id), store, self.root / "copies")
            self.copying.append((batch.id, copies))
            self.bring_copies(len(self.copying) - 1)
            if edits:
                self.save_a_file(f"copies/{name}.wav", b"mine", "same file")

    @rule(
        share=st.integers(0, 20),
        clearing=st.sampled_from(("purge", "prune")),
        hand=st.sampled_from(HANDS),
    )
    def clear_what_was_saved_over(self, share: int, clearing: str, hand: str) -> None:
        """The user's own file stands where a job's audio was when that is removed."""
        self.ground.is_stirred = True
        live = [job for job in self.live() if Ground.address_of(job.uri) in self.ground.visible()]
        if not live:
            return
        job = live[share % len(live)]
        self.save_a_file(self.ground.name_of(Ground.address_of(job.uri)), b"mine", hand)
        with self.database.read() as connection:
            batch = batches.by_id(connection, job.batch_id)
        assert batch is not None
        if clearing == "purge":
            self.purge_batch(batch)
        else:
            Finisher(self.database, self.places).run(batch.id)
            self.prune_batch(batch)

    def an_unheard_text(self) -> str:
        """Of which there is no audio to copy."""
        self.unheard += 1
        return f"Unheard {self.unheard}."

    def newest_batch(self) -> BatchRecord:
        """The one submitted last."""
        with self.database.read() as connection:
            newest = connection.execute(select(Batch.id).order_by(Batch.id.desc()).limit(1)).scalar_one()
            found = batches.by_id(connection, newest)
        assert found is not None
        return found
