"""The spool: answers on this machine's disk between the call and the record, so that nothing paid for is lost.

A file named after its job and attempt is a whole answer; what its call cost stands in a receipt beside it.
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

from worker.execution.judging_mark import deaths
from worker.segmind import account
from worker.segmind.answers import Answer

AUDIO: Final = ".audio"
RECEIPT: Final = ".receipt"
PART: Final = ".part"
CONVERTED: Final = ".wav"
PART_LIFE_SECONDS: Final = 6 * 3600
"""Longer than any call may take by its timeouts."""
MAX_SPARES: Final = 256
_NUMBERS: Final = itertools.count()
ATTRIBUTE: Final = "user.ttsq.receipt"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of the call that brought an answer."""

    cost: Decimal | None = None
    request_id: str | None = None
    remaining_credits: Decimal | None = None
    sha256: str | None = None
    """Of the answer as it came in, in hex."""
    disbelieved_cost: str = ""
    """What the API named as the cost, where no call can cost that."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """An answer on disk."""

    path: Path
    receipt: Receipt
    deaths: int = 0
    """Workers that may have died of it: one at least where an earlier attempt left it, for whatever reason."""

    @property
    def attempt(self) -> int:
        """The number of the attempt whose call brought it."""
        return _attempt_number(self.path)


@dataclass(frozen=True, slots=True)
class Spool:
    """A folder for answers, with a floor of free space under which nothing more is bought."""

    folder: Path
    min_free_bytes: int
    _spares: deque[str] = field(default_factory=deque, compare=False, repr=False)
    """Emptied files of answers that are done with. Giving one a new name costs far less than making and deleting."""

    def prepare(self) -> None:
        """Make the folder, and clear what dead processes left half-written long ago. Raises OSError.

        Younger parts may belong to another worker that shares the folder, and to a call that it is paying for.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        dead_before = time.time() - PART_LIFE_SECONDS
        for part in self.folder.glob(f"*{PART}"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < dead_before:
                    part.unlink()

    def problem(self) -> str | None:
        """Why answers can't be kept just now, with the remedy; None when they can."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
            probe = self.folder / f"writable{PART}"
            probe.write_bytes(b"")
        except OSError as error:
            return f"the spool folder {self.folder} can't be written ({error.strerror}); fix it or set TTSQ_SPOOL_DIR"
        return None if free >= self.min_free_bytes else self._too_full(free)

    def has_room(self) -> bool:
        """Whether there is space for another answer; cheap enough to ask before every call."""
        try:
            return shutil.disk_usage(self.folder).free >= self.min_free_bytes
        except OSError:
            return False

    def path_for(self, job_id: UUID, attempt: int) -> Path:
        """Where the answer of this attempt goes."""
        return self.folder / f"{job_id}.{attempt}{AUDIO}"

    def copy_place(self, job_id: UUID, attempt: int) -> Path:
        """Where audio rests while it passes from one store to another; removed later if a process dies."""
        return self.folder / f"{job_id}.{attempt}.copy{PART}"

    def lay_out(self, destination: Path) -> None:
        """Have a used file ready where the next answer will be written, if there is one."""
        with suppress(IndexError, OSError):
            os.rename(self._spares.pop(), f"{destination}{PART}")  # noqa: PTH104 - on every job's way

    def keep_receipt(self, audio: Path, answer: Answer) -> Receipt:
        """Note beside an answer what its call cost. Where it can't be written, whoever finds the answer estimates."""
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
        """The cost of this answer, if it is still here, is in the books: whoever delivers it adds nothing to it."""
        if audio.exists():
            known = _read_receipt(audio)
            self.keep_receipt(audio, Answer(cost=Decimal(0), request_id=known.request_id, sha256=known.sha256))

    def find(self, job_id: UUID) -> Spooled | None:
        """The latest answer that an earlier attempt of this job left here whole.

        Nothing is fsynced on its way here, so a machine that lost its power may have kept a name and not its content.
        """
        for path in sorted(self.folder.glob(f"{job_id}.*{AUDIO}"), key=_attempt_number, reverse=True):
            spooled = Spooled(path, _read_receipt(path), max(1, deaths(path)))
            if spooled.receipt.sha256 in {None, _sha256_of(path)}:
                return spooled
        return None

    def discard(self, job_id: UUID, *, up_to: int | None = None) -> None:
        """Forget the answers of a job up to this attempt: it is recorded, or they are worth nothing.

        What a later attempt is writing meanwhile is its own; without a limit, everything of the job goes.
        """
        for path in self.folder.glob(f"{job_id}.*"):
            if up_to is None or _attempt_number(path) <= up_to:
                path.unlink(missing_ok=True)

    def discard_answer(self, audio: Path) -> None:
        """Forget one answer, its receipt and what was made of it."""
        for name in (_beside(audio, RECEIPT), _beside(audio, CONVERTED)):
            with suppress(FileNotFoundError):
                os.unlink(name)  # noqa: PTH108 - on every job's way, where pathlib doubles its cost
        with suppress(FileNotFoundError):
            if len(self._spares) < MAX_SPARES:
                self._spares.append(_emptied(str(audio), f"{self.folder}/spare-{os.getpid()}-{next(_NUMBERS)}{PART}"))
            else:
                os.unlink(audio)  # noqa: PTH108 - likewise

    def clear_away(self) -> None:
        """Delete the files that were kept ready: no answer comes any more."""
        while self._spares:
            with suppress(OSError):
                os.unlink(self._spares.pop())  # noqa: PTH108 - likewise

    def answers(self) -> dict[UUID, list[Path]]:
        """Every answer here, by its job."""
        found: dict[UUID, list[Path]] = {}
        for path in self.folder.glob(f"*{AUDIO}"):
            with suppress(ValueError):
                found.setdefault(UUID(path.name.split(".", 1)[0]), []).append(path)
        return found

    def with_receipt(self, audio: Path) -> Spooled:
        """One of the answers, with what is known of its call."""
        return Spooled(audio, _read_receipt(audio))

    def _too_full(self, free: int) -> str:
        have, need = free / 2**20, self.min_free_bytes / 2**20
        return (
            f"the spool folder {self.folder} has {have:.1f} MiB free and needs {need:.0f};"
            " free some space, or set TTSQ_SPOOL_DIR or TTSQ_SPOOL_MIN_FREE_MB"
        )


def converted(audio: Path) -> Path:
    """Where the WAV made of an answer in another container goes."""
    return Path(_beside(audio, CONVERTED))


def _beside(audio: Path, suffix: str) -> str:
    return str(audio).removesuffix(AUDIO) + suffix


def _emptied(name: str, spare: str) -> str:
    """Take a file's name, content and receipt away."""
    os.rename(name, spare)  # noqa: PTH104 - likewise
    os.truncate(spare, 0)
    if hasattr(os, "removexattr"):
        with suppress(OSError):
            os.removexattr(spare, ATTRIBUTE)
    return spare


def _attach(audio: Path, receipt: bytes) -> None:
    """As an attribute of the file itself where the file system has them: making another file costs many times more."""
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
    """The plain system calls: a file object takes five times as long for a few bytes."""
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
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
    """The receipt, or an empty one: the process may have died between the two files."""
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
