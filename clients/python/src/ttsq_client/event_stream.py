"""Reads server-sent events. Pure: bytes in, events out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ttsq_client.errors import UnexpectedResponseError

MAX_EVENT_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    id: str | None
    """The last id that the stream has named; None before the first."""
    data: str | None
    """None for a block that only names an id or a delay."""
    retry_ms: int | None = None


def messages(parts: Iterable[bytes]) -> Iterator[Message]:
    """Yield each complete block. What a broken connection left incomplete is dropped.

    Raises:
        UnexpectedResponseError: a block longer than `MAX_EVENT_BYTES`.
    """
    block: list[bytes] = []
    size, last_id = 0, None
    for line in _lines(parts):
        size += len(line)
        if size > MAX_EVENT_BYTES:
            raise UnexpectedResponseError(f"an event is longer than {MAX_EVENT_BYTES:,} bytes")
        if line:
            block.append(line)
            continue
        message = _message(block, last_id)
        block, size, last_id = [], 0, message.id
        yield message


def _lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    rest = bytearray()
    for part in parts:
        rest += part
        *lines, last = rest.split(b"\n")
        rest = bytearray(last)
        if len(rest) > MAX_EVENT_BYTES:
            raise UnexpectedResponseError(f"an event is longer than {MAX_EVENT_BYTES:,} bytes")
        for line in lines:
            yield bytes(line).removesuffix(b"\r")


def _message(block: list[bytes], last_id: str | None) -> Message:
    data: list[str] = []
    retry_ms = None
    for line in block:
        name, _, value = line.decode("utf-8", "replace").partition(":")
        text = value.removeprefix(" ")
        if name == "data":
            data.append(text)
        elif name == "id" and text.isascii() and text.isdigit() and len(text) <= 18:
            last_id = text
        elif name == "retry" and text.isascii() and text.isdigit() and len(text) <= 9:
            retry_ms = int(text)
    return Message(last_id, "\n".join(data) if data else None, retry_ms)
