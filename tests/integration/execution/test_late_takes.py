"""A worker that was given up and doesn't know it: whatever it still stores, each row names what lies in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import event

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import PRICE, During, Workshop, opened
from tests.cluster.link import Link, Wire
from tests.databases import BOTH
from tests.servers.postgres import Postgres
from worker.artifacts.store import StoredObject
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.segmind.v1 import ClientV1
from worker.store.database import Database


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """No two takes are alike."""
    return EmulatorConfig(audio_bytes=4_844, takes_differ=True)


@pytest.fixture(params=BOTH)
def shop(request: pytest.FixtureRequest, emulator: Emulator, client: ClientV1, tmp_path: Path) -> Workshop:
    """A worker, once on each database."""
    return opened(Workshop(request.getfixturevalue(f"on_{request.param}"), emulator, tmp_path, During(client)))


@pytest.fixture
def way(postgres: Postgres) -> Iterator[Link]:
    """A way to the database that can be cut."""
    with Wire() as wire:
        yield wire.link(postgres.port)


@pytest.fixture
def apart(
    on_postgresql: Database, way: Link, emulator: Emulator, client: ClientV1, tmp_path: Path
) -> Iterator[Workshop]:
    """A worker that reaches the database its own way."""
    host, port = way.address
    url = on_postgresql.url.set(host=host, port=port).render_as_string(hide_password=False)
    with closing(Database(url, connections=4)) as database:
        yield opened(Workshop(database, emulator, tmp_path, During(client)))


def test_a_worker_cut_off_from_the_database_leaves_the_winners_object_alone(
    apart: Workshop, way: Link, on_postgresql: Database
) -> None:
    """It can't check the owner of the job, so it waits until it can: then its take is late, and charged."""
    other = Workshop(on_postgresql, apart.emulator, apart.folder, During(apart.client.client), machine="there")
    job = apart.job(custom_id="a")

    def meanwhile() -> None:
        apart.die()
        way.cut()
        assert other.run(job).status == JobStatus.SUCCEEDED

    apart.client.event = meanwhile
    apart.waits.steps = [lambda: None, way.restore]
    apart.executor.run(job, 0)
    assert_row_and_object_agree(apart, job, attempt="2")
    late, won = other.books(job)
    assert (late.verdict, late.cost) == (VerdictKind.LATE, PRICE)
    assert (won.verdict, won.cost) == (VerdictKind.SUCCESS, PRICE)


def test_a_worker_that_leaves_cut_off_stores_a_missing_take(
    apart: Workshop, way: Link, on_postgresql: Database
) -> None:
    """Without a stored object the next worker finds the late take, and buys nothing."""
    other = Workshop(on_postgresql, apart.emulator, apart.folder, During(apart.client.client), machine="there")
    job = apart.job(custom_id="a")

    def meanwhile() -> None:
        apart.die()
        way.cut()

    apart.client.event = meanwhile
    apart.waits.steps = [apart.waits.set, lambda: None]
    apart.executor.run(job, 0)
    assert other.run(job).cost == PRICE
    assert_row_and_object_agree(other, job, attempt="1")
    assert other.bought() == 1


def test_a_worker_that_leaves_cut_off_replaces_nothing(apart: Workshop, way: Link, on_postgresql: Database) -> None:
    """The winner's take lies there already: this one stays in the spool."""
    other = Workshop(on_postgresql, apart.emulator, apart.folder, During(apart.client.client), machine="there")
    job = apart.job(custom_id="a")

    def meanwhile() -> None:
        apart.die()
        way.cut()
        assert other.run(job).status == JobStatus.SUCCEEDED

    apart.client.event = meanwhile
    apart.waits.steps = [apart.waits.set, lambda: None]
    apart.executor.run(job, 0)
    assert_row_and_object_agree(other, job, attempt="2")
    assert apart.spooled() == [f"{job}.1.audio"]


def test_a_late_take_does_not_replace_the_winners(shop: Workshop) -> None:
    """Suspended between the ownership check and the upload: the later attempt's object stays."""
    other = shop.neighbour()
    job = shop.job(custom_id="a")

    def meanwhile() -> None:
        shop.die()
        assert other.run(job).status == JobStatus.SUCCEEDED

    with after_the_question(shop.database, meanwhile):
        shop.run(job)
    found = assert_row_and_object_agree(shop, job, attempt="2")
    row = shop.row(job)
    assert (row.audio_bytes, row.cost) == (found.size, 2 * PRICE)


def test_a_store_after_a_long_outage_gets_no_take_of_a_lost_job(shop: Workshop) -> None:
    """Whose the job is, is asked again before every try."""
    other = shop.neighbour()
    job = shop.job(custom_id="a")
    shop.run(shop.job())
    shop.client.event = lambda: shop.audio.rename(shop.folder / "away")

    def mend() -> None:
        (shop.folder / "away").rename(shop.audio)
        shop.die()
        assert other.run(job).status == JobStatus.SUCCEEDED

    shop.waits.steps = [mend]
    shop.run(job)
    assert_row_and_object_agree(shop, job, attempt="2")


def assert_row_and_object_agree(shop: Workshop, job: UUID, *, attempt: str) -> StoredObject:
    """The object is the take of this attempt, and the job's row names it."""
    found = shop.store.head(f"default/jobs/{job}.wav")
    assert found is not None
    row = shop.row(job)
    assert (row.status, row.sha256) == (JobStatus.SUCCEEDED, found.sha256)
    assert found.metadata["ttsq-attempt"] == attempt
    return found


@contextmanager
def after_the_question(database: Database, step: Callable[[], object]) -> Iterator[None]:
    """The first answer to the question whose a job is comes only after this step."""
    left = [step]

    def answered(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if left and statement.startswith("SELECT jobs.id, jobs.attempt"):
            left.pop()()

    event.listen(database.engine, "after_cursor_execute", answered)
    yield
    assert not left
    event.remove(database.engine, "after_cursor_execute", answered)
