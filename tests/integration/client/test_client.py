"""The producers' client against a real gateway: what it submits, reads, changes and refuses."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from api_models.access import Scope
from api_models.jobs import JobIn
from api_models.status import TERMINAL, JobStatus
from tests.factories import NOW, add_batch, add_job
from tests.gateway import Running, running
from tests.unit.artifacts.test_conformance import store_bytes
from ttsq_client import (
    AuthenticationError,
    BudgetExhaustedError,
    Client,
    ConflictError,
    InvalidRequestError,
    JobFailedError,
    JobFields,
    KeyReusedError,
    NotFoundError,
    PartlySubmittedError,
    PermissionDeniedError,
    RateLimitedError,
    Retry,
    WaitTimeoutError,
    models,
)
from ttsq_client.client import file_name
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.queries import filters
from worker.store.tables.jobs import Batch, Job
from worker.store.transitions import actions

SOUND = bytes(range(256)) * 400


@pytest.fixture
def gateway(database: Database, tmp_path: Path) -> Iterator[Running]:
    """A gateway whose audio lies in a folder, once on each kind of database."""
    with running(database, TTSQ_ARTIFACTS_URL=(tmp_path / "audio").as_uri()) as started:
        yield started


def client_of(gateway: Running, *scopes: Scope, **limits: object) -> Client:
    """A client with a key of `acme`."""
    key = gateway.client("acme", *scopes, **limits).key
    return Client(gateway.address, key, trust_environment=False, retry=Retry(attempts=2, base_seconds=0.0))


@pytest.fixture
def client(gateway: Running) -> Iterator[Client]:
    """With every permission."""
    with closing(client_of(gateway)) as made:
        yield made


def count(database: Database, table: type[Job | Batch]) -> int:
    """The rows of a table."""
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def finish(gateway: Running, job_id: str, folder: Path) -> None:
    """Replace a job's end by a success with audio."""
    store = gateway.gateway.destinations.store(gateway.gateway.destinations.default_url)
    put = store_bytes(store, f"acme/jobs/{job_id}.wav", SOUND, folder)
    sound = {"uri": put.uri, "sha256": put.sha256, "audio_bytes": put.size, "content_type": "audio/wav"}
    with gateway.gateway.database.begin() as connection:
        connection.execute(Job.__table__.delete().where(Job.id == UUID(job_id)))  # type: ignore[attr-defined]
        add_job(connection, id=UUID(job_id), tenant="acme", status=JobStatus.SUCCEEDED, custom_id="a", **sound)


def cancel_soon(gateway: Running, job_id: str) -> threading.Thread:
    """End a job from another thread."""

    def work() -> None:
        with gateway.gateway.database.begin() as connection:
            actions.cancel(connection, filters.selection(job_ids=[UUID(job_id)]), now=NOW)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


class TestSubmitting:
    """One text or many, each once."""

    def test_the_fields_are_those_of_the_gateway(self) -> None:
        """None is missing in the client's annotations, and none is invented."""
        assert set(JobFields.__annotations__) == set(JobIn.model_fields) - {"text", "wording"}
        assert frozenset(TERMINAL) == models.TERMINAL

    def test_a_text_with_its_fields(self, client: Client) -> None:
        """Times and lists are written as the gateway reads them."""
        later = datetime(2027, 1, 2, 8, 0, tzinfo=UTC)
        job = client.submit("Good morning.", voice_1="Kore", tags=("a", "b"), not_before=later, format="mp3")
        assert (job.text, job.tags, job.status, job.audio) == ("Good morning.", ("a", "b"), "scheduled", None)
        assert job == client.job(job.id)
        assert (job.raw["format"], job.cost) == ("mp3", Decimal(0))

    def test_the_same_key_makes_one_job(self, client: Client, database: Database) -> None:
        """Another request under it is an error of its own class."""
        first, again = (client.submit("Good.", idempotency_key="order-17") for _ in range(2))
        assert first.id == again.id
        with pytest.raises(KeyReusedError) as refused:
            client.submit("Other.", idempotency_key="order-17")
        assert (refused.value.code, refused.value.status) == ("idempotency-key-reused", 409)
        client.submit("Good.")
        client.submit("Good.")
        assert count(database, Job) == 3

    def test_many_are_cut_alike_and_submitted_once(self, client: Client, database: Database) -> None:
        """A generator, in chunks; the same call later returns the same batches, and a longer one adds the rest."""
        made = client.submit_many((f"Line {number}." for number in range(25)), chunk=10, idempotency_key="night")
        again = client.submit_many((f"Line {number}." for number in range(25)), chunk=10, idempotency_key="night")
        assert [batch.total for batch in made] == [10, 10, 5]
        assert [batch.id for batch in made] == [batch.id for batch in again]
        assert [batch.name for batch in made] == ["batch", "batch 2", "batch 3"]
        assert (count(database, Job), count(database, Batch)) == (25, 3)
        assert [job.text for job in client.results(made[1].id)] == [f"Line {number}." for number in range(10, 20)]

    def test_what_was_submitted_before_an_error_is_named(self, client: Client, database: Database) -> None:
        """With the key by which the mended call resumes."""
        texts = ["One.", "Two.", "?!", "Four."]
        with pytest.raises(PartlySubmittedError) as refused:
            client.submit_many(texts, chunk=2, max_cost=Decimal("0.50"))
        assert isinstance(refused.value.__cause__, InvalidRequestError)
        assert [batch.max_cost for batch in refused.value.batches] == [Decimal("0.5")]
        texts[2] = "Three."
        key = refused.value.idempotency_key
        made = client.submit_many(texts, chunk=2, max_cost=Decimal("0.50"), idempotency_key=key)
        assert made[0].id == refused.value.batches[0].id
        assert count(database, Job) == 4

    def test_an_error_carries_code_field_and_remedy(self, client: Client, database: Database) -> None:
        """As the gateway sent them; nothing is stored."""
        with pytest.raises(InvalidRequestError) as refused:
            client.submit("Good.", voice_1="Koré")
        error = refused.value
        assert (error.code, error.field, error.status) == ("invalid-input", "voice_1", 422)
        assert "did you mean" in error.remedy
        assert UUID(str(error.request_id)).version == 7
        assert count(database, Job) == 0

    @pytest.mark.parametrize(
        "fields",
        [{"not_before": datetime(2027, 1, 1)}, {"title": "a\ud800"}],  # noqa: DTZ001 - what is refused
    )
    def test_what_cannot_be_sent_is_refused_at_once(self, client: Client, fields: JobFields) -> None:
        """With the field's own remedy."""
        with pytest.raises(ValueError, match=r"time zone|surrogate"):
            client.submit("Good.", **fields)


class TestFollowing:
    """Waits, lists and events."""

    def test_a_wait_ends_with_the_job(self, gateway: Running, client: Client) -> None:
        """The gateway holds the request until then."""
        job = client.submit("Good.")
        thread = cancel_soon(gateway, job.id)
        found = client.wait(job, timeout=60)
        thread.join()
        assert (found.status, found.has_finished) == ("cancelled", True)
        with pytest.raises(JobFailedError) as failed:
            found.raise_if_failed()
        assert failed.value.job == found

    def test_a_wait_has_an_end(self, client: Client) -> None:
        """With the job as it stood."""
        job = client.submit("Good.")
        with pytest.raises(WaitTimeoutError) as late:
            client.wait(job.id, timeout=0)
        assert late.value.last == job
        with pytest.raises(NotFoundError):
            client.wait(str(uuid4()), timeout=0)

    def test_a_job_that_appears_late_is_waited_for(self, gateway: Running, client: Client) -> None:
        """As those of the inbox do."""
        job_id = uuid4()

        def work() -> None:
            with gateway.gateway.database.begin() as connection:
                add_job(connection, id=job_id, tenant="acme", status=JobStatus.CANCELLED)

        client._transport.sleep = lambda _: work()
        assert client.wait(str(job_id), timeout=60, appears_within=60).status == "cancelled"

    def test_lists_are_read_page_by_page(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every job once, the newest first, by the gateway's filters."""
        monkeypatch.setattr("ttsq_client.client.PAGE", 3)
        made = [client.submit(f"Line {number}.", tags=["odd"] if number % 2 else []).id for number in range(8)]
        assert [job.id for job in client.jobs()] == made[::-1]
        assert [job.id for job in client.jobs(tag="odd", status=["queued", "scheduled"])] == made[::-2]
        assert list(client.batches()) == []

    def test_events_resume_where_a_reader_stopped(self, client: Client, database: Database) -> None:
        """In order, without a gap or a repetition."""
        ids = [str(uuid4()) for _ in range(6)]
        with database.begin() as connection:
            for one in ids:
                events.record(connection, "job.failed", one, {"id": one}, tenant="acme", now=NOW)
        stream = client.events(after=0, types=["job.failed"])
        first = [next(stream) for _ in range(2)]
        stream.close()  # type: ignore[attr-defined]  # a generator
        rest = client.events(after=first[-1].id)
        assert [event.subject for event in (*first, *(next(rest) for _ in range(4)))] == ids
        assert [event.subject for event in client.event_log()] == ids
        rest.close()  # type: ignore[attr-defined]

    def test_a_batch_is_waited_for_until_its_files_are_written(self, client: Client, database: Database) -> None:
        """Not only until its jobs have finished."""
        with database.begin() as connection:
            batch = add_batch(connection, tenant="acme", finished_at=NOW)
        assert client.wait_batch(str(batch), timeout=60).finished_at is not None


class TestAudio:
    """Whole files."""

    def test_it_is_written_and_checked(self, gateway: Running, client: Client, tmp_path: Path) -> None:
        """With the bytes that the gateway names."""
        job = client.submit("Good.")
        finish(gateway, job.id, tmp_path)
        found = client.wait(job.id, timeout=60)
        path = client.download(found, tmp_path / "a.wav")
        assert found.audio is not None
        assert hashlib.sha256(path.read_bytes()).hexdigest() == found.audio.sha256
        assert path.read_bytes() == SOUND

    def test_a_job_without_audio_is_an_error(self, client: Client, tmp_path: Path) -> None:
        """And makes no file."""
        job = client.cancel(client.submit("Good."))
        with pytest.raises(JobFailedError):
            client.download(job.id, tmp_path / "a.wav")
        with pytest.raises(ConflictError):
            client.download(client.submit("Later."), tmp_path / "a.wav")
        assert list(tmp_path.glob("*.wav")) == []

    @pytest.mark.parametrize("name", ["../a", "/etc/passwd", ".a", "a/b", "a\\b", "a\x00", "", "a" * 400])
    def test_a_name_from_the_gateway_leads_nowhere_else(self, client: Client, name: str) -> None:
        """The id is the name then."""
        job = client.submit("Good.")
        raw = {**job.raw, "custom_id": name}
        assert file_name(models.job(raw)) == f"{job.id}.audio"


class TestChanging:
    """Cancel, retry, delete, pause."""

    def test_jobs(self, client: Client) -> None:
        """Cancelling twice is no error, retrying a running one is."""
        job = client.submit("Good.")
        assert client.cancel(job).status == client.cancel(job.id).status == "cancelled"
        assert client.retry(job).status == "queued"
        with pytest.raises(ConflictError):
            client.retry(job)
        client.cancel(job)
        assert client.delete(job).raw["removed_at"]

    def test_batches(self, client: Client) -> None:
        """And all of their jobs."""
        (batch,) = client.submit_many(["One.", "Two."])
        assert client.pause_batch(batch).raw["paused_at"]
        assert not client.resume_batch(batch).raw["paused_at"]
        assert client.cancel_batch(batch.id) == 2
        assert client.retry_batch(batch, code="other") == 0
        assert client.retry_batch(batch) == 2
        assert client.batch(batch.id).counts == {"queued": 2}

    @pytest.mark.parametrize("wrong", ["", "1", "../jobs", "a" * 36])
    def test_what_is_no_id_is_not_sent(self, client: Client, wrong: str) -> None:
        """It would be part of a path."""
        for call in (client.job, client.cancel, client.batch, client.wait):
            with pytest.raises(ValueError, match="is not the id"):
                call(wrong)


class TestAccount:
    """Prices, costs and limits."""

    def test_prices_and_costs(self, client: Client) -> None:
        """Exact decimals."""
        quote = client.quote(["One.", "One.", {"text": "Two."}])
        assert (quote.texts, quote.calls, quote.cached) == (3, 2, 1)
        (price,) = {model.price for model in client.models() if model.slug == client.submit("a").model}
        assert quote.cost == 2 * price
        assert "Kore" in {voice.name for voice in client.voices()}
        assert (client.spend().paid, client.credits()) == (Decimal(0), None)

    @pytest.mark.parametrize(
        ("make", "expected"),
        [
            (lambda gateway: Client(gateway.address, "ttsq_wrong", trust_environment=False), AuthenticationError),
            (lambda gateway: Client(gateway.address, trust_environment=False), AuthenticationError),
            (lambda gateway: client_of(gateway, Scope.READ), PermissionDeniedError),
            (lambda gateway: client_of(gateway, budget=Decimal(0)), BudgetExhaustedError),
        ],
    )
    def test_refusals_have_classes(
        self, gateway: Running, make: Callable[[Running], Client], expected: type[Exception]
    ) -> None:
        """None is retried, and none shows the key."""
        with make(gateway) as client, pytest.raises(expected) as refused:
            client.submit("Good.")
        assert "ttsq_wrong" not in f"{refused.value} {refused.value!r}"

    def test_a_rate_limit_is_waited_for(self, gateway: Running) -> None:
        """As long as the gateway says; a longer one than the caller accepts is an error."""
        waited: list[float] = []
        with client_of(gateway, rate=1) as client:
            client._transport.sleep = waited.append
            with pytest.raises(RateLimitedError) as refused:
                all(client.models() for _ in range(20))
        assert refused.value.retry_after
        assert waited
        assert waited[0] >= 1
