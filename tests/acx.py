"""Checks an MP3 against what Audible publishes for audiobooks. Decodes with PyAV; shares no code with the program.

https://help.acx.com/s/article/what-are-the-acx-audio-submission-requirements
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt

_MPEG_1_LAYER_3_KBPS: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES: Final = (44_100, 48_000, 32_000)
_FLOOR_SECONDS: Final = 0.5
_EDGE_SECONDS: Final = 0.05
_HOP_SECONDS: Final = 0.01
_ROOM: Final = -50.0


def faults(path: Path) -> Iterator[str]:
    """Yield what Audible would refuse the file for."""
    frames = list(_frames(path.read_bytes()))
    if {rate for _, rate in frames} != {44_100}:
        yield f"rates {sorted({rate for _, rate in frames})}"
    bitrates = {bitrate for bitrate, _ in frames}
    if len(bitrates) != 1 or min(bitrates) < 192:
        yield f"bitrates {sorted(bitrates)}"
    samples = _decoded(path)
    rms, peak = _db(float(np.sqrt(np.mean(samples**2)))), _db(float(np.abs(samples).max()))
    if not -23 <= rms <= -18:
        yield f"RMS {rms:.2f}"
    if peak > -3:
        yield f"peak {peak:.2f}"
    windows = _windows(samples, _FLOOR_SECONDS)
    if windows.min() > -60:
        yield f"noise floor {windows.min():.2f}"
    yield from _edges(_windows(samples, _EDGE_SECONDS))


def _frames(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield bitrate and sample rate of each MPEG frame, behind the ID3 header."""
    at = 0
    if content[:3] == b"ID3":
        at = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(content[6:10], (21, 14, 7, 0), strict=True))
    while at + 4 <= len(content):
        assert content[at] == 0xFF
        assert content[at + 1] & 0xFE == 0xFA, "MPEG 1, layer III"
        third = content[at + 2]
        bitrate, rate = _MPEG_1_LAYER_3_KBPS[third >> 4], _RATES[third >> 2 & 3]
        yield bitrate, rate
        at += 144_000 * bitrate // rate + (third >> 1 & 1)


def _decoded(path: Path) -> npt.NDArray[np.float64]:
    with av.open(str(path)) as container:
        pieces = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.asarray(np.concatenate(pieces, axis=1).mean(axis=0), np.float64)


def _windows(samples: npt.NDArray[np.float64], seconds: float) -> npt.NDArray[np.float64]:
    """Return the level of stretches of this length, every 10 ms."""
    size, hop = round(seconds * 44_100), round(_HOP_SECONDS * 44_100)
    sums = np.concatenate(([0.0], np.cumsum(samples**2)))
    starts = np.arange(0, len(samples) - size, hop)
    return np.asarray(10 * np.log10(np.maximum((sums[starts + size] - sums[starts]) / size, 1e-12)))


def _edges(windows: npt.NDArray[np.float64]) -> Iterator[str]:
    loud = np.flatnonzero(windows > _ROOM) * _HOP_SECONDS
    head, tail = float(loud[0]), len(windows) * _HOP_SECONDS - float(loud[-1])
    if not 0.5 <= head <= 1.0:
        yield f"{head:.2f} s of room tone before the first sound"
    if not 1.0 <= tail <= 5.0:
        yield f"{tail:.2f} s of room tone behind the last sound"


def _db(amplitude: float) -> float:
    return 20 * float(np.log10(max(amplitude, 1e-9)))
