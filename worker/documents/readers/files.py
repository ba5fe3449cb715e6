"""Chooses the reader of a file by its content and name."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from worker.documents.document import Document
from worker.documents.errors import DocumentError
from worker.intake import legacy_encodings

MAX_FILE_BYTES: Final = 256 * 2**20
"""Books with pictures."""
MAX_TEXT_BYTES: Final = 32 * 2**20
"""Text files; ten times the longest novel."""

TEXT_SUFFIXES: Final = frozenset({".txt", ".text", ""})
MARKDOWN_SUFFIXES: Final = frozenset({".md", ".markdown", ".mdown"})
HTML_SUFFIXES: Final = frozenset({".htm", ".html", ".xhtml"})
SUBTITLE_SUFFIXES: Final = frozenset({".srt", ".vtt"})
SSML_SUFFIXES: Final = frozenset({".ssml"})
SUFFIXES: Final = (
    (TEXT_SUFFIXES - {""})
    | MARKDOWN_SUFFIXES
    | HTML_SUFFIXES
    | SUBTITLE_SUFFIXES
    | SSML_SUFFIXES
    | {".docx", ".epub", ".pdf"}
)
"""Of files that can be read as documents."""

SHORTER: Final = "divide it into several files"
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BY_CONTENT: Final = {".docx": "Word document", ".epub": "EPUB", ".pdf": "PDF"}
"""Formats that are known by their first bytes."""
_ZIP: Final = b"PK\x03\x04"
_PDF: Final = b"%PDF-"
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0"
_HEAD: Final = 1_024


def read_file(path: Path, encoding: str = "") -> Document:
    """Read a document.

    Args:
        path: Its suffix decides between text formats; other formats are known by their content.
        encoding: Of a text file without byte order mark; UTF-8 by default.

    Raises:
        DocumentError: It can't be read as a document.
        OSError: It can't be opened.
    """
    with path.open("rb") as stream:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise DocumentError(
                f"the file has {size / 2**20:,.0f} MB; the limit is {MAX_FILE_BYTES // 2**20} MB", SHORTER
            )
        try:
            document = _read(stream, path, size, encoding)
        except RecursionError:
            raise DocumentError("the document's elements are nested too deeply") from None
    if not document.blocks:
        raise DocumentError("the document has no text", "if its pages are images, it needs OCR first")
    return document


def _read(stream: IO[bytes], path: Path, size: int, encoding: str) -> Document:
    head = stream.read(_HEAD)
    stream.seek(0)
    if _PDF in head:
        from worker.documents.readers import pdf  # noqa: PLC0415 - each format has a library of its own

        return pdf.read(stream)
    if head.startswith(_ZIP):
        return _archive(stream, path)
    if head.startswith(_OLD_OFFICE):
        raise DocumentError("the file is of an old Office program, or protected with a password", "save it as .docx")
    if size > MAX_TEXT_BYTES:
        raise DocumentError(f"the text has {size / 2**20:,.0f} MB; the limit is {MAX_TEXT_BYTES // 2**20} MB", SHORTER)
    return _text_reader(path)(decoded(stream.read(), encoding))


def _archive(stream: IO[bytes], path: Path) -> Document:
    from worker.documents.readers import docx, epub  # noqa: PLC0415 - likewise

    if path.suffix.lower() == ".docx":
        return docx.read(stream)
    if path.suffix.lower() == ".epub":
        return epub.read(stream)
    raise DocumentError(f"{path.suffix or 'this kind of archive'} can't be read", "use .epub or .docx")


def _text_reader(path: Path) -> Callable[[str], Document]:
    from worker.documents.readers import html, markdown, subtitles, text  # noqa: PLC0415 - likewise

    suffix = path.suffix.lower()
    if suffix in MARKDOWN_SUFFIXES:
        return markdown.read
    if suffix in HTML_SUFFIXES:
        return lambda source: html.read(source, path.name)
    if suffix in SUBTITLE_SUFFIXES:
        return subtitles.read
    if suffix in SSML_SUFFIXES:
        from worker.documents.readers import ssml  # noqa: PLC0415 - likewise

        return ssml.read
    if suffix in TEXT_SUFFIXES:
        return text.read
    if suffix in _BY_CONTENT:
        message = f"the file is not a whole {_BY_CONTENT[suffix]}, whatever its name says"
        raise DocumentError(message, "open and save it again in the program that wrote it")
    raise DocumentError(f"{suffix} files can't be read as documents", f"use {', '.join(sorted(SUFFIXES))}")


def decoded(content: bytes, encoding: str) -> str:
    """Return the text of a file without byte order mark. Raises DocumentError."""
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), None)
    name = marked or encoding or "utf-8"
    try:
        text = content.decode(name)
    except LookupError:
        raise DocumentError(f"there is no encoding {name!r}", "try --encoding cp1252") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"line {line}: byte {error.start:,} is not {name.upper()}"
        likely = " or ".join(legacy_encodings.suggestions(content[: legacy_encodings.MAX_SAMPLE_BYTES])) or "cp1252"
        raise DocumentError(message, f"save the file as UTF-8, or name its encoding: --encoding {likely}") from None
    if "\0" in text:
        raise DocumentError("the file is not text: it holds NUL characters", "save it as UTF-8 text")
    return text.removeprefix("\ufeff")
