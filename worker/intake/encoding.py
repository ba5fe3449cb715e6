"""Decodes bytes into numbered lines. Reports what is not UTF-8; never reads it in another encoding by itself."""

from __future__ import annotations

import codecs
import io
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO, Final

from api_models.problems import Fault
from worker.intake import legacy_encodings
from worker.intake.block import Line
from worker.intake.sheet_options import AS_IT_IS, SheetOptions

MAX_LINE_CHARACTERS: Final = 1_048_576
"""A longer line means that the file is not made of lines."""

PIECE_CHARACTERS: Final = 65_536
"""Characters handed on at once on the fast path."""
READ_CHARACTERS: Final = 4_096
"""Read without a pause for other threads, such as the gateway's, which has clients waiting: perhaps all line breaks."""
MAX_PIECE_LINES: Final = 4_096
"""Lines handed on at once, for the same reason."""

_UTF_16: Final = "is encoded as UTF-16 without a byte order mark; save it as UTF-8, or use {encoding}"

_FOREIGN: Final[tuple[tuple[bytes, str], ...]] = (
    (codecs.BOM_UTF32_LE, "is encoded as UTF-32; save it as UTF-8"),
    (codecs.BOM_UTF32_BE, "is encoded as UTF-32; save it as UTF-8"),
    (b"PK\x03\x04", 'is a workbook or another zip archive; name it .xlsx, or save the sheet as "CSV UTF-8"'),
    (b"\x1f\x8b", "is compressed with gzip; unpack it first"),
    (b"%PDF", "is a PDF document; save its text as a .txt file"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of an old Excel, or protected with a password; save it as .xlsx without one"),
    (b"{\\rtf", "is rich text (RTF); save it as plain text"),
)
"""Signatures of files that are not UTF-8 text, with the remedy."""

_ENCODING: Final = "encoding"
_WINDOWS: Final = "cp1252"
_SHOWN_NAMES: Final = {_WINDOWS: "Windows-1252"}
_OTHERS: Final = "such as shift_jis, gbk, big5, euc_kr, cp1251"
_RECOGNISED_BYTES: Final = 64
"""Bytes examined for UTF-16 without a byte order mark."""


def foreign(head: bytes, options: SheetOptions = AS_IT_IS) -> Fault | None:
    """Identify a file that cannot be UTF-8 text, by its first bytes."""
    for signature, what in _FOREIGN:
        if head.startswith(signature):
            return Fault(message=what)
    head = head[:_RECOGNISED_BYTES]
    # Without a byte order mark, UTF-16 betrays itself by a NUL in every other byte of Latin letters and punctuation.
    pairs = len(head) // 2
    high, low = head[0::2].count(0), head[1::2].count(0)
    if pairs and max(high, low) > pairs // 2:
        encoding = options.spelled("encoding", "utf-16-be" if high > low else "utf-16-le")
        return Fault(message=_UTF_16.format(encoding=encoding))
    return None


class Lines:
    """Iterates over a stream's lines. Undecodable lines are repaired, so that parsers stay in step."""

    def __init__(self, stream: IO[bytes], options: SheetOptions = AS_IT_IS, head: bytes = b"") -> None:
        """`head` holds the first bytes of the stream, by which its encoding is guessed if it isn't UTF-8."""
        self._options = options
        self._head = head
        # An undecodable byte becomes one lone surrogate, by which it is found again; newline="" keeps the line endings.
        self._text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
        self._ahead: deque[str] = deque()
        """Lines returned with `give_back`."""
        self.number = 0
        """The number of the last line returned."""
        self._offset = 0
        self._undecodable: list[int] = []
        self._broken: set[int] = set()
        self._faults: list[Fault] = []

    def __iter__(self) -> Iterator[Line]:
        while text := self._next():
            number = self.number = self.number + 1
            if number == 1 and text.startswith("\ufeff"):
                self._offset, text = len(codecs.BOM_UTF8), text[1:]
                if not text:
                    return
            if len(text) == MAX_LINE_CHARACTERS:
                text = self._pass_over(number, text)
            elif text.isascii():
                self._offset += len(text)
            else:
                text = self._checked(number, text)
            yield Line(number, text)

    def plain(self) -> Sequence[str]:
        """Return the next lines unchanged, a few hundred at once; empty if one of them needs the slow path.

        Not for the first line, nor for streams with lines of megabytes.
        """
        lines = [*self._ahead, *self._piece()]
        self._ahead.clear()
        written = "".join(lines)
        try:
            size = len(written) if written.isascii() else len(written.encode())
        except UnicodeEncodeError:
            size = 0
        if not size or max(map(len, lines)) >= MAX_LINE_CHARACTERS:
            self._ahead.extend(lines)
            return []
        self.number += len(lines)
        self._offset += size
        return lines

    def _piece(self) -> list[str]:
        lines: list[str] = []
        for _ in range(PIECE_CHARACTERS // READ_CHARACTERS):
            read = self._text.readlines(READ_CHARACTERS)
            lines += read
            if not read or len(lines) >= MAX_PIECE_LINES:
                break
        return lines

    def give_back(self, lines: Sequence[str]) -> None:
        self._ahead.extendleft(reversed(lines))
        self.number -= len(lines)
        self._offset -= sum(len(line.encode()) for line in lines)

    def take(self) -> list[Fault]:
        taken, self._faults = self._faults, []
        return taken

    def is_broken(self, first: int, last: int) -> bool:
        return bool(self._broken) and not self._broken.isdisjoint(range(first, last + 1))

    def take_last(self) -> list[Fault]:
        """Return the remaining faults, with a count of undecodable lines if there are several."""
        if len(self._undecodable) > 1:
            message = f"is not UTF-8 either; {len(self._undecodable):,} lines of the file are not"
            self._faults.append(Fault(line=self._undecodable[1], message=message))
        return self.take()

    def close(self) -> None:
        self._text.detach()

    def _checked(self, number: int, text: str) -> str:
        start = self._offset
        raw = text.encode("utf-8", "surrogateescape")
        self._offset += len(raw)
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            if not self._undecodable:
                self._faults.append(Fault(line=number, message=self._undecodable_byte(error, start)))
            self._undecodable.append(number)
            self._broken.add(number)
            return raw.decode("utf-8", "replace")
        return text

    def _undecodable_byte(self, error: UnicodeDecodeError, line_offset: int) -> str:
        """The file's head says more than one line, if the line is in it."""
        sample = self._head if error.object in self._head else error.object
        where = f"byte {error.start + 1} of the line, {line_offset + error.start + 1:,} of the file, "
        return where + not_utf_8(error, sample, self._options)

    def _pass_over(self, number: int, text: str) -> str:
        """Skip the rest of an overlong line and return an empty one."""
        self._faults.append(
            Fault(line=number, message=f"is longer than {MAX_LINE_CHARACTERS:,} characters; is a line break missing?")
        )
        self._broken.add(number)
        while text:
            self._offset += len(text.encode("utf-8", "surrogateescape"))
            text = "" if text[-1] in "\r\n" else self._next()
        return "\n"

    def _next(self) -> str:
        if not self._ahead:
            return self._text.readline(MAX_LINE_CHARACTERS)
        text = self._ahead.popleft()
        if len(text) > MAX_LINE_CHARACTERS:
            self._ahead.appendleft(text[MAX_LINE_CHARACTERS:])
        return text[:MAX_LINE_CHARACTERS]


def not_utf_8(error: UnicodeDecodeError, sample: bytes, options: SheetOptions) -> str:
    """Describe the first wrong byte, with the encodings by which `sample`, which holds it, may be meant."""
    byte = error.object[error.start : error.start + 1]
    likely = legacy_encodings.suggestions(sample)
    first = likely[0] if likely else _WINDOWS
    meant = legacy_encodings.character(error.object, error.start, first)
    guess = f' ("{meant}" in {_SHOWN_NAMES.get(first, first)})' if meant else ""
    remedy = f", or use {_spelled(likely or [_WINDOWS], options)}" if meant or likely else ""
    more = f" (or its own encoding, {_OTHERS})" if remedy and not likely else ""
    return f"is 0x{byte.hex().upper()}{guess}, which is not UTF-8; save the file as UTF-8{remedy}{more}"


def _spelled(likely: Sequence[str], options: SheetOptions) -> str:
    first, *others = likely
    return options.spelled(_ENCODING, first) + (f" (or {', '.join(others)}: see which reads well)" if others else "")
