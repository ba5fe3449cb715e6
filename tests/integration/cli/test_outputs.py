"""Outputs at the terminal: formats and names of a run, a tenant's place, where audio is to be had, its removal."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from api_models.status import JobStatus
from tests.factories import add_batch, add_job, stored
from tests.integration.cli.run_command import emulator as emulator  # noqa: PLC0414 - a fixture that is used here
from tests.integration.cli.run_command import ttsq as in_its_own_process
from tests.terminal import Ttsq
from tests.unit.artifacts.test_conformance import store_bytes
from worker.artifacts.factory import open_store
from worker.audio.container import Container
from worker.audio.take import accept
from worker.store import outputs
from worker.store.database import Database


@pytest.mark.usefixtures("emulator")
def test_a_run_leaves_what_was_asked_for(tmp_path: Path) -> None:
    """As the command and a row say; the same again takes the batch up, and what was deleted is not taken for lost."""
    sheet = tmp_path / "texts.csv"
    sheet.write_text("custom_id,text,format\na,Hello there.,\nb,Good night.,flac\n", encoding="utf-8")
    asked = ("run", "texts.csv", "--out", "out", "--format", "mp3", "--key-template", "{model}/{custom_id}.{ext}")
    shown = in_its_own_process(*asked, "--expires-after", "30d", "--json")
    assert shown.code == 0, shown.err
    (folder,) = (path for path in (tmp_path / "out").iterdir() if path.name.startswith("gemini"))
    assert accept(folder / "a.mp3").container is Container.MP3
    assert accept(folder / "b.flac").container is Container.FLAC
    again = in_its_own_process(*asked, "--json")
    assert (again.code, again.data["cost"], again.data["total"]) == (0, shown.data["cost"], 2)
    assert in_its_own_process("jobs", "delete", "--batch", "texts.csv").code == 0
    after = in_its_own_process(*asked, "--missing", "--json")
    assert (after.code, after.data["cost"]) == (0, shown.data["cost"]), after.err
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--key-template", "{model}.{ext}"), "doesn't tell jobs apart"),
        (("--key-template", "../{custom_id}.{ext}"), "begins or ends with a space or a dot"),
        (("--format", "aac"), 'no format "aac"'),
        (("--loudness", "-3"), "-3 is outside"),
        (("--expires-after", "soon"), "no length of time"),
        (("--expires-after", "3"), "has no unit"),
        (("--expires-after", " 2592000 "), "has no unit"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_is_stored(
    ttsq: Ttsq, tmp_path: Path, option: tuple[str, str], words: str
) -> None:
    """With the remedy, and no queue is made."""
    (tmp_path / "texts.txt").write_text("Hello there.\n", encoding="utf-8")
    shown = ttsq("run", "texts.txt", *option)
    assert shown.code == 2, shown
    assert words in shown.err
    assert not (tmp_path / ".ttsq").exists()


def test_a_tenant_gets_a_place_of_its_own(ttsq: Ttsq, queue: Database, tmp_path: Path) -> None:
    """Tried out, written down, shown and taken back; one that can't be used changes nothing."""
    address = (tmp_path / "theirs").as_uri()
    assert "(the default)" in ttsq("tenants", "place", "ann").out
    assert address in ttsq("tenants", "place", "ann", address).out
    (tmp_path / "file").write_text("in the way")
    refused = ttsq("tenants", "place", "ann", (tmp_path / "file").as_uri())
    assert refused.code != 0
    assert address in ttsq("tenants", "place", "ann").out
    with queue.read() as connection:
        assert outputs.of_tenant(connection, "ann") == address
    ttsq("tenants", "place", "ann", "--clear")
    with queue.read() as connection:
        assert outputs.of_tenant(connection, "ann") is None


def a_spoken_job(database: Database, folder: Path, **columns: object) -> UUID:
    """A job whose audio lies in the folder of the settings."""
    name = f"{len(list(folder.rglob('*.wav')))}.wav"
    put = store_bytes(open_store(folder.as_uri()), name, b"RIFF", folder.parent)
    with database.begin() as connection:
        return add_job(connection, status=JobStatus.SUCCEEDED, uri=put.uri, sha256=put.sha256, **columns)


def test_jobs_are_deleted_with_their_audio(
    ttsq: Ttsq, queue: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By id or batch: outputs of finished jobs go, unfinished jobs are named, and the rows stay."""
    audio = tmp_path / "audio"
    monkeypatch.setenv("TTSQ_ARTIFACTS_URL", audio.as_uri())
    with queue.begin() as connection:
        batch = add_batch(connection)
        waiting = add_job(connection, batch_id=batch, text="Wait.")
    done = a_spoken_job(queue, audio, batch_id=batch)
    other = a_spoken_job(queue, audio)
    shown = ttsq("jobs", "delete", "--batch", str(batch))
    assert shown.code == 0, shown
    assert "Text and audio of 1 job deleted" in shown.out
    assert "1 job not finished" in shown.err
    with queue.read() as connection:
        assert [stored(connection, job).text == "" for job in (done, waiting, other)] == [True, False, False]
    assert [path.name for path in audio.glob("*.wav")] == ["1.wav"]
    assert ttsq("jobs", "delete", str(other)).code == 0
    assert not list(audio.glob("*.wav"))
    assert "removed" in ttsq("jobs", "show", str(other)).out
    assert ttsq("jobs", "delete").code == 2


def test_a_job_shows_the_address_of_its_audio(
    ttsq: Ttsq, queue: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the public address, where there is one."""
    audio = tmp_path / "audio"
    monkeypatch.setenv("TTSQ_ARTIFACTS_URL", audio.as_uri())
    job = a_spoken_job(queue, audio)
    assert ttsq("jobs", "show", str(job), "--json").data["address"] is None
    monkeypatch.setenv("TTSQ_PUBLIC_URL", "https://cdn.example")
    assert ttsq("jobs", "show", str(job), "--json").data["address"] == "https://cdn.example/0.wav"
