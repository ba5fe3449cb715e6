"""Where audio goes: by batch, tenant or settings, in folders and buckets, and copied from one to another."""

from __future__ import annotations

import uuid
from contextlib import closing

import boto3
import pytest

from api_models.key_templates import TemplateError
from api_models.status import JobStatus
from tests.attempt_harness import Workshop, opened
from tests.factories import input_rows
from tests.servers.moto import Moto
from tests.servers.s3 import Bucket
from worker.artifacts.options import StoreOptions
from worker.producer import submit_batch
from worker.store import outputs

SUCCEEDED = JobStatus.SUCCEEDED


@pytest.fixture
def on_s3(shop: Workshop, s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A worker whose audio goes to a bucket, once on each S3 server."""
    for name, value in s3.server.environment().items():
        monkeypatch.setenv(name, value)
    shop = shop.restarted()
    shop.artifacts = f"{s3.url}/spoken"
    return opened(shop)


def give(shop: Workshop, tenant: str, url: str | None) -> None:
    """A place for a tenant."""
    with shop.database.begin() as connection:
        outputs.give_tenant(connection, tenant, url)


def test_two_jobs_without_a_batch_may_have_one_name(shop: Workshop) -> None:
    """A name is a batch's own; outside of one, each job has its own object all the same."""
    one, other = (shop.run(shop.job(custom_id="intro")) for _ in range(2))
    assert one.uri != other.uri
    assert shop.file(one.id).is_file()
    assert shop.file(other.id).is_file()


def test_a_template_of_the_settings_names_every_object(shop: Workshop) -> None:
    """Batch, tenant and name stand where it puts them."""
    shop = shop.restarted()
    shop.template = "speech/{tenant}/{batch}-{custom_id}.{ext}"
    batch = shop.batch(tenant="ann")
    row = shop.run(shop.job(tenant="ann", batch_id=batch, custom_id="a/b", audio_format="flac"))
    assert row.uri == (shop.audio / f"speech/ann/{batch}-a%2Fb.flac").as_uri()
    alone = shop.run(shop.job(tenant="ann", custom_id="a/b"))
    assert alone.uri == (shop.audio / f"speech/ann/jobs-{alone.id}.wav").as_uri()


def test_a_batch_names_its_objects_by_its_template(shop_on_both: Workshop) -> None:
    """In its own folder, whatever the settings say; the same rows under another template are another batch."""
    shop, out = shop_on_both, (shop_on_both.folder / "out").as_uri()

    def hand_in(template: str | None) -> uuid.UUID:
        with shop.database.begin() as connection:
            found = submit_batch(connection, input_rows(1), name="a", origin="o", output_url=out, key_template=template)
        return found.batch.id

    batch = hand_in("{model}/{custom_id}.{ext}")
    assert hand_in("{model}/{custom_id}.{ext}") == batch
    assert hand_in(None) != batch
    row = shop.run(shop.job(batch_id=batch, custom_id="x"))
    assert row.uri == f"{out}/{row.model}/x.wav"


def test_a_template_that_could_bring_two_jobs_together_is_refused(shop: Workshop) -> None:
    """Before a row is written."""
    with shop.database.begin() as connection, pytest.raises(TemplateError, match="two batches"):
        submit_batch(
            connection, input_rows(1), name="a", origin="o", output_url=None, key_template="{tenant}/{custom_id}.{ext}"
        )
    with shop.database.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM batches").scalar() == 0


def test_a_tenant_has_its_audio_at_its_destination(shop_on_both: Workshop) -> None:
    """As soon as the worker reads the setting; a batch with its own destination keeps it."""
    shop, theirs, own = shop_on_both, shop_on_both.folder / "theirs", shop_on_both.folder / "own"
    give(shop, "ann", theirs.as_uri())
    row = shop.run(shop.job(tenant="ann"))
    assert row.uri == (theirs / f"ann/jobs/{row.id}.wav").as_uri()
    assert shop.run(shop.job(tenant="bob")).uri.startswith(shop.audio.as_uri())
    batch = shop.batch(tenant="ann", output_url=own.as_uri())
    assert shop.run(shop.job(tenant="ann", batch_id=batch, custom_id="a")).uri == (own / "a.wav").as_uri()
    give(shop, "ann", None)
    later = shop.restarted()
    assert later.run(later.job(tenant="ann")).uri.startswith(shop.audio.as_uri())


def test_an_object_is_found_where_its_row_says_and_nowhere_else(shop: Workshop) -> None:
    """An address opens nothing that isn't this job's: not another tenant's place, nor any file of the machine."""
    give(shop, "ann", (shop.folder / "theirs").as_uri())
    destinations, row = shop.executor.context.destinations, shop.run(shop.job(tenant="ann"))
    found = destinations.containing(row.uri, tenant="ann", batch_id=None)
    assert found is not None
    assert found.store.head(found.key) is not None
    assert destinations.containing(row.uri, tenant="bob", batch_id=None) is None
    assert destinations.containing("file:///etc/passwd", tenant="ann", batch_id=None) is None


def test_a_copy_is_made_from_one_place_to_another(shop: Workshop) -> None:
    """What was bought before the tenant moved is copied into its new place, between folders."""
    first = shop.run(shop.job(tenant="ann", text="Once."))
    give(shop, "ann", (shop.folder / "theirs").as_uri())
    later = shop.restarted()
    copy = later.run(later.job(tenant="ann", text="Once.", fingerprint=first.fingerprint))
    assert (copy.cached, copy.sha256) == (True, first.sha256)
    assert (shop.folder / f"theirs/ann/jobs/{copy.id}.wav").is_file()
    assert shop.bought() == 1


def test_a_copy_is_made_from_bucket_to_bucket(on_s3: Workshop, s3: Bucket) -> None:
    """By the server itself; if the source is missing, the text is bought again."""
    shop = on_s3
    other = s3.server.create_bucket(f"test-{uuid.uuid4().hex}")
    first = shop.run(shop.job(tenant="ann", text="Once.", audio_format="mp3"))
    assert (first.status, first.content_type) == (SUCCEEDED, "audio/mpeg")
    give(shop, "ann", f"{other.url}/theirs")
    later = shop.restarted()
    later.artifacts = shop.artifacts
    copy = later.run(later.job(tenant="ann", text="Once.", fingerprint=first.fingerprint, audio_format="mp3"))
    assert (copy.cached, copy.sha256, copy.content_type) == (True, first.sha256, "audio/mpeg")
    assert copy.uri == f"{other.url}/theirs/ann/jobs/{copy.id}.mp3"
    for row in (first, copy):
        held = later.executor.context.destinations.containing(row.uri, tenant="ann", batch_id=None)
        assert held is not None
        held.store.delete(held.key)
    again = later.run(later.job(tenant="ann", text="Once.", fingerprint=first.fingerprint, audio_format="mp3"))
    assert (again.status, again.cached) == (SUCCEEDED, False)
    assert shop.bought() == 2


def test_a_bucket_does_with_objects_what_the_settings_ask(
    shop: Workshop, moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage class, encryption and tags, on what was bought and on what was copied."""
    bucket = moto.create_bucket(f"test-{uuid.uuid4().hex}")
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    shop = shop.restarted()
    shop.artifacts = f"{bucket.url}/spoken"
    shop.options = StoreOptions("STANDARD_IA", "aws:kms", "alias/voices", tags=True)
    batch = shop.batch(tenant="ann & co")
    bought = shop.run(shop.job(tenant="ann & co", text="Once.", batch_id=batch, custom_id="a"))
    copied = shop.run(shop.job(tenant="ann & co", text="Once.", fingerprint=bought.fingerprint))
    assert copied.cached
    with closing(boto3.client("s3")) as s3:
        for row in (bought, copied):
            where = {"Bucket": bucket.name, "Key": row.uri.removeprefix(f"{bucket.url}/")}
            found = s3.head_object(**where)
            assert (found["StorageClass"], found["ServerSideEncryption"]) == ("STANDARD_IA", "aws:kms")
            assert "alias/voices" in found["SSEKMSKeyId"]
            tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(**where)["TagSet"]}
            assert tags == {"tenant": "ann _ co"} | ({"batch": str(batch)} if row is bought else {})


def test_an_address_is_public_if_the_settings_say_so(shop: Workshop) -> None:
    """Only for the place that is served under it."""
    give(shop, "ann", (shop.folder / "theirs").as_uri())
    destinations = shop.executor.context.destinations
    destinations.public_url = "https://cdn.example/speech/"
    row, hers = shop.run(shop.job(tenant="bob smith")), shop.run(shop.job(tenant="ann"))
    held, other = (destinations.containing(one.uri, tenant=one.tenant, batch_id=None) for one in (row, hers))
    assert held is not None
    assert other is not None
    assert destinations.address(held) == f"https://cdn.example/speech/bob%20smith/jobs/{row.id}.wav"
    assert destinations.address(other) is None
