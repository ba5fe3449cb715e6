"""What can be wrong with a text, a lexicon or markup."""

from __future__ import annotations


class TextError(Exception):
    """A text can't be prepared for speech. `remedy` says what to do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    field = "text"
    """The field of a request that it is about."""

    def described(self) -> str:
        return f"{self}; {self.remedy}" if self.remedy else str(self)


class LexiconFileError(TextError):
    """A file holds no usable lexicon."""
