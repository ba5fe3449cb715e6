"""Calls the program espeak-ng, a process of its own: nothing of it is linked. Knows its options and its output.

Where it isn't installed, callers do without it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from worker.acceptance.findings import Samples

PROGRAM: Final = "espeak-ng"
TIMEOUT_SECONDS: Final = 20.0
"""A text of 4,000 characters takes 0.3 s."""
HEADER_BYTES: Final = 44
GAP_UNITS: Final = 12
"""Pause between words in units of 10 ms, where word times are wanted."""


class EspeakError(Exception):
    """The program failed, was too slow, or speaks no such language."""


@dataclass(frozen=True, slots=True)
class Rendering:
    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class Espeak:
    program: str

    def speak(self, text: str, language: str, *, gaps: bool = False, voice: str = "", speed: int = 0) -> Rendering:
        """Render a text. `gaps` puts a silence between words; `speed` is in words a minute. Raises EspeakError."""
        options = ["-v", (voice or voice_of(language)), "--stdout"]
        options += ["-g", str(GAP_UNITS)] if gaps else []
        options += ["-s", str(speed)] if speed else []
        output = self._output(options, text)
        if len(output) <= HEADER_BYTES or output[:4] != b"RIFF":
            raise EspeakError(f"{self.program} returned no sound for language {language!r}")
        rate = int.from_bytes(output[24:28], "little")
        pcm = np.frombuffer(output[HEADER_BYTES : len(output) // 2 * 2], "<i2")
        return Rendering(pcm.astype(np.float32) / np.float32(32_768), rate)

    def ipa(self, words: Sequence[str], language: str) -> list[str]:
        """The sounds of each word, spoken by itself. Raises EspeakError."""
        # A paragraph is a line of the output; punctuation would divide it.
        text = "\n\n".join("".join(one if _is_said(one) else " " for one in word) for word in words)
        output = self._output(["-v", voice_of(language), "-q", "--ipa"], text + "\n").decode(errors="replace")
        return output.removesuffix("\n").split("\n")

    def _output(self, options: list[str], text: str) -> bytes:
        command = [self.program, "-b", "1", "--stdin", *options]
        # A byte of zero would end the text, and a surrogate can't be encoded.
        content = text.replace("\0", " ").encode(errors="replace")
        try:
            done = subprocess.run(  # noqa: S603  (the program is the operator's choice; the text goes to its input)
                command, input=content, capture_output=True, timeout=TIMEOUT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EspeakError(f"{self.program}: {error}") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[:200]
            raise EspeakError(f"{self.program} ended with {done.returncode}: {said}")
        return done.stdout


def find_espeak(program: str = "") -> Espeak | None:
    """The program by its path, or by the name `espeak-ng` on PATH; None where it is in neither place."""
    found = shutil.which(program or PROGRAM)
    return None if found is None else Espeak(found)


def _is_said(character: str) -> bool:
    return character in "'’" or unicodedata.category(character)[0] in "LMN"


@lru_cache(maxsize=256)
def voice_of(language: str) -> str:
    """The program's name for a BCP 47 language: it knows few regions."""
    primary, _, rest = language.replace("_", "-").lower().partition("-")
    known = {"zh": "cmn", "nb": "nb", "no": "nb", "iw": "he", "": "en-us"}
    if primary == "en":
        return "en-gb" if rest.startswith("gb") else "en-us"
    return known.get(primary, primary)


def cpu_seconds() -> float:
    """CPU time of this thread, and of the programs that this process waited for."""
    times = os.times()
    return times.children_user + times.children_system
