"""Detects the format of a file from its name, or of unnamed input from its beginning."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Final

from api_models.hints import did_you_mean
from api_models.problems import Fault
from worker.intake.header import TEXT, named_delimiter, split_header
from worker.intake.sheet_options import SheetOptions

MAX_HEADER_CHARACTERS: Final = 16_384
ENOUGH_KNOWN: Final = 2
"""Known columns that make a line a header, however many others there are."""


class Kind(StrEnum):
    CSV = "csv"
    """A header, then one job per row; cells separated by commas, semicolons or tabs."""
    TSV = "tsv"
    """As CSV, separated by tabs only."""
    JSONL = "jsonl"
    """One JSON object per line."""
    PLAIN = "text"
    XLSX = "xlsx"
    """A workbook, whose sheets are read like a CSV."""
    ODS = "ods"
    """A spreadsheet of LibreOffice, read like a workbook."""
    JSON = "json"
    """A list of objects."""
    SUBTITLES = "subtitles"
    """SubRip or WebVTT: one job per cue."""


WORKBOOKS: Final = frozenset({Kind.XLSX, Kind.ODS})


EXTENSIONS: Final[dict[str, Kind]] = {
    ".csv": Kind.CSV,
    ".tsv": Kind.TSV,
    ".jsonl": Kind.JSONL,
    ".ndjson": Kind.JSONL,
    ".json": Kind.JSON,
    ".txt": Kind.PLAIN,
    ".xlsx": Kind.XLSX,
    ".xlsm": Kind.XLSX,
    ".tab": Kind.TSV,
    ".ods": Kind.ODS,
    ".srt": Kind.SUBTITLES,
    ".vtt": Kind.SUBTITLES,
}
"""Lower-case extensions."""

_CHOICE: Final = f"name its format, such as --input-format {Kind.PLAIN} for one text a line"
_AS_XLSX: Final = "save it as .xlsx"
_SUBTITLES: Final = "holds subtitles; save them as .srt or .vtt"
_MARKED_UP: Final = (
    "would be read aloud with its markup; save its texts as .txt, one a line,"
    f" or read every line as it stands: --input-format {Kind.PLAIN}"
)
_DOCUMENT: Final = "is a document; save its texts as .txt, one a line"
_OTHERS: Final[dict[str, str]] = {
    ".xls": f"is a workbook of an old Excel; {_AS_XLSX}",
    ".xlsb": f"is a binary workbook; {_AS_XLSX}",
    ".fods": f"is a spreadsheet of LibreOffice; {_AS_XLSX}, or as CSV",
    ".numbers": "is a spreadsheet of Numbers; export it to CSV",
    ".gsheet": "is a link to Google Sheets; download the sheet as .csv or .xlsx",
    ".ass": _SUBTITLES,
    ".sbv": _SUBTITLES,
    ".md": _MARKED_UP,
    ".markdown": _MARKED_UP,
    ".rst": _MARKED_UP,
    ".html": _MARKED_UP,
    ".htm": _MARKED_UP,
    ".xml": _MARKED_UP,
    ".ssml": _MARKED_UP,
    ".docx": _DOCUMENT,
    ".doc": _DOCUMENT,
    ".odt": _DOCUMENT,
    ".rtf": _DOCUMENT,
    ".pages": _DOCUMENT,
    ".pdf": _DOCUMENT,
    ".epub": _DOCUMENT,
    ".zip": "is an archive; unpack it first",
    ".gz": "is compressed; unpack it first",
}
"""Common formats that are not supported, with the remedy."""

_LIST: Final = re.compile(r"\[\s*(?:\{|$)")


def chosen_kind(options: SheetOptions) -> Kind | None:
    return None if options.input_format is None else Kind(options.input_format)


def by_name(path: Path) -> Kind | Fault:
    """Return the kind by the extension of `path`, or a fault."""
    extension = path.suffix.lower()
    if kind := EXTENSIONS.get(extension):
        return kind
    known = ", ".join(EXTENSIONS)
    if not extension:
        return Fault(message=f"has no extension to tell its format by; {_CHOICE} (known extensions: {known})")
    if what := _OTHERS.get(extension):
        return Fault(message=what)
    hint = did_you_mean(extension, EXTENSIONS)
    return Fault(message=f"the extension {extension} is not known{hint} (known: {known}); {_CHOICE}")


def sniff(head: bytes) -> Kind:
    """Return the kind of an unnamed input, by its first non-blank line."""
    start = head.decode("utf-8-sig", "replace").strip().replace("\r", "\n")
    first_line, _, _ = start.partition("\n")
    if first_line.startswith("{"):
        return Kind.JSONL
    if _LIST.match(first_line):
        return Kind.JSON
    if named_delimiter(first_line):
        return Kind.CSV
    header = split_header(first_line[:MAX_HEADER_CHARACTERS])
    known = sum(field is not None for field in header.fields)
    # Prose may hold the word "text" between commas; a header is mostly made of known names.
    if not header.has_text or (known < ENOUGH_KNOWN and 2 * known < len(header.columns)):
        return Kind.PLAIN
    if len(header.columns) == 1 and header.columns != (TEXT,):  # a heading, such as "Script", may be meant to be spoken
        return Kind.PLAIN
    return Kind.TSV if header.delimiter == "\t" else Kind.CSV


def of_text_file(head: bytes) -> Kind:
    """Plain text, or a sheet if the first line is a tab-separated header (Excel's "Unicode text")."""
    return Kind.TSV if b"\t" in head and sniff(head) is Kind.TSV else Kind.PLAIN


def of_json_file(head: bytes) -> Kind:
    """A .json file is a list unless it has one object per line."""
    lines = head.decode("utf-8-sig", "replace").strip().splitlines()
    one_a_line = len(lines) > 1 and all(line.startswith("{") and line.rstrip().endswith("}") for line in lines[:2])
    return Kind.JSONL if one_a_line else Kind.JSON
