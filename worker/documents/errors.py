"""Why a document can't be read or planned. Messages are for users: what is wrong, and the remedy."""

from __future__ import annotations


class DocumentError(Exception):
    """The document is refused as a whole."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class NothingToSpeakError(DocumentError):
    def __init__(self) -> None:
        super().__init__("the document has no text", "if its pages are images, it needs OCR first")
