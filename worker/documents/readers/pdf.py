"""The text layer of PDF files. Their order and paragraphs are guesses, which a warning says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from os import SEEK_END
from typing import IO, Final

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from worker.documents.document import Document, DocumentBuilder
from worker.documents.errors import DocumentError
from worker.documents.readers import text as plain

MAX_PAGES: Final = 5_000
_TAIL_BYTES: Final = 2**20
_END: Final = b"%%EOF"
WARNING: Final = (
    "PDF files don't record paragraphs, columns or running heads; read the parts before buying them, "
    "or use the document the PDF was made from"
)
_MIN_REPEATS: Final = 3
"""Pages: a first or last line that occurs on as many is a running head."""
_NUMBER: Final = re.compile(
    r"[-–—\s]*(?:page\s+)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:of|/)\s*\d{1,4})?[-–—\s]*", re.IGNORECASE
)
_HYPHEN: Final = re.compile(r"(?<=[^\W\d_])[-\u00ad]\n(?=[a-zß-öø-ÿа-я])")
_ENDED: Final = re.compile(r"[.!?…。！？:][\"'”’»)\]]*$")


def read(stream: IO[bytes]) -> Document:
    """Read the text of all pages. Raises DocumentError: It is damaged, protected, or has too many pages."""
    _require_end(stream)
    try:
        reader = PdfReader(stream)
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentError("the PDF is protected with a password", "save it without one")
        if len(reader.pages) > MAX_PAGES:
            raise DocumentError(f"the PDF has {len(reader.pages):,} pages; the limit is {MAX_PAGES:,}")
        pages = [page.extract_text().splitlines() for page in reader.pages]
        title, author = _about(reader)
    except DocumentError:
        raise
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError) as error:
        raise DocumentError(f"the PDF can't be read: {error}", "print it to a new PDF, or save its text") from None
    builder = DocumentBuilder(title, author, warnings=[WARNING])
    found = plain.read(_joined(pages, builder))
    return Document(found.text, found.blocks, found.chapters, title, author, "", tuple(builder.skipped), (WARNING,))


def _require_end(stream: IO[bytes]) -> None:
    """Raises DocumentError: the file breaks off. The library would look for its end byte by byte, for a minute."""
    stream.seek(0, SEEK_END)
    stream.seek(max(0, stream.tell() - _TAIL_BYTES))
    if _END not in stream.read():
        raise DocumentError("the PDF breaks off: it has no end", "copy or download it again")
    stream.seek(0)


def _about(reader: PdfReader) -> tuple[str, str]:
    about = reader.metadata
    return (about.title or "", about.author or "") if about else ("", "")


def _joined(pages: Sequence[Sequence[str]], builder: DocumentBuilder) -> str:
    heads = _running_heads(pages)
    kept: list[str] = []
    for number, lines in enumerate(pages, 1):
        body = [line.strip() for line in lines]
        for index in (0, -1):
            while body and (_key(body[index]) in heads or _NUMBER.fullmatch(body[index])):
                builder.skip("running head or page number", f"page {number}", body.pop(index))
        kept += body
    return _HYPHEN.sub("", "\n".join(_with_paragraphs(kept)))


def _running_heads(pages: Sequence[Sequence[str]]) -> frozenset[str]:
    edges = Counter(key for lines in pages if lines for key in {_key(lines[0].strip()), _key(lines[-1].strip())} if key)
    return frozenset(key for key, count in edges.items() if count >= _MIN_REPEATS)


def _key(line: str) -> str:
    return re.sub(r"\d+", "", line).strip()


def _with_paragraphs(lines: Sequence[str]) -> list[str]:
    """Begin a paragraph behind each line that ends a sentence well before the usual length."""
    usual = sorted(map(len, lines))[len(lines) * 3 // 4] if lines else 0
    laid_out: list[str] = []
    for line in lines:
        laid_out.append(line)
        if len(line) < usual * 0.8 and _ENDED.search(line):
            laid_out.append("")
    return laid_out
