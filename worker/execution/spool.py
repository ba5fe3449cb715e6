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
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

from worker.environment import private_files
from worker.execution.judging_mark import deaths
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
    min_free_bytes: int
    _spares: deque[str] = field(default_factory=deque, compare=False, repr=False)
    """Emptied files of finished answers. Renaming one costs far less than deleting and creating."""

    def prepare(self) -> None:
        """Create the folder and delete old partial files of dead processes. Raises OSError.

        Recent partial files may belong to a running call of another worker that shares the folder.
        """
        private_files.make_folder(self.folder, is_own=True)
        self._tighten()
        dead_before = time.time() - PART_LIFE_SECONDS
        for part in self.folder.glob(f"*{PART}"):
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
        return f"the spool folder {self.folder} can't be written ({error.strerror}); fix it or set TTSQ_SPOOL_DIR"

    def _tighten(self) -> None:
        """Files of earlier versions had the modes of their umask."""
        for path in self.folder.iterdir():
            if path.suffix in _SUFFIXES:
                private_files.tighten(path)

    def has_room(self) -> bool:
        """Whether there is space for another answer; cheap enough to check before every call."""
        try:
            return shutil.disk_usage(self.folder).free >= self.min_free_bytes
        except OSError:
            return False

    def path_for(self, job_id: UUID, attempt: int) -> Path:
        return self.folder / f"{job_id}.{attempt}{AUDIO}"

    def copy_path(self, job_id: UUID, attempt: int) -> Path:
        """A temporary file for a copy between stores; removed later if the process dies."""
        return self.folder / f"{job_id}.{attempt}.copy{PART}"

    def prepare_file(self, destination: Path) -> None:
        """Prepare a spare file, if any, at the path where the next answer will be written."""
        with suppress(IndexError, OSError):
            os.rename(self._spares.pop(), f"{destination}{PART}")  # noqa: PTH104 - hot path

    def keep_receipt(self, audio: Path, answer: Answer) -> Receipt:
        """Write the receipt of an answer. Without one, the cost will be estimated."""
        receipt = Receipt(
            answer.cost, answer.request_id, answer.remaining_credits, answer.sha256, answer.disbelieved_cost
        )
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
        return receipt

    def note_charged(self, audio: Path) -> None:
        """Set the receipt's cost to zero: the ledger has it already."""
        if audio.exists():
            known = _read_receipt(audio)
            self.keep_receipt(audio, Answer(cost=Decimal(0), request_id=known.request_id, sha256=known.sha256))

    def find(self, job_id: UUID) -> Spooled | None:
        """The latest complete answer of an earlier attempt of this job.

        Answers aren't fsynced, so after a power failure a file may have lost its content.
        """
        for path in sorted(self.folder.glob(f"{job_id}.*{AUDIO}"), key=_attempt_number, reverse=True):
            spooled = Spooled(path, _read_receipt(path), max(1, deaths(path)))
            if spooled.receipt.sha256 in {None, _sha256_of(path)}:
                return spooled
        return None

    def discard(self, job_id: UUID, *, up_to: int | None = None) -> None:
        """Delete a job's answers up to this attempt, or all of them.

        A later attempt may be writing its answer meanwhile.
        """
        for path in self.folder.glob(f"{job_id}.*"):
            if up_to is None or _attempt_number(path) <= up_to:
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
        while self._spares:
            with suppress(OSError):
                os.unlink(self._spares.pop())  # noqa: PTH108 - likewise

    def answers(self) -> dict[UUID, list[Path]]:
        found: dict[UUID, list[Path]] = {}
        for path in self.folder.glob(f"*{AUDIO}"):
            with suppress(ValueError):
                found.setdefault(UUID(path.name.split(".", 1)[0]), []).append(path)
        return found

    def with_receipt(self, audio: Path) -> Spooled:
        return Spooled(audio, _read_receipt(audio))

    def _too_full(self, free: int) -> str:
        have, need = free / 2**20, self.min_free_bytes / 2**20
        return (
            f"the spool folder {self.folder} has {have:.1f} MiB free and needs {need:.0f};"
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
