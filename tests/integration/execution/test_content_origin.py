"""What audio is, is decided by the API that the worker buys from, whatever base URL the producer had."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import structlog
from sqlalchemy import select

from api_models.formats import AudioFormat
from api_models.origins import OFFICIAL_BASE_URL, REHEARSAL
from api_models.status import JobStatus
from tests.attempt_harness import Workshop
from tests.factories import ORIGIN, a_request, add_jobs
from worker import producer
from worker.producer import content_of, job_row
from worker.settings import Settings
from worker.store.database import Database
from worker.store.money import pricing
from worker.store.tables.jobs import Job

OTHER = "http://127.0.0.1:9"
TEXT = "This is only a test."


def submit(shop: Workshop, origin: str, *, tenant: str = "default", shared: bool = False, **fields: Any) -> UUID:  # noqa: ANN401 - any field
    """A job of a producer with this base URL, its message out."""
    request = a_request(**({"text": TEXT} | fields))
    row = job_row(
        request,
        tenant=tenant,
        batch_id=None,
        line=None,
        origin=origin,
        now=shop.executor.context.heartbeat.now(),
        shared=shared,
    )
    with shop.database.begin() as connection:
        return add_jobs(connection, row | {"status": JobStatus.DISPATCHED})[0]


def cached(shop: Workshop, origin: str, *, tenant: str = "default", **fields: Any) -> bool:  # noqa: ANN401 - any field
    """Whether a quote with this base URL would say that there is a copy."""
    wanted = content_of(a_request(**({"text": TEXT} | fields)), origin=origin, tenant=tenant)
    with shop.database.read() as connection:
        return bool(pricing.bought(connection, {wanted}))


@pytest.mark.parametrize("fields", [{}, {"variant": 3}, {"format": AudioFormat.MP3}], ids=["plain", "variant", "mp3"])
@pytest.mark.parametrize("origin", [OFFICIAL_BASE_URL, REHEARSAL])
def test_audio_of_the_workers_api_is_never_taken_for_the_producers(
    shop_on_both: Workshop, origin: str, fields: dict[str, Any]
) -> None:
    """The producer had no base URL, the worker the emulator's: a real quote must not say that it is there."""
    shop = shop_on_both
    assert shop.run(submit(shop, origin, **fields)).status == JobStatus.SUCCEEDED
    assert not cached(shop, origin, **fields)
    assert cached(shop, ORIGIN, **fields)


def test_an_unknown_address_is_not_mistaken_either(shop_on_both: Workshop) -> None:
    """Its jobs are bought once: an unexplained address has its own fingerprint."""
    shop = shop_on_both
    first, second = shop.run(submit(shop, OTHER)), shop.run(submit(shop, OTHER))
    assert (first.cached, second.cached, shop.bought()) == (False, True, 1)
    assert not cached(shop, OTHER)
    assert not cached(shop, ORIGIN)


def test_producers_that_disagree_share_what_the_worker_buys(shop_on_both: Workshop) -> None:
    """One with the worker's base URL, one with another: one content, one call, one audio."""
    shop = shop_on_both
    ours, theirs = shop.run(submit(shop, ORIGIN)), shop.run(submit(shop, OFFICIAL_BASE_URL))
    assert (theirs.cached, theirs.sha256, shop.bought()) == (True, ours.sha256, 1)


def test_a_workers_audio_is_not_copied_for_anothers(shop_on_both: Workshop) -> None:
    """Bought at the emulator for a job that named the real API: a worker of the real one buys for itself."""
    shop = shop_on_both
    shop.run(submit(shop, OFFICIAL_BASE_URL))
    real = replace(shop.restarted(), origin=OFFICIAL_BASE_URL)
    assert not real.run(submit(shop, OFFICIAL_BASE_URL)).cached
    assert cached(shop, OFFICIAL_BASE_URL)
    assert shop.bought() == 2


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("fields", [{}, {"variant": 7}, {"loudness": -16.0, "format": "flac", "temperature": 0.7}])
def test_the_fingerprints_of_agreeing_producers_stay(shop: Workshop, fields: dict[str, Any], *, shared: bool) -> None:
    """Of every tenant, variant and form, and of rows from before the setting of sharing changed."""
    job = submit(shop, ORIGIN, tenant="acme", shared=shared, **fields)
    before = shop.row(job).fingerprint
    assert shop.run(job).fingerprint == before


def test_the_log_names_a_disagreement_once(shop: Workshop) -> None:
    """With its remedy; a worker of a thousand such jobs says it once."""
    with structlog.testing.capture_logs() as logged:
        for number in range(3):
            shop.run(submit(shop, OFFICIAL_BASE_URL, text=f"Test {number}."))
    [warning] = [line for line in logged if line["event"] == "origin_differs"]
    assert (warning["submitted_for"], warning["bought_from"]) == (OFFICIAL_BASE_URL, ORIGIN)
    assert "SEGMIND_BASE_URL" in warning["remedy"]


@pytest.mark.parametrize(
    "spelling",
    [
        "https://api.segmind.com/",
        "https://API.Segmind.com",
        "https://api.segmind.com:443",
        "https://api.segmind.com/v1",
        "https://api.segmind.com/v1/",
        "https://API.segmind.com:443/v2/",
    ],
)
def test_every_spelling_of_the_api_is_one_origin(
    on_sqlite: Database, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    """In the settings and as a producer's argument."""
    monkeypatch.setenv("SEGMIND_BASE_URL", spelling)
    assert Settings().segmind_base_url == OFFICIAL_BASE_URL
    with on_sqlite.begin() as connection:
        for origin in (spelling, OFFICIAL_BASE_URL):
            producer.enqueue(connection, a_request(text=TEXT), origin=origin)
        wanted = content_of(a_request(text=TEXT), origin=OFFICIAL_BASE_URL, tenant="default")
        assert set(connection.execute(select(Job.fingerprint)).scalars()) == {wanted}


def test_other_addresses_keep_their_paths_and_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy may well end in /v1, and an emulator has its own port."""
    for url in ("http://127.0.0.1:8321", "https://gateway.example/segmind/v1", "http://[::1]:8080"):
        monkeypatch.setenv("SEGMIND_BASE_URL", url)
        assert Settings().segmind_base_url == url
