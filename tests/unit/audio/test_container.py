"""Sniffing: the bytes decide, and headerless samples are distinguished from every other kind of bytes."""

from __future__ import annotations

import io
import math
import random
import struct
import zlib

import pytest
import soundfile

from worker.audio.container import SNIFF_BYTES, Container, sniff


def tone(samples: int, *, hertz: float = 300.0, noise: float = 0.0, seed: int = 1) -> bytes:
    """16-bit little-endian samples at 24 kHz: a tone with some noise in it."""
    rng = random.Random(seed)
    values = (
        int(8000 * math.sin(2 * math.pi * hertz * at / 24_000) + 8000 * noise * rng.uniform(-1, 1))
        for at in range(samples)
    )
    return struct.pack(f"<{samples}h", *values)


def encoded(container: str, subtype: str) -> bytes:
    """A second of tone, encoded by libsndfile."""
    target = io.BytesIO()
    samples = [[math.sin(at / 10) / 3] for at in range(24_000)]
    soundfile.write(target, samples, 24_000, format=container, subtype=subtype)
    return target.getvalue()


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", Container.WAV),
        (b"RF64\xff\xff\xff\xffWAVEds64", Container.WAV),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00", Container.MP3),
        (b"\xff\xfb\x90\x64\x00\x0f", Container.MP3),
        (b"\xff\xf3\x84\xc4\x00\x00", Container.MP3),
        (b"OggS\x00\x02\x00\x00", Container.OGG),
        (b"fLaC\x00\x00\x00\x22", Container.FLAC),
        (b"\x00\x00\x00\x20ftypM4A ", Container.MP4),
        (b'{"output": "https://host/a.wav"}', Container.JSON),
        (b'\xef\xbb\xbf\r\n [{"audio": 1}]', Container.JSON),
        (b"<html><body>502 Bad Gateway</body></html>", Container.TEXT),
        ("Größe".encode(), Container.TEXT),
        (b"\xff\xf1\x50\x80\x00\x1f\xfc", Container.AAC),
        (b"RIFF\x24\x00\x00\x00AVI LIST", Container.UNKNOWN),
        (b"\x89PNG\r\n\x1a\n", Container.UNKNOWN),
        (b"\xff\xff\xfe\xff", Container.UNKNOWN),
        (b"", Container.UNKNOWN),
    ],
)
def test_the_first_bytes_tell_the_container(head: bytes, container: Container) -> None:
    """Each signature has its container, and a likeness of one has not."""
    assert sniff(head) is container


@pytest.mark.parametrize(
    ("form", "subtype", "container"),
    [
        ("WAV", "PCM_16", Container.WAV),
        ("WAV", "FLOAT", Container.WAV),
        ("RF64", "PCM_16", Container.WAV),
        ("FLAC", "PCM_16", Container.FLAC),
        ("OGG", "VORBIS", Container.OGG),
        ("OGG", "OPUS", Container.OGG),
        ("MP3", "MPEG_LAYER_III", Container.MP3),
    ],
)
def test_what_encoders_write_is_recognised(form: str, subtype: str, container: Container) -> None:
    """Real files of every container, from their first 16 bytes as from all."""
    content = encoded(form, subtype)
    assert sniff(content[:16]) is container
    assert sniff(content[:SNIFF_BYTES]) is container


@pytest.mark.parametrize(
    "head",
    [
        tone(24_000),
        tone(24_000, hertz=120, noise=0.3),
        tone(24_000, hertz=1500),
        b"\0" * 20_000 + b"\x00\x01" + tone(20_000),
        tone(3000) + b"\x01",
    ],
    ids=["voice", "breathy voice", "bright voice", "after silence", "odd length"],
)
def test_headerless_samples_are_recognised(head: bytes) -> None:
    """Sound is smooth: that is all there is to go by."""
    assert sniff(head[:SNIFF_BYTES]) is Container.PCM


@pytest.mark.parametrize(
    "head",
    [
        random.Random(2).randbytes(SNIFF_BYTES),
        b"\x1f\x8b\x08\x00" + zlib.compress(random.Random(3).randbytes(30_000)),
        b"\0" * SNIFF_BYTES,
        tone(500),
    ],
    ids=["random bytes", "compressed data", "silence alone", "too little to tell"],
)
def test_other_bytes_are_not_taken_for_samples(head: bytes) -> None:
    """Rough bytes, nothing but zeros, and a handful of samples stay unknown."""
    assert sniff(head) is Container.UNKNOWN


def test_a_character_cut_at_the_end_is_still_text() -> None:
    """The head may end in the middle of a character."""
    assert sniff("Größe".encode()[:3]) is Container.TEXT
    assert sniff('{"text": "日本'.encode()[:-1]) is Container.JSON


@pytest.mark.parametrize("container", list(Container))
def test_every_container_has_a_type_and_an_extension(container: Container) -> None:
    """What is stored can be given a content type and a file name."""
    assert "/" in container.content_type
    assert container.extension.isalnum()
