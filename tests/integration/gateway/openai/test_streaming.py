"""Long audio is sent while it is encoded; short audio whole, with its length."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import av
import pytest

from tests.gateway import Reply
from tests.speaking import SPEECH, Speaking, speaking
from worker.gateway.openai.delivery import PIECE_BYTES, _in_threes
from worker.gateway.openai.rendering import Encoding
from worker.store.database import Database

LONG: Final = "The ferry leaves at ten past four, from the second pier. " * 60
ASKED: Final = {"model": "tts-1", "voice": "alloy", "input": LONG}
FORMS: Final = {"mp3": "mp3", "opus": "opus", "aac": "aac", "flac": "flac"}


@pytest.fixture
def speaks(on_sqlite: Database, tmp_path: Path) -> Iterator[Speaking]:
    """A gateway that speaks; takes of any length are accepted."""
    with speaking(on_sqlite, tmp_path, TTSQ_TAKE_CHECKS="off") as started:
        yield started


def ask(speaks: Speaking, **fields: Any) -> Reply:  # noqa: ANN401 - any JSON
    """One request."""
    reply = speaks.client.post(SPEECH, {**ASKED, **fields})
    assert reply.status == 200, reply
    return reply


def decoded(content: bytes, path: Path) -> tuple[str, float]:
    """Codec and seconds, as another program's decoder finds them."""
    path.write_bytes(content)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        return stream.codec_context.name.removesuffix("float"), sum(
            frame.samples / frame.sample_rate for frame in frames
        )


def assert_heard(content: bytes, folder: Path, form: str, seconds: float) -> None:
    """Another decoder finds this form, and all of it."""
    codec, length = decoded(content, folder / f"answer.{form}")
    assert codec == FORMS[form]
    assert length == pytest.approx(seconds, abs=0.2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("speed", [1, 1.5])
def test_long_audio_is_sent_in_pieces(speaks: Speaking, tmp_path: Path, form: str, speed: float) -> None:
    """Without a length, and whole: another decoder finds all of it; afterwards it is at hand, with its length."""
    pcm = ask(speaks, response_format="pcm", speed=speed)
    seconds = len(pcm.body) / 48_000
    assert seconds > 60
    streamed = ask(speaks, response_format=form, speed=speed)
    assert streamed.headers.get("transfer-encoding") == "chunked"
    assert "content-length" not in streamed.headers
    assert_heard(streamed.body, tmp_path, form, seconds)
    again = ask(speaks, response_format=form, speed=speed)
    assert int(again.headers["content-length"]) == len(streamed.body)
    assert_heard(again.body, tmp_path, form, seconds)
    assert again.body == streamed.body
    assert speaks.bills == 1


def test_a_long_flac_names_its_length(speaks: Speaking) -> None:
    """In its first block, where players look for it; an MP3 has one bitrate, from which they compute it."""
    frames = len(ask(speaks, response_format="pcm").body) // 2
    flac = ask(speaks, response_format="flac").body
    assert int.from_bytes(flac[18:26], "big") & ((1 << 36) - 1) == frames
    with av.open(io.BytesIO(ask(speaks, response_format="mp3").body), "r", format="mp3") as container:
        assert {packet.size for packet in container.demux(audio=0) if packet.size} == {192}


def test_a_long_wav_names_its_length(speaks: Speaking) -> None:
    """At once: the take's length is known."""
    wav = ask(speaks, response_format="wav").body
    assert int.from_bytes(wav[4:8], "little") == len(wav) - 8
    assert int.from_bytes(wav[40:44], "little") == len(wav) - 44
    faster = ask(speaks, response_format="wav", speed=2).body
    assert int.from_bytes(faster[40:44], "little") == len(faster) - 44
    assert len(faster) == pytest.approx(len(wav) / 2, rel=0.01)


def test_events_come_in_pieces_too(speaks: Speaking, tmp_path: Path) -> None:
    """Each event's audio can be joined as base64, and the last event reports the usage."""
    body = ask(speaks, response_format="opus", stream_format="sse").body
    events = [json.loads(line.removeprefix(b"data: ")) for line in body.strip().split(b"\n\n")]
    joined = base64.b64decode("".join(event["audio"] for event in events[:-1]))
    assert events[-1]["type"] == "speech.audio.done"
    assert decoded(joined, tmp_path / "events.opus")[0] == "opus"


async def collected(pieces: AsyncIterator[bytes]) -> list[bytes]:
    """All of them."""
    return [piece async for piece in pieces]


def test_pieces_reach_every_listener_from_the_beginning() -> None:
    """One that comes early and one that comes late get the same bytes; an error ends both."""

    async def listen() -> tuple[list[bytes], list[bytes], BaseException | None]:
        encoding = Encoding()
        early = asyncio.create_task(collected(encoding.pieces()))
        encoding.add(b"one")
        await encoding.begun(whole=False)
        encoding.add(b"two")
        late = asyncio.create_task(collected(encoding.pieces()))
        await asyncio.sleep(0)
        encoding.end()
        broken = Encoding()
        broken.add(b"half")
        broken.end(OSError("disk"))
        await broken.begun(whole=False)
        (error,) = await asyncio.gather(collected(broken.pieces()), return_exceptions=True)
        return await early, await late, error if isinstance(error, BaseException) else None

    early, late, error = asyncio.run(listen())
    assert b"".join(early) == b"".join(late) == b"onetwo"
    assert isinstance(error, OSError)


def test_events_hold_whole_groups_of_base64() -> None:
    """Whatever sizes the pieces come in."""

    async def pieces() -> AsyncIterator[bytes]:
        for size in (1, 2, 5, PIECE_BYTES, PIECE_BYTES + 1, 1):
            yield b"x" * size

    found = asyncio.run(collected(_in_threes(pieces())))
    assert sum(map(len, found)) == 10 + 2 * PIECE_BYTES
    assert all(len(piece) % 3 == 0 for piece in found[:-1])
    assert all(0 < len(piece) <= PIECE_BYTES for piece in found)
