"""Chooses the reader of a script by the name of its file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import IO, Final

from api_models.problems import Fault, InvalidInputError
from api_models.speech import MAX_LONG_TEXT_BYTES
from worker.documents.errors import DocumentError
from worker.documents.readers.files import MARKDOWN_SUFFIXES, decoded
from worker.scripts.readers.builder import ScriptBuilder
from worker.scripts.script import ALWAYS, FOUNTAIN_SUFFIXES, SUBSTATION_SUFFIXES, Script

_SUBTITLES: Final = frozenset({".srt", ".vtt"})
_SHEETS: Final = frozenset({".csv", ".tsv", ".tab"})
_WORKBOOKS: Final = frozenset({".xlsx", ".xlsm", ".ods"})
_PLAIN: Final = frozenset({".txt", ".text", ".script", ""})
SUFFIXES: Final = ALWAYS | _SUBTITLES | _SHEETS | _WORKBOOKS | (_PLAIN - {""}) | MARKDOWN_SUFFIXES | {".json"}
MAX_SCRIPT_BYTES: Final = MAX_LONG_TEXT_BYTES
_MAX_WORKBOOK_BYTES: Final = 32 * 2**20


def read_script(path: Path, encoding: str = "", known: Collection[str] = ()) -> Script:
    """Read a script.

    Args:
        path: Its suffix decides how it is read.
        encoding: Of a text file without byte order mark; UTF-8 by default.
        known: Names that a cast declares: they count as names even if they occur once.

    Raises:
        InvalidInputError: With every fault found.
        OSError: It can't be opened.
    """
    builder = ScriptBuilder()
    with path.open("rb") as stream:
        try:
            _read(stream, path, encoding, known, builder)
        except DocumentError as error:
            remedy = f"; {error.remedy}" if error.remedy else ""
            raise InvalidInputError(path.name, [Fault(message=f"{error}{remedy}")]) from None
    return builder.build(path.name)


def _read(stream: IO[bytes], path: Path, encoding: str, known: Collection[str], builder: ScriptBuilder) -> None:
    suffix, size = path.suffix.lower(), path.stat().st_size
    is_workbook = suffix in _WORKBOOKS
    most = _MAX_WORKBOOK_BYTES if is_workbook else MAX_SCRIPT_BYTES
    if size > most:
        raise DocumentError(f"the script has {size:,} bytes; the limit is {most:,}", "divide it at its scenes")
    if is_workbook:
        from worker.scripts.readers import sheets  # noqa: PLC0415 - each form has a reader of its own

        sheets.read_workbook(stream, builder)
        return
    if suffix not in SUFFIXES | _PLAIN:
        raise DocumentError(f"{suffix} files can't be read as scripts", f"use {', '.join(sorted(SUFFIXES))}")
    source = decoded(stream.read(), encoding).replace("\r\n", "\n").replace("\r", "\n")
    _read_text(source, suffix, known, builder)


def _read_text(source: str, suffix: str, known: Collection[str], builder: ScriptBuilder) -> None:
    from worker.scripts.readers import (  # noqa: PLC0415 - likewise
        fountain,
        markdown,
        names,
        objects,
        sheets,
        subtitles,
    )

    if suffix in FOUNTAIN_SUFFIXES:
        fountain.read(source, builder, known)
    elif suffix in SUBSTATION_SUFFIXES:
        subtitles.read_ass(source, builder)
    elif suffix in _SUBTITLES:
        subtitles.read(source, builder, known)
    elif suffix in _SHEETS:
        sheets.read_csv(source, builder)
    elif suffix == ".json":
        objects.read(source, builder)
    elif suffix in MARKDOWN_SUFFIXES and markdown.is_script(source):
        markdown.read(source, builder)
    else:
        names.read(source, builder, known)
