"""What the ownership machine remembers of a history, and what must hold by it whatever happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from tests.integration.artifacts.ground import Ground, audio_of, sha256_of
from worker.artifacts.addresses import path_of
from worker.store.transitions.claims import Claim

Spoken = Row[Any]
"""A job whose audio is to be there: id, uri, sha256, text, batch_id, custom_id."""
Reading = Callable[[Spoken], Iterator[bytes] | None]
"""A store's answer to the question for a job's audio by its checksum."""


@dataclass(frozen=True, slots=True)
class Put:
    """What a worker has stored at an address."""

    job: str
    text: str


@dataclass(slots=True)
class Books:
    """By addresses."""

    users: dict[str, bytes] = field(default_factory=dict)
    """The user's own files and objects."""
    removed: set[str] = field(default_factory=set)
    """Where the user has removed the last owner's file."""
    edited: set[bytes] = field(default_factory=set)
    """Contents that the user has changed in place: no second name can hold them."""
    puts: defaultdict[str, list[Put]] = field(default_factory=lambda: defaultdict(list))
    spoken: set[tuple[str, bytes]] = field(default_factory=set)
    """Each custom_id's contents, and under another name each job's."""
    copied: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """What copies hold, and the number of the run that brought it."""

    def save(self, address: str, content: bytes, *, before: bytes | None) -> None:
        """The user's; `before` is what was changed in place."""
        self.users[address] = content
        if before is not None:
            self.edited.add(before)

    def remove(self, address: str) -> None:
        """By the user."""
        self.users.pop(address, None)
        self.removed.add(address)

    def put(self, claim: Claim, address: str) -> None:
        """By a worker."""
        put = Put(str(claim.job_id), claim.speech.text)
        self.puts[address].append(put)
        self.spoken |= {(name, audio_of(put.text)) for name in (str(claim.custom_id), put.job)}
        if put.job == max(other.job for other in self.puts[address]):
            self.removed.discard(address)

    def bring(self, address: str, number: int, text: str) -> None:
        """By a run; an earlier one than the last to be here has no say."""
        if number >= self.copied.get(address, (-1, b""))[0]:
            self.copied[address] = number, audio_of(text)
            self.removed.discard(address)

    def download(self, brought: Mapping[str, bytes], jobs: Sequence[Spoken]) -> None:
        """By a command, which may take the name of an earlier job's file and of no later one's."""
        for address, content in brought.items():
            self.puts[address] += [
                Put(str(job.id), job.text)
                for job in jobs
                if audio_of(job.text) == content and Path(address).name.startswith((job.custom_id, str(job.id)))
            ]

    def check(self, visible: Mapping[str, bytes], jobs: Iterable[Spoken], read: Reading) -> None:
        """The user's files, the last owner's audio under each name, the copies, and all of it by its checksum."""
        for address, content in self.users.items():
            assert visible.get(address) == content, f"{address} of the user's"
        live: defaultdict[str, list[Spoken]] = defaultdict(list)
        for job in jobs:
            assert job.sha256 == sha256_of(job.text)
            live[Ground.address_of(job.uri)].append(job)
        ours = {address: content for address, content in visible.items() if address not in self.users}
        for address, content in ours.items():
            name = Path(address).name.partition(".")[0]
            fits = not address.endswith(".wav") or (name, content) in self.spoken
            assert fits, f"{address} holds what was never spoken for it"
        for address, rows in live.items():
            if address not in self.users and address not in self.removed:
                self._check_owner(address, visible.get(address), rows)
            if address in ours:
                self._check_remembered(address, rows, read)
        for address, (_, content) in self.copied.items():
            if address not in self.users and address not in self.removed:
                assert visible.get(address) == content, f"{address} is an earlier run's copy"

    def _check_owner(self, address: str, content: bytes | None, live: Sequence[Spoken]) -> None:
        """The last one that has stored there is shown, if it was not deleted since."""
        last = max(self.puts[address], key=lambda put: put.job)
        if last.job in {str(job.id) for job in live}:
            assert content == audio_of(last.text), f"{address} is not what its last owner {last} has stored"

    def _check_remembered(self, address: str, live: Sequence[Spoken], read: Reading) -> None:
        """A folder also has what was replaced; no store returns another content for it."""
        for job in live:
            blocks = read(job)
            if path_of(job.uri) is not None and audio_of(job.text) not in self.edited:
                assert blocks is not None, f"{address}: the audio of {job.id} is lost"
            if blocks is not None:
                assert b"".join(blocks) == audio_of(job.text)
