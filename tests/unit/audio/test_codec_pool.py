"""Codec processes: what foreign audio does to one of them, and what it never does to the worker."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from api_models.formats import AudioFormat
from tests.containers import KINDS, container, wave
from worker.audio.codec.messages import CodecCrashError, EncodeRequest, read_result
from worker.audio.codec.pool import CodecPool
from worker.audio.errors import BadAudio, BadAudioError
from worker.audio.measurement import measure
from worker.audio.riff import new_head
from worker.audio.take import accept, plain_take


@pytest.fixture
def pool() -> Iterator[CodecPool]:
    """Of one process."""
    pool = CodecPool(1)
    yield pool
    pool.close()


def answer(folder: Path, content: bytes) -> Path:
    """In a spool."""
    path = folder / "answer.audio"
    path.write_bytes(content)
    return path


def reason(pool: CodecPool, path: Path) -> str:
    """Why the answer is no take."""
    with pytest.raises(BadAudioError) as caught:
        pool.inspect(path, path.with_suffix(".wav"), is_measured=True)
    return caught.value.reason


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_finds_what_this_one_would(tmp_path: Path, pool: CodecPool, kind: str) -> None:
    """Take and measures are the same, and its WAV is one that needs no library, or a lossless one."""
    path = answer(tmp_path, container(kind))
    found = pool.inspect(path, tmp_path / "answer.wav", is_measured=True)
    assert found.measures == measure(accept(found.take.path))
    assert accept(found.take.path) == found.take
    assert found.take.sample_rate == accept(path).sample_rate


def test_a_process_serves_many_takes(tmp_path: Path, pool: CodecPool) -> None:
    """Starting one costs as much as encoding many."""
    take = accept(answer(tmp_path, container("wav")))
    first = None
    for form in AudioFormat:
        pool.encode(EncodeRequest(take, tmp_path / "out", form, target_lufs=-20.0, measures=None))
        first = first or pool.pids()
        assert pool.pids() == first
        assert accept(tmp_path / "out").sample_rate == take.sample_rate


def test_a_crash_is_tried_once_more_and_then_the_takes_fault(tmp_path: Path, pool: CodecPool) -> None:
    """A process that was killed while idle is replaced without an error."""
    path = answer(tmp_path, container("mp3"))
    pool.inspect(path, tmp_path / "answer.wav", is_measured=False)
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGKILL)
    assert pool.inspect(path, tmp_path / "answer.wav", is_measured=False).take.frames > 0
    assert pool.pids() not in ([], [pid])


def test_a_process_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    """An answer that never arrives: the process reads a pipe without a writer."""
    os.mkfifo(tmp_path / "answer.audio")
    pool = CodecPool(1, seconds=0.2)
    assert reason(pool, tmp_path / "answer.audio") == BadAudio.UNREADABLE
    assert pool.pids() == []


def test_an_error_of_the_disk_is_no_fault_of_the_take(tmp_path: Path, pool: CodecPool) -> None:
    """It is raised as if the codec ran in this process, and the process survives."""
    path = answer(tmp_path, container("flac"))
    with pytest.raises(OSError, match=r"[Nn]o such file"):
        pool.inspect(tmp_path / "gone", tmp_path / "answer.wav", is_measured=False)
    assert pool.inspect(path, tmp_path / "answer.wav", is_measured=False).take.frames > 0


@pytest.mark.parametrize(
    "line", [b"", b"5\n", b"{}\n", b'{"bad": "x", "message": ""}\n', b'{"result": "Encoded"}\n', b"\xff\n"]
)
def test_nonsense_is_a_crash(line: bytes) -> None:
    """What a process that was taken over may say."""
    with pytest.raises(CodecCrashError):
        read_result(line)


@pytest.mark.skipif(sys.platform != "linux", reason="the process's surroundings are read from /proc")
def test_a_process_knows_no_secret_and_no_socket(
    tmp_path: Path, pool: CodecPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its environment is what Python needs; its files are three pipes and what it opens itself; its session its own."""
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_0123456789abcdef")
    pool.inspect(answer(tmp_path, container("mp3")), tmp_path / "answer.wav", is_measured=False)
    (pid,) = pool.pids()
    assert b"SEGMIND" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert not [file for file in Path(f"/proc/{pid}/fd").iterdir() if file.readlink().name.startswith("socket:")]
    assert os.getsid(pid) == pid


def test_a_process_ends_with_its_worker(tmp_path: Path) -> None:
    """Also where the worker is killed: the other end of its pipe closes."""
    answer(tmp_path, container("mp3"))
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom worker.audio.codec.pool import CodecPool\n"
        f"pool, folder = CodecPool(1), Path({str(tmp_path)!r})\n"
        "pool.inspect(folder / 'answer.audio', folder / 'x.wav', is_measured=False)\n"
        "print(pool.pids()[0], flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    worker = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (worker.returncode, worker.stderr) == (-signal.SIGKILL, "")
    pid = int(worker.stdout)
    gone = threading.Event()
    while not gone.wait(0.01):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            gone.set()


RATES = [(0xFFFF_FFFF, 1), (1, 1), (24_000, 65_535), (7_999, 1), (192_001, 1), (24_000, 9)]


@pytest.mark.parametrize(("rate", "channels"), RATES)
def test_rates_and_channels_that_no_speech_has_are_refused(
    tmp_path: Path, pool: CodecPool, rate: int, channels: int
) -> None:
    """Before a sample is read: each would take memory or time without limit."""
    head = bytearray(new_head(4800, sample_rate=24_000, channels=1, sample_bits=16))
    struct.pack_into("<HI", head, 22, channels, rate)
    path = answer(tmp_path, bytes(head) + bytes(4800))
    with pytest.raises(BadAudioError):
        plain_take(path)
    assert reason(pool, path) in {BadAudio.UNREADABLE, BadAudio.NO_FRAMES}


def test_a_small_file_cannot_fill_memory_or_disk(tmp_path: Path, pool: CodecPool) -> None:
    """A FLAC of silence, a few kilobytes for each minute, stops at the limit."""
    path = tmp_path / "answer.audio"
    with path.open("wb") as file, soundfile.SoundFile(file, "w", 48_000, 8, "PCM_16", format="FLAC") as target:
        block = wave()[:1].repeat(480_000 * 8).reshape(-1, 8)
        for _ in range(20):
            target.write(block)
    assert path.stat().st_size < 2_000_000
    assert reason(pool, path) == BadAudio.UNREADABLE
    assert [left.name for left in tmp_path.iterdir()] == ["answer.audio"]
