"""Where audio is from: a file beside it, found by the same rules as the audio, and never in its way."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.attempt_harness import Workshop
from tests.factories import MODEL
from tests.integration.maintenance.test_retention import purger
from worker.emulator.config import EmulatorConfig
from worker.execution import provenance
from worker.store.queries import filters
from worker.store.transitions import purges

TEXT = "The ferry leaves at noon, and the bakery opens at six."


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """It speaks."""
    return EmulatorConfig()


def beside(audio: Path) -> Path:
    return audio.with_name(audio.name + provenance.SUFFIX)


def read(shop: Workshop, row: Any) -> Any:  # noqa: ANN401 - JSON
    return json.loads(beside(shop.file(row.id)).read_text(encoding="utf-8"))


def test_the_file_says_where_the_audio_is_from(shop_on_both: Workshop) -> None:
    """And holds no text."""
    shop = shop_on_both
    row = shop.run(shop.job(text=TEXT, provenance=True, voice_1="Puck", temperature=0.5))
    found = read(shop, row)
    audio = shop.file(row.id)
    assert found["audio"]["sha256"] == hashlib.sha256(audio.read_bytes()).hexdigest() == row.sha256
    assert found["audio"]["bytes"] == audio.stat().st_size
    assert found["text"] == {"sha256": hashlib.sha256(TEXT.encode()).hexdigest(), "characters": len(TEXT)}
    assert (found["model"], found["voices"]) == (MODEL, ["Puck"])
    assert found["parameters"] == {"voice_1": "Puck", "temperature": 0.5}
    assert (found["call"]["verdict"], found["call"]["attempt"]) == ("success", 1)
    assert Decimal(found["call"]["cost"]) == row.cost > 0
    assert len(found["call"]["request_id"]) == 32
    assert found["job"]["id"] == str(row.id)
    assert found["versions"]["ttsq"]
    assert TEXT not in json.dumps(found)
    assert not shop.spooled()


def test_without_the_wish_there_is_none(shop: Workshop) -> None:
    """Unless the settings ask for every job's: then the row says so, for those who remove it."""
    row = shop.run(shop.job(text=TEXT))
    assert not beside(shop.file(row.id)).exists()
    shop = replace(shop.restarted(), provenance=True)
    row = shop.run(shop.job(text=TEXT + " Again."))
    assert row.provenance
    assert read(shop, row)["audio"]["sha256"] == row.sha256


def test_a_copy_says_that_it_cost_nothing(shop: Workshop) -> None:
    """Each job has a file of its own."""
    first = shop.run(shop.job(text=TEXT, provenance=True))
    copy = shop.run(shop.job(text=TEXT, provenance=True))
    assert copy.cached
    found = read(shop, copy)
    assert (found["call"]["verdict"], found["call"]["cost"]) == ("cached", "0")
    assert found["audio"] == read(shop, first)["audio"]
    assert found["job"]["id"] == str(copy.id)


def test_a_file_of_the_users_is_kept(shop: Workshop) -> None:
    """And the job succeeds without its provenance."""
    job = shop.job(text=TEXT, provenance=True)
    mine = beside(shop.file(job))
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    row = shop.run(job)
    assert row.status == "succeeded"
    assert mine.read_text() == "mine"


def test_it_goes_with_its_audio(shop: Workshop) -> None:
    """Also where the settings asked for it."""
    for one in (shop, replace(shop.restarted(), provenance=True)):
        row = one.run(one.job(text=TEXT, provenance=None if one.provenance else True))
        path = beside(one.file(row.id))
        assert path.exists()
        with one.database.begin() as connection:
            purges.ask(connection, filters.selection(job_ids=(row.id,)), now=one.database.now(connection))
        assert purger(one).run([row.id]) == 1
        assert not path.exists()
