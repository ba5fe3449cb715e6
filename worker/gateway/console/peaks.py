"""The waveform of a job's audio: twenty peaks a second, computed when its page is first opened, then remembered.

A browser would decode the whole file for the same picture. Weakness: each gateway process computes its own; an hour of
audio takes about a second.
"""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from worker.audio import decoding
from worker.audio.errors import BadAudioError
from worker.gateway import audio
from worker.gateway.parts import Gateway
from worker.gateway.problems import not_found
from worker.store.queries.tenant_pages import JobEntry

PER_SECOND: Final = 20
MAX_PEAKS: Final = 6_000
"""Longer audio has fewer peaks a second."""
MAX_BYTES: Final = 64 * 2**20
REMEMBERED: Final = 500
_kept: OrderedDict[str, list[float]] = OrderedDict()
_lock: Final = threading.Lock()
_decoding: Final = threading.Semaphore(2)


def of_job(gateway: Gateway, job: JobEntry) -> list[float]:
    """Return the peaks, 0 to 1. Raises ProblemError: the audio is missing or cannot be decoded here."""
    name = str(job.sha256)
    with _lock:
        if (kept := _kept.get(name)) is not None:
            return kept
    with _decoding:
        found = _computed(gateway, job)
    with _lock:
        _kept[name] = found
        while len(_kept) > REMEMBERED:
            _kept.popitem(last=False)
    return found


def _computed(gateway: Gateway, job: JobEntry) -> list[float]:
    if (job.audio_bytes or 0) > MAX_BYTES:
        raise not_found("waveform of so long a recording")
    destination = audio.destination_of(gateway, job)
    with tempfile.TemporaryDirectory(prefix="ttsq-peaks-") as folder:
        path = Path(folder) / "audio"
        if destination.store.fetch(destination.key, path, sha256=job.sha256) is None:
            raise audio.lost()
        try:
            rate, _, frames = decoding.measured(path)
            step = max(rate // PER_SECOND, -(-frames // MAX_PEAKS), 1)
            return [_peak(block) for block in decoding.decoded_blocks(path, step)]
        except BadAudioError:
            raise not_found("waveform: the audio cannot be decoded here") from None


def _peak(block: npt.NDArray[np.float32]) -> float:
    return round(min(1.0, float(np.abs(block).max(initial=0.0))), 3)
