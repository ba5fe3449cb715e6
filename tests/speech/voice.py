"""Sentences spoken by espeak-ng, and takes joined of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from worker.acceptance.espeak import Espeak
from worker.acceptance.findings import Samples
from worker.audio.resampling import resampled_samples

RATE = 16_000
PAUSE = np.zeros(RATE // 4, np.float32)


def launcher(folder: Path) -> Espeak:
    """A program of its own that starts the wheel's."""
    script = folder / "espeak-ng"
    root = Path(__file__).parents[2]
    script.write_text(f"#!/bin/sh\nPYTHONPATH='{root}' exec '{sys.executable}' -m tests.speech.program \"$@\"\n")
    script.chmod(0o700)
    return Espeak(str(script))


@cache
def sentence(espeak: Espeak, text: str, language: str = "en", voice: str = "") -> Samples:
    spoken = espeak.speak(text, language, voice=voice)
    return resampled_samples(spoken.samples, spoken.rate, RATE)


def take(espeak: Espeak, texts: Sequence[str], language: str = "en", voice: str = "") -> Samples:
    pieces = [piece for text in texts for piece in (sentence(espeak, text, language, voice), PAUSE)]
    return np.concatenate(pieces)
