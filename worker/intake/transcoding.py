"""Converts other encodings to UTF-8 before parsing. Detects byte order marks only."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from api_models.hints import did_you_mean, quoted
from api_models.problems import Fault
from worker.intake.sheet_options import SheetOptions
from worker.intake.source import UnreadableError

IN_MEMORY_BYTES: Final = 8_388_608
PIECE_CHARACTERS: Final = 65_536

UTF_8: Final = "utf-8"
ENCODINGS: Final = (
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp1257",
    "cp1258",
    "cp437",
    "cp850",
    "cp852",
    "cp866",
    "iso8859-1",
    "iso8859-2",
    "iso8859-5",
    "iso8859-7",
    "iso8859-9",
    "iso8859-15",
    "mac-roman",
    "koi8-r",
    "shift_jis",
    "cp932",
    "euc_jp",
    "gbk",
    "gb18030",
    "big5",
    "euc_kr",
    "cp949",
)
"""Python's names; aliases are accepted."""
_KNOWN: Final = {codecs.lookup(name).name for name in ENCODINGS}
_NAMES: Final = {
    "ansi": "cp1252",
    "windows": "cp1252",
    "excel": "cp1252",
    "macintosh": "mac-roman",
    "unicode": "utf-16",
}
_MARKS: Final = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UTF_32: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


class EncodingError(UnreadableError):
    """The text is not in the named encoding, or the encoding is unknown."""


@contextmanager
def in_utf_8(stream: IO[bytes], options: SheetOptions) -> Iterator[IO[bytes]]:
    """Return the text as UTF-8. Raises EncodingError."""
    encoding = _chosen(options)
    start = stream.tell()
    head = stream.read(4)
    stream.seek(start)
    if encoding is None and not head.startswith(_UTF_32):
        encoding = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if encoding in {None, UTF_8}:
        yield stream
        return
    with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as copy:
        _copy(stream, copy, str(encoding))
        copy.seek(0)
        yield copy


def _chosen(options: SheetOptions) -> str | None:
    if options.encoding is None:
        return None
    wanted = options.encoding.strip().lower()
    try:
        name = codecs.lookup(_NAMES.get(wanted, wanted)).name
    except (LookupError, ValueError):
        name = ""
    if name not in _KNOWN:
        field = options.spelled("encoding", options.encoding)
        hint = did_you_mean(wanted, ENCODINGS)
        message = f"no encoding {quoted(options.encoding)}{hint} (such as cp1252, utf-16, mac-roman, shift_jis)"
        raise EncodingError(Fault(field=field.partition(" ")[0].partition("=")[0], message=message))
    return name


def _copy(source: IO[bytes], target: IO[bytes], encoding: str) -> None:
    text = io.TextIOWrapper(source, encoding=encoding, newline="")
    line = 1
    try:
        while piece := text.read(PIECE_CHARACTERS):
            line += piece.count("\n")
            target.write(piece.removeprefix("\ufeff").encode("utf-8", "surrogatepass"))
    except UnicodeError as error:
        what = str(error).partition(": ")[2] or "it breaks off"
        message = f"is not {encoding} from about line {line:,} on ({what}); name another encoding"
        raise EncodingError(Fault(message=message)) from None
    finally:
        text.detach()
