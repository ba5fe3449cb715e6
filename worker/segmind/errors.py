"""Errors other than the API's answers: this machine's disk, key and base URL."""

from __future__ import annotations

from pathlib import Path

from worker.segmind.answers import Answer, Failure


class SpoolError(Exception):
    """The answer could not be written to this machine's disk."""

    def __init__(self, path: Path, cause: OSError, answer: Answer | None = None) -> None:
        """`answer` is what was known of the call; None if it had not been made, so nothing was paid."""
        super().__init__(f"can't write {path}: {cause.strerror or cause}")
        self.path = path
        self.errno = cause.errno
        self.answer = answer


class UnusableKeyError(ValueError):
    """The API key is not a valid header value. The message never contains the key."""

    def __init__(self) -> None:
        super().__init__("the API key is empty or contains characters other than visible ASCII; copy it again")


class UnusableAddressError(ValueError):
    """The base URL has no host, or isn't http or https."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address!r} is not an API address; use one such as https://api.segmind.com")
        self.address = address


class UnusableRouteError(UnusableAddressError):
    """The proxy or the certificates that the environment names are unusable. The message holds no password."""

    def __init__(self, message: str) -> None:
        ValueError.__init__(self, message)


class BrokenBodyError(Exception):
    """The body of an answer is incomplete or invalid."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure
