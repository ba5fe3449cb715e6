"""Times beside the audio: stored with it, found again by it, removed with it, and never in its way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from api_models.status import JobStatus
from tests.attempt_harness import Workshop
from tests.integration.maintenance.test_retention import purger
from tests.unit.artifacts.test_conformance import store_bytes
from worker.artifacts.ownership import JOB
from worker.audio.gate import GateLimits
from worker.emulator.config import EmulatorConfig
from worker.execution import timings
from worker.execution.aligner import Aligner
from worker.execution.timings import TimedAudio
from worker.store import documents
from worker.store.documents import DocumentRecord
from worker.store.queries import filters
from worker.store.transitions import purges

TEXT = "The ferry leaves at noon. The bakery behind the harbour opens at six, as it has for forty years."


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """It speaks."""
    return EmulatorConfig()


@pytest.fixture
def limits() -> GateLimits:
    """Takes are judged."""
    return GateLimits()


@pytest.fixture(autouse=True)
def unrecognised(request: pytest.FixtureRequest) -> None:
    """Pauses and letters decide, as without `ttsq[listen]`."""
    for name in {"shop", "shop_on_both"} & set(request.fixturenames):
        request.getfixturevalue(name).executor.context.aligner = Aligner(dict, is_on=False)


def beside(audio: Path) -> Path:
    return audio.with_name(audio.name + timings.SUFFIX)


@pytest.mark.parametrize("form", ["wav", "mp3"])
def test_the_times_lie_beside_the_audio(shop_on_both: Workshop, form: str) -> None:
    """Of the take that was accepted, whatever it is encoded as."""
    shop = shop_on_both
    row = shop.run(shop.job(text=TEXT, timings="word", audio_format=None if form == "wav" else form))
    found = json.loads(beside(shop.file(row.id, ext=form)).read_text())
    assert (found["text"], len(found["sentences"])) == (TEXT, 2)
    assert [word["text"] for word in found["words"]] == TEXT.split()
    assert found["seconds"] == pytest.approx(row.duration_ms / 1000, abs=0.2)
    assert not shop.spooled()
    known = timings.stored(
        shop.executor.context.destinations, TimedAudio(row.uri, row.sha256, row.tenant, row.batch_id)
    )
    assert known is not None
    assert len(known.words) == len(found["words"])


def test_without_timings_there_are_none(shop: Workshop) -> None:
    row = shop.run(shop.job(text=TEXT))
    assert not beside(shop.file(row.id)).exists()


def test_a_copy_has_times_of_its_own(shop: Workshop) -> None:
    """Whether or not the job that paid for the audio asked for any."""
    shop.run(shop.job(text=TEXT))
    copy = shop.run(shop.job(text=TEXT, timings="sentence"))
    assert copy.cached
    found = json.loads(beside(shop.file(copy.id)).read_text())
    assert (len(found["sentences"]), found["words"]) == (2, [])
    assert not shop.spooled()


def test_times_of_other_audio_are_not_returned(shop: Workshop) -> None:
    """As after a folder was put back from a backup."""
    one, two = (shop.run(shop.job(text=TEXT + more, timings="word")) for more in ("", " And now?"))
    shutil.copy(beside(shop.file(one.id)), beside(shop.file(two.id)))
    places = shop.executor.context.destinations
    assert timings.stored(places, TimedAudio(two.uri, two.sha256, two.tenant, None)) is None
    assert timings.stored(places, TimedAudio(one.uri, "0" * 64, one.tenant, None)) is None


def test_a_foreign_file_in_their_place_costs_nothing(shop: Workshop) -> None:
    """The audio is stored and recorded; the user's file stays."""
    job = shop.job(text=TEXT, timings="word")
    own = beside(shop.file(job))
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    row = shop.run(job)
    assert (row.status, own.read_text()) == (JobStatus.SUCCEEDED, "mine")
    assert not shop.spooled()


def test_they_are_removed_with_the_text(shop_on_both: Workshop) -> None:
    """For they contain it."""
    shop = shop_on_both
    row = shop.run(shop.job(text=TEXT, timings="word"))
    with shop.database.begin() as connection:
        purges.ask(connection, filters.selection(job_ids=(row.id,)), now=shop.database.now(connection))
    purger(shop).run([row.id])
    assert not [path for path in shop.audio.rglob("*") if path.is_file()]


def test_captions_of_a_document_are_removed_with_it(shop: Workshop) -> None:
    """They contain its text as well."""
    row = shop.run(shop.job(text=TEXT))
    caption = shop.file(row.id, ext="vtt")
    owned = {JOB: str(row.id)}
    store_bytes(shop.store, f"default/jobs/{row.id}.vtt", b"WEBVTT", shop.folder, metadata=owned)
    with shop.database.begin() as connection:
        documents.add(connection, [DocumentRecord(row.id, "", "")])
        documents.keep_sidecars(connection, row.id, json.dumps({"vtt": caption.as_uri()}))
        purges.ask(connection, filters.selection(job_ids=(row.id,)), now=shop.database.now(connection))
    assert caption.exists()
    purger(shop).run([row.id])
    assert not caption.exists()
