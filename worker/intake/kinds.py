"""Which kind of file this is: by its name, or for unnamed input by how it begins."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final

from api_models.hints import did_you_mean
from api_models.problems import Fault
from worker.intake.header import FIELDS, TEXT, split_header


class Kind(StrEnum):
    """How the lines of a file are to be understood."""

    CSV = "csv"
    """A header line, then one job a row; cells stand between commas, semicolons or tabs."""
    TSV = "tsv"
    """The same, cells between tabs and nothing else."""
    JSONL = "jsonl"
    """One JSON object a line."""
    PLAIN = "text"
    """One job a line, blank lines skipped."""
    XLSX = "xlsx"
    """A workbook, whose first sheet is like a CSV."""


EXTENSIONS: Final[dict[str, Kind]] = {
    ".csv": Kind.CSV,
    ".tsv": Kind.TSV,
    ".jsonl": Kind.JSONL,
    ".ndjson": Kind.JSONL,
    ".txt": Kind.PLAIN,
    ".xlsx": Kind.XLSX,
}
"""File name extensions, in lower case, and what they announce."""


def by_name(path: Path) -> Kind | Fault:
    """The kind that the name of `path` announces, or what is wrong with the name."""
    extension = path.suffix.lower()
    if kind := EXTENSIONS.get(extension):
        return kind
    known = ", ".join(EXTENSIONS)
    if not extension:
        return Fault(message=f"has no extension to tell its format by; rename it to end in one of {known}")
    hint = did_you_mean(extension, EXTENSIONS)
    return Fault(message=f"the extension {extension} is not known{hint} (known: {known})")


def sniff(head: bytes) -> Kind:
    """The kind of an unnamed input, by its first line that isn't blank."""
    first_line = head.decode("utf-8-sig", "replace").strip().replace("\r", "\n").partition("\n")[0]
    if first_line.startswith("{"):
        return Kind.JSONL
    header = split_header(first_line)
    known = sum(name in FIELDS for name in header.columns)
    # Prose may hold the word "text" between commas; a header is mostly made of known names.
    if TEXT not in header.columns or 2 * known < len(header.columns):
        return Kind.PLAIN
    return Kind.TSV if header.delimiter == "\t" else Kind.CSV
