"""What can go wrong here that isn't an answer of the API: this machine's own disk, key and address."""

from __future__ import annotations

from pathlib import Path

from worker.segmind.answers import Answer, Failure


class SpoolError(Exception):
    """The answer could not be kept on this machine's disk."""

    def __init__(self, path: Path, cause: OSError, answer: Answer | None = None) -> None:
        """`answer` is what was known of the call by then; None where it had not been made, so nothing was paid."""
        super().__init__(f"can't write {path}: {cause.strerror or cause}")
        self.path = path
        self.errno = cause.errno
        self.answer = answer


class UnusableKeyError(ValueError):
    """The API key can't be a header's value. The key itself is never part of the message."""

    def __init__(self) -> None:
        super().__init__("the API key is empty or contains characters other than visible ASCII; copy it again")


class UnusableAddressError(ValueError):
    """The API's address has no host, or isn't http or https."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address!r} is not the address of an API; give one such as https://api.segmind.com")
        self.address = address


class BrokenBodyError(Exception):
    """The body of an answer ended otherwise than it should."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure
