"""Audio in JSON answers: found in every usual place, and never where there is only prose."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.segmind.documents import Inline, Link, find_audio
from worker.segmind.spool import OPENING_BYTES, is_container, is_text

WAV = b"RIFF\x64\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00" + bytes(range(100))
MP3 = b"\xff\xfb\x90\x64" + bytes(range(100))
PCM = bytes(index * 7 % 256 for index in range(6_000))
URL = "https://files.example.com/take.wav?signature=abc"


def encoded(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


@pytest.mark.parametrize(
    "document",
    [
        URL,
        {"output": URL},
        {"output": [URL]},
        {"audio": {"url": URL, "content_type": "audio/wav"}},
        {"audio_url": URL},
        {"url": URL},
        {"data": {"audio": [{"url": URL}]}},
        {"result": [{"file": URL}]},
        {"status": "COMPLETED", "poll_url": "https://api.example.com/poll", "output": URL},
    ],
)
def test_links_are_found(document: object) -> None:
    """An address in a usual place is the audio's."""
    assert find_audio(document) == Link(URL)


@pytest.mark.parametrize("audio", [WAV, MP3])
@pytest.mark.parametrize("shape", ["{}", "data:audio/wav;base64,{}", "data:application/octet-stream;base64,{}"])
@pytest.mark.parametrize("place", ["output", "audio", "data", "result", "audio_base64"])
def test_base64_of_a_file_is_found(audio: bytes, shape: str, place: str) -> None:
    """base64 that begins like an audio file is one, bare or as a data URI."""
    found = find_audio({place: shape.format(encoded(audio))})
    assert isinstance(found, Inline)
    assert base64.b64decode(found.encoded, validate=True) == audio


@pytest.mark.parametrize(
    "text",
    [
        base64.encodebytes(WAV).decode(),
        base64.urlsafe_b64encode(WAV).decode(),
        encoded(WAV).rstrip("="),
        f"\n {encoded(WAV)} \n",
    ],
)
def test_base64_in_its_other_spellings(text: str) -> None:
    """Line breaks, the URL-safe alphabet and missing padding make no difference."""
    found = find_audio({"output": text})
    assert isinstance(found, Inline)
    assert base64.b64decode(found.encoded, validate=True) == WAV


def test_raw_pcm_is_believed_when_declared_or_long() -> None:
    """base64 without a container is audio where a type beside it says so, or where it is longer than any word."""
    assert isinstance(find_audio({"data": encoded(PCM)}), Inline)
    short = encoded(PCM[:300])
    assert find_audio({"data": short}) is None
    assert isinstance(find_audio({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": short}}), Inline)
    assert isinstance(find_audio(f"data:audio/pcm;base64,{short}"), Inline)


@pytest.mark.parametrize(
    "document",
    [
        None,
        3,
        "",
        {},
        {"output": None},
        {"output": "Your audio is being made and will be with you shortly, thank you for your patience"},
        {"output": "a" * 100},
        {"output": "Supercalifragilisticexpialidocious" * 10},
        {"data": "0123456789abcdef" * 16},
        {"output": "data:text/plain,hello"},
        {"output": "data:audio/wav;base64,no base64 at all, by any reading of the word, is it now then"},
        {"output": "see https://files.example.com/take.wav"},
        {"output": "https://files.example.com/take.wav is ready"},
        {"request_id": "r-1", "poll_url": URL, "status_url": URL, "response_url": URL},
        {"url": "https://" + "x" * 5_000},
    ],
)
def test_prose_is_no_audio(document: object) -> None:
    """Words, digests, poll addresses and half addresses are not taken for audio."""
    assert find_audio(document) is None


@given(
    st.recursive(
        st.none() | st.text(max_size=80) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["audio", "output", "data", "type", "x"]), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_any_document_is_searched(document: object) -> None:
    """No JSON makes the search fail."""
    find_audio(json.loads(json.dumps(document)))


@pytest.mark.parametrize(
    "opening",
    [b"{", b'{"error": "x"}', b'  ["a"]', b"<html>", b"Internal Server Error", "späße".encode(), encoded(WAV).encode()],
)
def test_text_is_recognized(opening: bytes) -> None:
    """JSON, HTML, prose and base64 are text, whatever the content type said."""
    assert is_text(opening)


@pytest.mark.parametrize(
    "opening", [b"", WAV, MP3, PCM[:512], bytes(512), b"OggS\x00\x02" + bytes(20), b"fLaC\x00\x00"]
)
def test_audio_is_no_text(opening: bytes) -> None:
    """Containers and raw sound are no text."""
    assert not is_text(opening)


def test_a_character_cut_by_the_look_is_no_audio() -> None:
    """Text whose 512th byte lies within a character is text still."""
    body = ("x" + "ü" * OPENING_BYTES).encode()
    assert is_text(body[:OPENING_BYTES])


@pytest.mark.parametrize("opening", [WAV, MP3, b"ID3\x04", b"OggS", b"fLaC", b"\x00\x00\x00\x18ftypM4A "])
def test_containers_are_recognized(opening: bytes) -> None:
    """Every container in use is known by its first bytes."""
    assert is_container(opening)
