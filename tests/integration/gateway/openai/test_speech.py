"""`POST /openai/v1/audio/speech`: what is spoken, in which form, and what it costs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.gateway import Reply
from tests.speaking import SPEECH, Speaking

TEXT = "The ferry leaves at ten past four, from the second pier."
ASKED = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": TEXT}
DECODERS = {
    "mp3": ("mp3", "audio/mpeg"),
    "opus": ("opus", "audio/ogg"),
    "aac": ("aac", "audio/aac"),
    "flac": ("flac", "audio/flac"),
    "wav": ("pcm_s16le", "audio/wav"),
}


def decoded(content: bytes, folder: Path, form: str) -> tuple[str, int, float]:
    """Codec, channels and seconds, as another program's decoder finds them, whatever the label says."""
    path = folder / f"answer.{form}"
    path.write_bytes(content)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        seconds = sum(frame.samples for frame in frames) / frames[0].sample_rate
        return stream.codec_context.name.removesuffix("float"), len(frames[0].layout.channels), seconds


def ask(speaks: Speaking, **fields: Any) -> Reply:  # noqa: ANN401 - any JSON
    """One request."""
    return speaks.client.post(SPEECH, {**ASKED, **fields})


@pytest.mark.parametrize("form", [*DECODERS, "pcm"])
def test_each_format_is_what_its_label_says(speaks: Speaking, tmp_path: Path, form: str) -> None:
    """Another decoder reads it, with the length of the WAV; whether streamed as events or not, the bytes are equal."""
    plain = ask(speaks, response_format=form)
    assert plain.status == 200, plain
    wav = ask(speaks, response_format="wav")
    _, _, seconds = decoded(wav.body, tmp_path, "wav")
    if form == "pcm":
        assert plain.headers["content-type"] == "audio/pcm"
        assert plain.body == wav.body[44:]
    else:
        codec, media = DECODERS[form]
        assert plain.headers["content-type"] == media
        found = decoded(plain.body, tmp_path, form)
        assert found[:2] == (codec, 1)
        assert found[2] == pytest.approx(seconds, abs=0.15)
    events = ask(speaks, response_format=form, stream_format="sse")
    assert events.headers["content-type"].startswith("text/event-stream")
    assert audio_of(events.body) == plain.body
    assert speaks.bills == 1, "one take serves every form"


def audio_of(body: bytes) -> bytes:
    """The pieces of an event stream, joined; the last event reports the usage."""
    events = [json.loads(line.removeprefix(b"data: ")) for line in body.strip().split(b"\n\n")]
    assert [event["type"] for event in events[:-1]] == ["speech.audio.delta"] * (len(events) - 1)
    assert events[-1]["type"] == "speech.audio.done"
    usage = events[-1]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
    return b"".join(base64.b64decode(event["audio"]) for event in events[:-1])


@pytest.mark.parametrize("speed", [0.5, 1.5, 2])
def test_speed_changes_the_length_and_buys_nothing(speaks: Speaking, speed: float) -> None:
    """The pitch stays: the strongest frequency is the same."""
    usual = np.frombuffer(ask(speaks, response_format="pcm").body, "<i2")
    other = np.frombuffer(ask(speaks, response_format="pcm", speed=speed).body, "<i2")
    assert len(other) == pytest.approx(len(usual) / speed, rel=0.01)
    assert speaks.bills == 1
    both = [np.abs(np.fft.rfft(samples, 48_000)).argmax() for samples in (usual, other)]
    assert both[1] == pytest.approx(both[0], rel=0.2)


def test_the_second_answer_is_a_hit_and_costs_nothing(speaks: Speaking) -> None:
    """Headers tell the job, what the request cost, and how it came by its audio."""
    first, second = ask(speaks), ask(speaks)
    assert [reply.headers["x-ttsq-cache"] for reply in (first, second)] == ["miss", "hit"]
    assert first.headers["x-ttsq-cost"] != "0"
    assert second.headers["x-ttsq-cost"] == "0"
    assert first.headers["x-ttsq-job-id"] == second.headers["x-ttsq-job-id"]
    assert first.body == second.body


def test_removed_audio_is_not_served_from_memory(speaks: Speaking) -> None:
    """A deleted job's audio is bought again, though the encoded bytes were still at hand."""
    first = ask(speaks)
    job = first.headers["x-ttsq-job-id"]
    assert speaks.client("DELETE", f"/v1/jobs/{job}").status == 200
    second = ask(speaks)
    assert second.headers["x-ttsq-cache"] == "miss"
    assert second.headers["x-ttsq-job-id"] != job


def test_audio_that_the_store_has_lost_is_bought_again(speaks: Speaking, tmp_path: Path) -> None:
    """A file deleted by hand does not make the text unspeakable."""
    ask(speaks, response_format="wav")
    for path in (tmp_path / "audio").rglob("*.wav"):
        path.unlink()
    again = ask(speaks, response_format="flac")
    assert (again.status, again.headers["x-ttsq-cache"]) == (200, "miss")


def test_instructions_are_not_judged_as_speech(speaks: Speaking) -> None:
    """Long notes and a short text: the take fits the text alone, and is accepted."""
    notes = "Speak slowly and in a warm, low voice, as to a child who is half asleep. " * 8
    reply = ask(speaks, input="Good night.", instructions=notes)
    assert reply.status == 200, reply
    text = speaks.client.get(f"/v1/jobs/{reply.headers['x-ttsq-job-id']}").json["text"]
    assert notes.strip() in text
    assert text.endswith("Good night.")


@pytest.mark.parametrize("voice", ["ALLOY", {"id": "alloy"}, "Kore"])
def test_a_voice_has_several_names(speaks: Speaking, voice: Any) -> None:  # noqa: ANN401 - any JSON
    """OpenAI's, an object with an id, and the registry's own: one content."""
    job = ask(speaks, voice=voice).headers["x-ttsq-job-id"]
    assert speaks.client.get(f"/v1/jobs/{job}").json["voice_1"] == "Kore"


def test_fields_may_be_null(speaks: Speaking) -> None:
    """As automation tools send fields that are not set."""
    nulls = dict.fromkeys(("instructions", "response_format", "speed", "stream_format"))
    assert ask(speaks, **nulls).headers["content-type"] == "audio/mpeg"
