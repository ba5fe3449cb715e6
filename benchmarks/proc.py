"""CPU time and memory of running processes, read from `/proc`. Linux only."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
PROC: Final = Path("/proc")


def cpu_seconds(pid: int) -> float:
    """User and system time of one process so far."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def session(leader: int) -> list[int]:
    """All processes of the session that `leader` began: itself, and what it has forked."""
    found = []
    for entry in PROC.iterdir():
        with suppress(OSError, ValueError):
            pid = int(entry.name)
            if int(_stat(pid)[3]) == leader:
                found.append(pid)
    return found


def memory_mb(pid: int) -> float:
    """The process's proportional share (PSS): what it has alone, and its part of what it shares with others."""
    lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def highest_mb(pid: int) -> float:
    """The most that the process ever had in memory (RSS), what it shares with others included."""
    lines = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _stat(pid: int) -> list[str]:
    """From the state on; the name before it may have blanks in it."""
    return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2].split()
