"""Whole answers whose headers are wrong: the sound that is there is the take, and its file has a true header."""

from __future__ import annotations

import wave
from typing import Final

import pytest

from api_models.status import JobStatus
from tests.attempt_harness import Workshop
from tests.unit.audio.test_take import FMT, wav
from worker.audio.gate import GateLimits
from worker.emulator.config import EmulatorConfig
from worker.emulator.voice.synthesis import Utterance, speak

TEXT: Final = "The ferry leaves at noon, and the bakery behind the harbour opens at six, as it has for forty years."
SOUND: Final = speak(Utterance(TEXT, "Kore"))
SIZE: Final = len(SOUND)
INFO: Final = (b"LIST", b"INFOISFT\x0d\0\0\0Lavf60.16.100\0")
ODD: Final = b"LIST\x05\0\0\0INFOx"
"""A chunk of odd length without its padding."""


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """It speaks."""
    return EmulatorConfig()


@pytest.fixture
def limits() -> GateLimits:
    """Takes are judged."""
    return GateLimits()


def unpadded(content: bytes) -> bytes:
    """With a chunk before the format that isn't padded."""
    return content[:12] + ODD + content[12:]


ANSWERS: Final = {
    **{f"size {size:,}": wav(FMT, data=SOUND, promised=size) for size in (2_000_000_000, 0, 1, 44, 0x7FFF_FFFF)},
    **{f"size + {more}": wav(FMT, data=SOUND, promised=SIZE + more) for more in (1, 2, 8, 36, 44, 1000, SIZE)},
    **{f"size - {less}": wav(FMT, data=SOUND, promised=SIZE - less) for less in (1, 36, 44)},
    "size all bits": wav(FMT, data=SOUND, promised=0xFFFF_FFFF, riff=0xFFFF_FFFF),
    "half the size": wav(FMT, data=SOUND, promised=SIZE // 2),
    "riff 0": wav(FMT, data=SOUND, riff=0),
    "riff too large": wav(FMT, data=SOUND, riff=2**31),
    "a list before": wav(INFO, FMT, data=SOUND, promised=SIZE + 44),
    "a list after": wav(FMT, data=SOUND) + b"LIST\x04\0\0\0INFO",
    "no padding": unpadded(wav(FMT, data=SOUND)),
    "block align 0": wav((FMT[0], FMT[1][:12] + b"\0\0" + FMT[1][14:]), data=SOUND),
    "byte rate 0": wav((FMT[0], FMT[1][:8] + bytes(4) + FMT[1][12:]), data=SOUND),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("is_checked", [True, False], ids=["checked", "unchecked"])
def test_a_whole_answer_with_a_wrong_header_is_a_take(shop: Workshop, name: str, *, is_checked: bool) -> None:
    """Nothing is bought again, and any player can read what is stored."""
    if not is_checked:
        if name == f"size + {SIZE}":
            pytest.skip("without listening, that is a take of which half is missing")
        shop.limits = None
        shop = shop.restarted()
    job = shop.job(recover=True, attempt=1, text=TEXT)
    shop.spool.path_for(job, 1).write_bytes(ANSWERS[name])
    row = shop.run(job)
    assert (row.status, row.takes_used, shop.bought()) == (JobStatus.SUCCEEDED, 0, 0), row.message
    with wave.open(str(shop.file(job)), "rb") as sound:
        assert abs(sound.getnframes() - SIZE // 2) <= 22
        assert len(sound.readframes(10**9)) // 2 == sound.getnframes()


@pytest.mark.parametrize("share", [0.15, 0.3, 0.6, 0.8])
@pytest.mark.parametrize("is_checked", [True, False], ids=["checked", "unchecked"])
def test_an_answer_of_which_a_part_is_missing_is_refused(shop: Workshop, share: float, *, is_checked: bool) -> None:
    """A sender may pass on what it had when its own source broke off: the header is right, and the sound breaks off."""
    if not is_checked:
        shop.limits = None
        shop = shop.restarted()
    job = shop.job(recover=True, attempt=1, text=TEXT)
    shop.spool.path_for(job, 1).write_bytes(wav(FMT, data=SOUND)[: int(SIZE * share)])
    assert shop.run(job).status == JobStatus.QUEUED
    (attempt,) = shop.books(job)
    assert attempt.detail.startswith(("flaw cut_off", "flaw too_short", "flaw unfinished"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\0\0\x20ftypM4A " + bytes(2_000), "an MP4 file"),
        (b"\xff\xf1\x50\x80\x1f\xfc\0" + bytes(2_000), "AAC"),
        (b"\x1a\x45\xdf\xa3" + bytes(2_000), "a WebM file"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(2_000), "a Windows Media file"),
        (b"#!AMR\n" + bytes(2_000), "an AMR file"),
    ],
)
def test_a_container_that_cannot_be_decoded_is_bought_once(shop: Workshop, content: bytes, words: str) -> None:
    """Another take would come in the same one: the job ends, says why, and keeps what was bought."""
    job = shop.job(recover=True, attempt=1, text=TEXT)
    shop.spool.path_for(job, 1).write_bytes(content)
    row = shop.run(job)
    assert (row.status, row.code, shop.bought()) == (JobStatus.FAILED, "bad_audio", 0)
    assert f"{words}" in row.message
    (attempt,) = shop.books(job)
    assert attempt.detail.startswith("flaw unsupported")
    assert attempt.take_uri is not None
