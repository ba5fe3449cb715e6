"""The spool: answers on this machine's disk between call and record, so that nothing paid for is lost.

A file named after its job and attempt is a complete answer; a receipt next to it records what the call cost.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Final
from uuid import UUID

from worker.environment import private_files
from worker.execution.judging_mark import deaths
from worker.execution.spool_folders import FOLDER, SpoolFolder
from worker.execution.spool_room import Room
from worker.segmind import account
from worker.segmind.answers import Answer

AUDIO: Final = ".audio"
RECEIPT: Final = ".receipt"
PART: Final = ".part"
CONVERTED: Final = ".wav"
_SUFFIXES: Final = frozenset({AUDIO, RECEIPT, PART, CONVERTED, ".judging", ".seen"})
"""Of all files in the folder."""
PART_LIFE_SECONDS: Final = 6 * 3600
"""Longer than any call's timeouts."""
LEFT_BEHIND_SECONDS: Final = 60.0
MAX_SPARES: Final = 256
_NUMBERS: Final = itertools.count()
ATTRIBUTE: Final = "user.ttsq.receipt"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of the call that returned an answer."""

    cost: Decimal | None = None
    request_id: str | None = None
    remaining_credits: Decimal | None = None
    sha256: str | None = None
    """Of the answer as received, in hex."""
    disbelieved_cost: str = ""
    """An implausible cost that the API reported."""


@dataclass(frozen=True, slots=True)
class Spooled:
    path: Path
    receipt: Receipt
    deaths: int = 0
    """Workers that may have crashed on it: at least one if an earlier attempt left it, for whatever reason."""

    @property
    def attempt(self) -> int:
        """Number of the attempt that bought it."""
        return _attempt_number(self.path)


@dataclass(frozen=True, slots=True)
class Spool:
    """A folder for answers, with a minimum of free disk space below which nothing is bought."""

    folder: Path
    """This worker's own."""
    min_free_bytes: int
    place: SpoolFolder | None = None
    """The folder among those of other workers; None where no others share it."""
    _room: Room = field(default_factory=Room, compare=False, repr=False)
    _spares: deque[str] = field(default_factory=deque, compare=False, repr=False)
    """Emptied files of finished answers. Renaming one costs far less than deleting and creating."""

    @property
    def shared(self) -> Path:
        """The folder of the settings."""
        return self.folder if self.place is None else self.place.shared

    def prepare(self) -> None:
        """Create the folder, take over those of dead workers, and delete old partial files. Raises OSError.

        Recent partial files may belong to a running call of a worker of an early version, which has no folder of its
        own.
        """
        private_files.make_folder(self.folder, is_own=True)
        self._tighten()
        self.adopt()
        dead_before = time.time() - PART_LIFE_SECONDS
        for part in self.shared.glob(f"*{PART}"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < dead_before:
                    part.unlink()

    def problem(self) -> str | None:
        """Why answers can't be stored now, with the remedy; None if they can."""
        try:
            private_files.make_folder(self.folder, is_own=True)
            private_files.write(self.folder / f"writable{PART}", b"")
        except OSError as error:
            return self._unwritable(error)
        return self._shortage(self.folder)

    def forecast(self) -> str | None:
        """As `problem`, of a folder that need not exist yet, and without creating anything."""
        if error := private_files.unwritable(self.folder, b"ttsq"):
            return self._unwritable(error)
        above = next(folder for folder in (self.folder, *self.folder.parents) if folder.exists())
        return self._shortage(above)

    def _shortage(self, folder: Path) -> str | None:
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            return self._unwritable(error)
        return None if free >= self.min_free_bytes else self._too_full(free)

    def _unwritable(self, error: OSError) -> str:
        return f"the spool folder {self.shared} can't be written ({error.strerror}); fix it or set TTSQ_SPOOL_DIR"

    def _tighten(self) -> None:
        """Files of earlier versions had the modes of their umask."""
        for path in self.shared.iterdir():
            if path.suffix in _SUFFIXES:
                private_files.tighten(path)

    def adopt(self) -> None:
        """Take over the answers of dead workers that shared the folder."""
        if self.place is not None:
            self.place.adopt()

    @contextmanager
    def room_for(self, text: str) -> Iterator[bool]:
        """Keep space for the answer to `text` during the block; False if there isn't enough, besides that kept for
        other calls. Cheap enough for every call.
        """
        try:
            free = shutil.disk_usage(self.folder).free
        except OSError:
            free = -1
        with self._room.promise(text, free=free, keep=self.min_free_bytes) as granted:
            yield granted

    def path_for(self, job_id: UUID, attempt: int) -> Path:
        return self.folder / f"{job_id}.{attempt}{AUDIO}"

    def copy_path(self, job_id: UUID, attempt: int) -> Path:
        """A temporary file for a copy between stores; removed later if the process dies."""
        return self.folder / f"{job_id}.{attempt}.copy{PART}"

    def part_path(self, job_id: UUID, attempt: int, name: str) -> Path:
        """A temporary file of a document that is being joined; removed likewise."""
        return self.folder / f"{job_id}.{attempt}.{name}{PART}"

    def remove_parts(self, job_id: UUID, attempt: int) -> None:
        """Remove the temporary files of a document, and those that earlier attempts left."""
        for path in self.folder.glob(f"{job_id}.*{PART}"):
            if _attempt_number(path) <= attempt:
                path.unlink(missing_ok=True)

    def prepare_file(self, destination: Path) -> None:
        """Prepare a spare file, if any, at the path where the next answer will be written."""
        with suppress(IndexError, OSError):
            os.rename(self._spares.pop(), f"{destination}{PART}")  # noqa: PTH104 - hot path

    def _is_left_behind(self, answer: Path) -> bool:
        with suppress(OSError):
            return answer.parent == self.shared and time.time() - answer.stat().st_mtime > LEFT_BEHIND_SECONDS
        return False

    def keep_receipt(self, audio: Path, answer: Answer) -> Receipt:
        """Write the receipt of an answer. Without one, the cost will be estimated."""
        with suppress(OSError):
            self._room.learn(audio.stat().st_size)
        receipt = Receipt(
            answer.cost, answer.request_id, answer.remaining_credits, answer.sha256, answer.disbelieved_cost
        )
        self._keep(audio, receipt)
        return receipt

    @staticmethod
    def _keep(audio: Path, receipt: Receipt) -> None:
        text = json.dumps(
            {
                "cost": None if receipt.cost is None else str(receipt.cost),
                "request_id": receipt.request_id,
                "remaining_credits": None if receipt.remaining_credits is None else str(receipt.remaining_credits),
                "sha256": receipt.sha256,
                "disbelieved_cost": receipt.disbelieved_cost,
            }
        )
        with suppress(OSError):
            _attach(audio, text.encode())

    def note_charged(self, audio: Path) -> None:
        """Set the receipt's cost to zero: the ledger has it already."""
        if audio.exists():
            known = _read_receipt(audio)
            self.keep_receipt(audio, Answer(cost=Decimal(0), request_id=known.request_id, sha256=known.sha256))

    def find(self, job_id: UUID) -> Spooled | None:
        """The latest complete answer of an earlier attempt of this job.

        Answers aren't fsynced, so after a power failure a file may have lost its content. Those of another worker are
        taken over if it is dead, and copied if it lives.
        """
        pattern = f"{job_id}.*{AUDIO}"
        copied: dict[str, int] = {}
        if self.place is not None:
            living = [folder for folder in self.place.holding(pattern) if not self.place.adopt_if_dead(folder)]
            copied = self._copied([path for folder in (*living, self.shared) for path in folder.glob(pattern)])
        for path in sorted(self.folder.glob(pattern), key=_attempt_number, reverse=True):
            spooled = Spooled(path, _read_receipt(path), max(1, deaths(path), copied.get(path.name, 0)))
            if spooled.receipt.sha256 in {None, _sha256_of(path)}:
                return spooled
        return None

    def _copied(self, answers: Iterable[Path]) -> dict[str, int]:
        """Copy answers of living workers. Returns by name how many workers may have died of each.

        The owner may empty or reuse a file meanwhile, so only a copy that fits its receipt is kept. Without a receipt
        an answer of an early version counts once it is old enough to be complete.
        """
        found: dict[str, int] = {}
        for answer in answers:
            receipt, mine = _read_receipt(answer), self.folder / answer.name
            fresh = Path(f"{mine}.copy{PART}")
            if mine.exists() or (receipt.sha256 is None and not self._is_left_behind(answer)):
                continue
            with suppress(OSError):
                number = deaths(answer)
                with answer.open("rb") as source, private_files.opened(fresh) as copy:
                    shutil.copyfileobj(source, copy)
                if receipt.sha256 in {None, _sha256_of(fresh)}:
                    fresh.rename(mine)
                    self._keep(mine, receipt)
                    found[mine.name] = number
            fresh.unlink(missing_ok=True)
        return found

    def discard(self, job_id: UUID, *, up_to: int | None = None, everywhere: bool = False) -> None:
        """Delete a job's answers up to this attempt, or all of them.

        A later attempt may be writing its answer meanwhile. `everywhere` includes those of early versions, which may
        be in use unless the job finished long ago.
        """
        for folder in {self.folder, self.shared} if everywhere else {self.folder}:
            for path in folder.glob(f"{job_id}.*"):
                if not path.name.endswith(FOLDER) and (up_to is None or _attempt_number(path) <= up_to):
                    path.unlink(missing_ok=True)

    def discard_answer(self, audio: Path) -> None:
        """Delete one answer, its receipt and its converted file."""
        for name in (_beside(audio, RECEIPT), _beside(audio, CONVERTED)):
            with suppress(FileNotFoundError):
                os.unlink(name)  # noqa: PTH108 - hot path; pathlib doubles the cost
        with suppress(FileNotFoundError):
            if len(self._spares) < MAX_SPARES:
                self._spares.append(_emptied(str(audio), f"{self.folder}/spare-{os.getpid()}-{next(_NUMBERS)}{PART}"))
            else:
                os.unlink(audio)  # noqa: PTH108 - likewise

    def close(self) -> None:
        """Delete the spare files, and the folder if it is this worker's own and empty."""
        while self._spares:
            with suppress(OSError):
                os.unlink(self._spares.pop())  # noqa: PTH108 - likewise
        if self.place is not None:
            with suppress(OSError):
                os.unlink(self.folder / f"writable{PART}")  # noqa: PTH108 - likewise
            self.place.close()

    def answers(self) -> dict[UUID, list[Path]]:
        """This worker's answers, and those of early versions, by job."""
        found: dict[UUID, list[Path]] = {}
        for path in chain.from_iterable(folder.glob(f"*{AUDIO}") for folder in {self.folder, self.shared}):
            with suppress(ValueError):
                found.setdefault(UUID(path.name.split(".", 1)[0]), []).append(path)
        return found

    def with_receipt(self, audio: Path) -> Spooled:
        return Spooled(audio, _read_receipt(audio))

    def _too_full(self, free: int) -> str:
        have, need = free / 2**20, self.min_free_bytes / 2**20
        return (
            f"the spool folder {self.shared} has {have:.1f} MiB free and needs {need:.0f};"
            " free some space, or set TTSQ_SPOOL_DIR or TTSQ_SPOOL_MIN_FREE_MB"
        )


def converted(audio: Path) -> Path:
    return Path(_beside(audio, CONVERTED))


def _beside(audio: Path, suffix: str) -> str:
    return str(audio).removesuffix(AUDIO) + suffix


def _emptied(name: str, spare: str) -> str:
    """Remove a file's name, content and receipt."""
    os.rename(name, spare)  # noqa: PTH104 - likewise
    os.truncate(spare, 0)
    if hasattr(os, "removexattr"):
        with suppress(OSError):
            os.removexattr(spare, ATTRIBUTE)
    return spare


def _attach(audio: Path, receipt: bytes) -> None:
    """Uses an extended attribute where supported: creating another file costs many times more."""
    if hasattr(os, "setxattr"):
        with suppress(OSError):
            os.setxattr(audio, ATTRIBUTE, receipt)
            return
    _write(_beside(audio, RECEIPT), receipt)


def _attached(audio: Path) -> bytes:
    if hasattr(os, "getxattr"):
        with suppress(OSError):
            return os.getxattr(audio, ATTRIBUTE)
    return Path(_beside(audio, RECEIPT)).read_bytes()


def _write(name: str, content: bytes) -> None:
    """Plain system calls: a file object takes five times as long for a few bytes."""
    file = private_files.emptied(name)
    try:
        os.write(file, content)
    finally:
        os.close(file)


def _attempt_number(path: Path) -> int:
    number = path.name.split(".")[1]
    return int(number) if number.isdigit() else -1


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_receipt(audio: Path) -> Receipt:
    """The receipt, or an empty one if the process died before writing it."""
    try:
        known = json.loads(_attached(audio))
        return Receipt(
            account.cost(known["cost"]),
            known["request_id"],
            account.amount(known["remaining_credits"]),
            known.get("sha256"),
            known.get("disbelieved_cost", ""),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Receipt()
