"""What a server does with one request: the bytes it sends, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, Self

FOREIGN: Final = 900_000_000
"""Marks from here on belong to no request of ours."""


class Ending(Enum):
    """What follows the last byte."""

    WAIT = auto()
    """The next request."""
    CLOSE = auto()
    """The end of the connection."""
    RESET = auto()
    """Its loss."""
    STALL = auto()
    """Nothing, until the client goes."""
    DRIP = auto()
    """The script's drops, one after another, until the client goes."""


@dataclass(frozen=True, slots=True)
class Honest:
    """A correct response, with the mark of its request in its head and body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def head(self, *more: str, first: str = "", length: int | None = -1) -> bytes:
        """Its head with a length of the body's, of another kind or none."""
        lines = [first or f"HTTP/1.1 {self.status} Some words", *(f"{name}: {value}" for name, value in self.headers)]
        if length is not None:
            lines.append(f"Content-Length: {len(self.body) if length < 0 else length}")
        return "\r\n".join([*lines, *more, "\r\n"]).encode("latin-1")

    def whole(self, *more: str, first: str = "") -> bytes:
        """All of it."""
        return self.head(*more, first=first) + self.body


@dataclass(frozen=True, slots=True)
class Script:
    """The answer to one request."""

    words: bytes
    ending: Ending = Ending.WAIT
    is_clear: bool = True
    """The client must find the honest answer in it."""
    serves_on: bool = True
    """Its connection may be used for another request."""
    drop: bytes = b""
    """What drips."""

    def closing(self) -> Self:
        """Followed by the connection's end."""
        return replace(self, ending=Ending.CLOSE, serves_on=False)

    def dirty(self) -> Self:
        """Understood, and its connection is good for nothing more."""
        return replace(self, serves_on=False)

    def unclear(self) -> Self:
        """A response that must not be trusted, on a connection that must not be reused."""
        return replace(self, is_clear=False, serves_on=False)
