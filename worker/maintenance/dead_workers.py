"""Retires workers that died on this machine: by process id, without waiting until their heartbeats lapse."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from worker.store import workers
from worker.store.database import Database


def retire_dead_workers(database: Database) -> None:
    with database.begin() as connection:
        now = database.now(connection)
        for member in workers.present(connection):
            if member.host == socket.gethostname() and (member.pid == os.getpid() or not _is_alive(member.pid)):
                workers.give_up(connection, member.id, now=now)
                workers.release_leases(connection, member.id)


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else _answers_signal(pid)


def _answers_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
