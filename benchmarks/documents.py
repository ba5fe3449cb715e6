"""Long texts: how long a plan takes, and how fast and in how much memory takes are joined."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import soundfile

from benchmarks.report import Report
from worker.documents.join.recording import record
from worker.documents.join.style import PRESETS, Style
from worker.documents.plan.limits import PartLimits
from worker.documents.plan.plan import Gap, plan
from worker.documents.readers import text as plain

RATE: Final = 24_000
TAKE_SECONDS: Final = 45
TAKES: Final = 8
"""Different ones; a recording repeats them."""
EXCERPT: Final = Path(__file__).parent.parent / "tests" / "data" / "documents" / "en.txt"


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is planned and joined."""

    megabytes: float = 1.0
    hours: float = 1.0
    forms: str = "wav,mp3"


FULL: Final = Knobs(hours=10.0, forms="wav,flac,mp3,opus")


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Plan a text, then join as many takes as make a recording of some hours, each form in a process of its own."""
    seconds, parts = _planned(knobs.megabytes)
    say(f"plan: {seconds:.2f} s, {parts:,} parts")
    rows: list[tuple[str, float, float, float]] = [("plan", seconds, 0.0, 0.0)]
    with TemporaryDirectory() as folder:
        takes = _takes(Path(folder))
        for form in knobs.forms.split(","):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                took, megabytes = process.submit(joined, takes, Path(folder) / f"all.{form}", knobs.hours).result()
            rows.append((f"join to {form}", took, knobs.hours * 3600 / took, megabytes))
            say(f"{form}: {knobs.hours * 3600 / took:.0f} x real time, {megabytes:.0f} MB")
    return Report(
        name="documents",
        title=f"A text of {knobs.megabytes:g} MB planned, {knobs.hours:g} h of takes joined at −16 LUFS, one core",
        columns=("what", "s", "x real time", "peak MB"),
        rows=rows,
        findings=[f"a plan of {knobs.megabytes:g} MB takes {seconds:.2f} s"],
    )


def _planned(megabytes: float) -> tuple[float, int]:
    paragraphs = EXCERPT.read_text(encoding="utf-8").strip().split("\n\n")
    size, found = 0, []
    for number, paragraph in enumerate(cycle(paragraphs)):
        found.append(f"{paragraph} ({number})." if number % 60 else f"Chapter {number // 60 + 1}")
        size += len(found[-1]) + 2
        if size >= megabytes * 1e6:
            break
    text = "\n\n".join(found)
    started = time.perf_counter()
    parts = len(plan(plain.read(text), PartLimits()).parts)
    return time.perf_counter() - started, parts


def _takes(folder: Path) -> list[Path]:
    """Write takes like speech: syllables four a second, sentences of three seconds, in a soft noise."""
    paths = []
    moment = np.arange(TAKE_SECONDS * RATE) / RATE
    for index in range(TAKES):
        noise = np.random.default_rng(index).standard_normal(len(moment)) * 2e-4
        envelope = np.clip(np.sin(2 * np.pi * 4 * moment), 0, 1) * (moment % 3 < 2.6)
        signal = 0.2 * envelope * np.sin(2 * np.pi * (140 + 10 * index) * moment) + noise
        paths.append(folder / f"{index}.wav")
        soundfile.write(paths[-1], signal.astype(np.float32), RATE, subtype="PCM_16")
    return paths


def joined(takes: list[Path], into: Path, hours: float) -> tuple[float, float]:
    """Join in this process; return the seconds it took and the process's peak memory in MB."""
    count = max(1, round(hours * 3600 / TAKE_SECONDS))
    started = time.perf_counter()
    record([(take, Gap.SENTENCE) for take in islice(cycle(takes), count)], into, Style(PRESETS["podcast"]))
    return time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
