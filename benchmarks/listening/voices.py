"""Speaks sentences with flite and festival, and keeps the clips. A festival process speaks many at once."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from benchmarks.listening.programs import Programs
from worker.acceptance.findings import Samples
from worker.audio.resampling import resampled_samples

RATE: Final = 16_000


@dataclass(frozen=True, slots=True)
class Voice:
    program: str
    name: str
    language: str
    is_held_out: bool
    encoding: str = "utf-8"

    def __str__(self) -> str:
        return f"{self.program}/{self.name}"


VOICES: Final = (
    Voice("flite", "rms", "en", is_held_out=False),
    Voice("flite", "kal16", "en", is_held_out=False),
    Voice("festival", "kal_diphone", "en", is_held_out=False),
    Voice("flite", "slt", "en", is_held_out=True),
    Voice("flite", "awb", "en", is_held_out=True),
    Voice("festival", "ked_diphone", "en", is_held_out=True),
    Voice("festival", "cmu_us_slt_arctic_hts", "en", is_held_out=True),
    Voice("festival", "lp_diphone", "it", is_held_out=False, encoding="iso-8859-1"),
    Voice("festival", "pc_diphone", "it", is_held_out=True, encoding="iso-8859-1"),
    Voice("festival", "czech_krb", "cs", is_held_out=False, encoding="iso-8859-2"),
    Voice("festival", "czech_machac", "cs", is_held_out=False, encoding="iso-8859-2"),
    Voice("festival", "czech_dita", "cs", is_held_out=True, encoding="iso-8859-2"),
    Voice("festival", "czech_ph", "cs", is_held_out=True, encoding="iso-8859-2"),
    Voice("festival", "suo_fi_lj_diphone", "fi", is_held_out=False, encoding="iso-8859-1"),
    Voice("festival", "hy_fi_mv_diphone", "fi", is_held_out=True, encoding="iso-8859-1"),
    Voice("festival", "upc_ca_ona_hts", "ca", is_held_out=True, encoding="iso-8859-15"),
    Voice("festival", "hindi_NSK_diphone", "hi", is_held_out=True),
)


@dataclass(frozen=True, slots=True)
class Clip:
    """One spoken text, and the words that the synthesiser says it spoke, each with its end in seconds."""

    samples: Samples
    words: tuple[tuple[str, float], ...] = ()


def speak(programs: Programs, voice: Voice, texts: Sequence[str], stretch: float = 1.0) -> list[Clip | None]:
    """A clip a text at `RATE`; None where the program failed. `stretch` makes it slower."""
    with tempfile.TemporaryDirectory() as folder:
        run = _festival if voice.program == "festival" else _flite
        run(programs, voice, texts, stretch, Path(folder))
        return [_clip(Path(folder), number, voice.encoding) for number in range(len(texts))]


def _flite(programs: Programs, voice: Voice, texts: Sequence[str], stretch: float, folder: Path) -> None:
    for number, text in enumerate(texts):
        options = ["-voice", voice.name, "--setf", f"duration_stretch={stretch}", "-o", str(folder / f"{number}.wav")]
        command = [str(programs.flite), *options, "-t", text]
        subprocess.run(command, env=programs.environment, capture_output=True, check=False, timeout=60)


def _festival(programs: Programs, voice: Voice, texts: Sequence[str], stretch: float, folder: Path) -> None:
    script = folder / "texts.scm"
    lines = [f"(voice_{voice.name})", f"(Parameter.set 'Duration_Stretch {stretch})"]
    for number, text in enumerate(texts):
        said = text.replace("\\", " ").replace('"', " ")
        if voice.encoding != "utf-8":
            said = said.replace("·", "").replace("’", "'")
        lines += [
            f'(set! u (SynthText "{said}"))',
            f'(utt.save.wave u "{folder}/{number}.wav")',
            f'(utt.save.words u "{folder}/{number}.words")',
        ]
    script.write_bytes("\n".join(lines).encode(voice.encoding, errors="replace"))
    command = [str(programs.festival), *programs.festival_data, "-b", str(script)]
    subprocess.run(command, env=programs.environment, capture_output=True, check=False, timeout=600)


def _clip(folder: Path, number: int, encoding: str) -> Clip | None:
    sound = folder / f"{number}.wav"
    if not sound.exists():
        return None
    samples, rate = soundfile.read(sound, dtype="float32")
    if not len(samples):
        return None
    listed = folder / f"{number}.words"
    words = tuple(_words(listed, encoding)) if listed.exists() else ()
    return Clip(np.asarray(resampled_samples(samples, rate, RATE), np.float32), words)


def _words(listed: Path, encoding: str) -> Iterator[tuple[str, float]]:
    for line in listed.read_bytes().decode(encoding, errors="replace").splitlines():
        end, _, rest = line.partition(" ")
        if rest:
            yield rest.split(" ", 1)[-1], float(end)
