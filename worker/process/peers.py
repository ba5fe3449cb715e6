"""Finds workers that differ from the others in what must be alike. The longest-running one decides a tie."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from worker.process.identity import KEY
from worker.store import workers
from worker.store.database import Database
from worker.store.workers import Identity, Member

PRESENT_SECONDS: Final = 8.0
"""Age of the last heartbeat up to which a worker counts."""
VERSION: Final = "version"
UNKNOWN: Final = "unknown"
"""The version of workers from before versions were recorded."""
REMEDY: Final = "give all hosts the same settings and version, and restart the worker"

log = structlog.get_logger("ttsq.worker")
Traits = Mapping[str, str]


def traits(identity: Identity) -> dict[str, str]:
    named = {VERSION: identity.version or UNKNOWN, KEY: identity.key_fingerprint or ""}
    return named | (json.loads(identity.settings) if identity.settings else {})


def differences(members: Sequence[Member]) -> dict[UUID, list[str]]:
    common = usual(members)
    found = {member.id: unlike(member.identity, common) for member in members}
    return {worker_id: names for worker_id, names in found.items() if names}


def usual(members: Sequence[Member]) -> dict[str, str]:
    """Return the value that most workers have, of everything that is compared."""
    oldest_first = sorted(members, key=lambda member: member.started_at)
    seen: dict[str, Counter[str]] = {}
    for member in oldest_first:
        for name, value in traits(member.identity).items():
            seen.setdefault(name, Counter())[value] += 1
    return {name: counts.most_common(1)[0][0] for name, counts in seen.items()}


def unlike(identity: Identity, common: Traits) -> list[str]:
    """Return the names of what differs. A setting that this version or the others do not record is not compared."""
    own = traits(identity)
    return sorted(name for name, value in own.items() if name in common and common[name] != value)


def alive(members: Sequence[Member], now: datetime) -> list[Member]:
    limit = now - timedelta(seconds=PRESENT_SECONDS)
    return [member for member in members if member.heartbeat_at >= limit and not member.stopping]


def describe(members: Sequence[Member]) -> list[str]:
    odd = differences(members)
    return [
        f"worker {member.id} (host {member.host}, pid {member.pid}) differs from the others in"
        f" {', '.join(odd[member.id])}; it does not lead while another can"
        for member in members
        if member.id in odd
    ]


@dataclass(slots=True)
class Peers:
    """What one worker knows of the others; asked for with its heartbeats."""

    database: Database
    me: UUID
    odd: Mapping[UUID, list[str]] = field(default_factory=dict)
    """Workers that differ, with the names of what differs."""

    def run_once(self) -> None:
        """Compare, and log what is new. Raises SQLAlchemyError."""
        with self.database.glance() as connection:
            members = alive(workers.present(connection), self.database.now(connection))
        odd = differences(members)
        for member in members:
            if odd.get(member.id) != self.odd.get(member.id):
                self._log(member, odd.get(member.id))
        self.odd = odd

    def _log(self, member: Member, names: list[str] | None) -> None:
        about = {"worker": str(member.id), "host": member.host, "pid": member.pid, "this_one": member.id == self.me}
        if names:
            log.warning("worker_differs", differs_in=names, remedy=REMEDY, **about)
        else:
            log.info("worker_differs_no_more", **about)
