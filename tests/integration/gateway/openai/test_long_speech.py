"""Speech requests over the limit of one call: divided, bought once, and sent as their parts are accepted."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import av
import pytest
from sqlalchemy import select

from api_models.status import JobStatus
from tests.cluster.waiting import wait_for
from tests.gateway import Reply
from tests.long_texts import paragraphs, sentence
from tests.speaking import SPEECH, Speaking, speaking
from worker.emulator.faults import Effect, Match, Rule
from worker.gateway.openai.long_speech import AHEAD
from worker.store.database import Database
from worker.store.tables.jobs import Job

PARAGRAPHS: Final = 9
SENTENCES: Final = 6 * PARAGRAPHS
LONG: Final = paragraphs(PARAGRAPHS)
ASKED: Final = {"model": "tts-1", "voice": "alloy", "input": LONG}
FORMS: Final = ("mp3", "opus", "aac", "flac", "wav")
BYTES_PER_SECOND: Final = 48_000


@pytest.fixture
def speaks(on_sqlite: Database, tmp_path: Path) -> Iterator[Speaking]:
    """A gateway that speaks."""
    with speaking(on_sqlite, tmp_path) as started:
        yield started


def ask(speaks: Speaking, **fields: Any) -> Reply:  # noqa: ANN401 - any JSON
    """One request."""
    return speaks.client("POST", SPEECH, {**ASKED, **fields}, timeout=60)


def seconds_of(content: bytes, path: Path) -> float:
    """The length that another program's decoder finds."""
    path.write_bytes(content)
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.audio[0]))
        return sum(frame.samples / frame.sample_rate for frame in frames)


def parts_of(database: Database) -> list[tuple[str, str]]:
    """Text and state of each job."""
    with database.read() as connection:
        return [(text, status) for text, status in connection.execute(select(Job.text, Job.status).order_by(Job.id))]


def test_every_form_is_whole_and_bought_once(speaks: Speaking, on_sqlite: Database, tmp_path: Path) -> None:
    """Whatever the form, another decoder finds the same length; repeating costs nothing."""
    pcm = ask(speaks, response_format="pcm")
    assert pcm.status == 200, pcm
    number = int(pcm.headers["x-ttsq-parts"])
    seconds = len(pcm.body) / BYTES_PER_SECOND
    assert number >= 3
    assert seconds > 60
    assert "content-length" not in pcm.headers
    for form in FORMS:
        answer = ask(speaks, response_format=form)
        assert seconds_of(answer.body, tmp_path / f"answer.{form}") == pytest.approx(seconds, abs=0.2), form
    assert speaks.bills == number
    texts = [text for text, _ in parts_of(on_sqlite)]
    assert len(texts) == number
    assert " ".join(" ".join(texts).split()) == " ".join(LONG.split())


def test_events_name_the_usage_of_all_parts(speaks: Speaking) -> None:
    """The last event adds them up."""
    body = ask(speaks, response_format="pcm", stream_format="sse").body
    events = [json.loads(line.removeprefix(b"data: ")) for line in body.strip().split(b"\n\n")]
    audio = base64.b64decode("".join(event["audio"] for event in events[:-1]))
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"]["input_tokens"] == pytest.approx(len(LONG) / 4, rel=0.02)
    assert events[-1]["usage"]["output_tokens"] == pytest.approx(len(audio) / BYTES_PER_SECOND * 32, rel=0.1)


def test_instructions_apply_to_each_part(speaks: Speaking, on_sqlite: Database) -> None:
    """As OpenAI's apply to the whole text; what they leave for the text must be enough for a sentence."""
    assert ask(speaks, instructions="Whisper.").status == 200
    texts = [text for text, _ in parts_of(on_sqlite)]
    assert len(texts) >= 3
    assert all(text.startswith("### Director's notes\nWhisper.") for text in texts)
    refused = ask(speaks, instructions="Whisper. " * 440)
    assert (refused.status, refused.json["error"]["param"]) == (400, "instructions")


def test_a_later_failure_breaks_the_body_off(speaks: Speaking, on_sqlite: Database) -> None:
    """After audio was sent no client may take half for the whole. Once the cause is gone, only the rest is bought."""
    last = Rule(effect=Effect(status=400, message="not this one"), match=Match(text_contains=sentence(SENTENCES)))
    speaks.emulator.admin.rules([last])
    with pytest.raises(http.client.IncompleteRead) as broken:
        ask(speaks, response_format="pcm")
    assert len(broken.value.partial) > BYTES_PER_SECOND
    bought = speaks.bills
    speaks.emulator.admin.rules([])
    ask_anew = LONG.replace(sentence(SENTENCES), "The end is another one.")
    answer = ask(speaks, input=ask_anew, response_format="pcm")
    assert answer.status == 200
    assert speaks.bills <= bought + 2
    assert {status for _, status in parts_of(on_sqlite)} == {JobStatus.SUCCEEDED, JobStatus.FAILED}


def test_a_first_failure_is_an_error(speaks: Speaking) -> None:
    """In OpenAI's form, because nothing was sent yet."""
    first = Rule(effect=Effect(status=400, message="not this one"), match=Match(text_contains=sentence(1)))
    speaks.emulator.admin.rules([first])
    answer = ask(speaks)
    assert (answer.status, answer.json["error"]["param"]) == (400, "input")


def test_a_client_that_leaves_pays_for_little(on_sqlite: Database, tmp_path: Path) -> None:
    """What lies far ahead of what was sent is not bought, and what was not begun is cancelled."""
    with speaking(on_sqlite, tmp_path, with_worker=False) as speaks:
        place = urlsplit(speaks.client.address)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        body = json.dumps({**ASKED, "input": paragraphs(4 * PARAGRAPHS)})
        connection.request("POST", SPEECH, body, {"Content-Type": "application/json"})
        wait_for(lambda: len(parts_of(on_sqlite)) == AHEAD + 1, seconds=30, what="the first parts")
        connection.close()
        wait_for(
            lambda: {state for _, state in parts_of(on_sqlite)} == {JobStatus.CANCELLED}, seconds=30, what="their end"
        )
        assert len(parts_of(on_sqlite)) == AHEAD + 1
