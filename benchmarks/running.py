"""`ttsq run` on the embedded default, in a process and a folder of its own, with what the emulator saw of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api_models.formats import AudioFormat
from benchmarks import harness
from benchmarks.processes import Measured
from benchmarks.texts import text
from worker.emulator.config import EmulatorConfig
from worker.emulator.ledger import State


@dataclass(frozen=True, slots=True)
class Run:
    """One run that has ended."""

    lines: int
    files: int
    """Audio files in the folder."""
    start_seconds: float
    """From the start of the process to its first call."""
    work_seconds: float
    """From the first call to the end of the process."""
    cpu_seconds: float
    seen: State
    """The emulator's books."""

    @property
    def span_seconds(self) -> float:
        """From the first call that was let through to the last one."""
        return max(self.seen.admitted_at) - min(self.seen.admitted_at)

    @property
    def faults(self) -> list[str]:
        """Why it is not what was asked for."""
        faults = []
        if self.files != self.lines:
            faults.append(f"{self.files} files for {self.lines} lines")
        if self.seen.billed_calls != self.lines:
            faults.append(f"{self.seen.billed_calls} calls billed for {self.lines} lines")
        return faults


def run(
    lines: int,
    config: EmulatorConfig,
    settings: Mapping[str, str],
    *,
    patience_seconds: float,
    options: Sequence[str] = (),
) -> Run:
    """Speak that many lines. Settings are by environment name; everything else is as a new user has it.

    `options` are more of them than any run needs.
    """
    with harness.temporary_folder() as folder, harness.emulator(config, folder) as emulator:
        (folder / "lines.txt").write_text("".join(f"{text(n)}\n" for n in range(1, lines + 1)), encoding="utf-8")
        checks = {} if config.audio_bytes is None else {"TTSQ_TAKE_CHECKS": "off"}  # a fixed size fits no text
        environment = harness.environment(
            SEGMIND_BASE_URL=emulator.base_url, SEGMIND_API_KEY=emulator.key, **checks, **settings
        )
        command = [str(harness.BIN / "ttsq"), "run", "lines.txt", "--out", "audio", "--json", *options]
        began = time.time()
        with Measured("run", command, folder, environment) as process:
            usage = process.wait(patience_seconds)
            ended = time.time()
            faults = _unfinished(process.log)
        seen = emulator.admin.state()
        first = min(seen.admitted_at, default=ended)
        files = sum(path.suffix[1:] in set(AudioFormat) for path in (folder / "audio").iterdir()) - faults
        return Run(lines, files, first - began, ended - first, usage.cpu_seconds, seen)


def _unfinished(log: str) -> int:
    """Jobs that the run itself doesn't have as succeeded, from the JSON line that it ends with."""
    ending = json.loads(log.splitlines()[-1])
    return int(ending["total"]) - int(ending["succeeded"])
