"""Streams XML elements: no tree, no entity expansion, bounded token size."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Final, Protocol
from xml.parsers import expat

from worker.intake.xlsx.package import unreadable

PIECE_BYTES: Final = 65_536
MAX_TOKEN_BYTES: Final = 4_194_304
"""Far above any tag of a real spreadsheet."""


class Handler(Protocol):
    """Receives elements. Names come without prefixes."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def characters(self, text: str) -> None:
        """Text inside an element; may arrive in pieces."""


def walk(stream: IO[bytes], handler: Handler) -> Iterator[None]:
    """Parse the stream, yielding after each piece. Raises WorkbookError for invalid XML.

    Document type declarations are rejected: spreadsheets have none, and entities depend on them.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: handler.start(_local(name), attributes)
    parser.EndElementHandler = lambda name: handler.end(_local(name))
    parser.CharacterDataHandler = handler.characters
    parser.StartDoctypeDeclHandler = _refuse
    fed = 0
    try:
        while piece := stream.read(PIECE_BYTES):
            parser.Parse(piece, False)  # noqa: FBT003 - expat takes no keywords
            fed += len(piece)
            if fed - parser.CurrentByteIndex > MAX_TOKEN_BYTES:
                raise unreadable("a tag without end")
            yield
        parser.Parse(b"", True)  # noqa: FBT003 - likewise
        yield
    except (expat.ExpatError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise unreadable(type(error).__name__) from error


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse(*_: object) -> None:
    raise unreadable("a document type declaration")
