"""Every way in which storing or reading audio can fail, as one exception that carries data."""

from __future__ import annotations

from enum import StrEnum


class ArtifactsFault(StrEnum):
    """What is wrong with the store, in a word that stays the same from release to release."""

    NO_SUCH_BUCKET = "no_such_bucket"
    """The bucket doesn't exist (any more)."""
    ACCESS_DENIED = "access_denied"
    """The credentials are known, but may not do this."""
    BAD_CREDENTIALS = "bad_credentials"
    """The credentials are missing, wrong or expired."""
    NO_SPACE = "no_space"
    """The disk or the quota is full."""
    UNREACHABLE = "unreachable"
    """No answer from the endpoint, or a connection that broke off."""
    NOT_WRITABLE = "not_writable"
    """The folder is gone, read-only, not permitted, or not a folder."""
    THROTTLED = "throttled"
    """The store asks for fewer requests."""
    BAD_CHECKSUM = "bad_checksum"
    """What arrived isn't what was sent, or what was to be sent had changed since it was hashed."""
    BAD_ADDRESS = "bad_address"
    """The address names no store that is known here."""
    UNEXPECTED = "unexpected"
    """Anything else; the detail says what the store answered."""


class NameTakenError(Exception):
    """Another object, file or folder has the name and may not be replaced. Nothing was stored."""

    def __init__(self, uri: str) -> None:
        """`uri` is the address that is taken."""
        super().__init__(f"{uri} is taken by something that this job didn't store")
        self.uri = uri


class ArtifactsError(Exception):
    """The store could not do what was asked. Nothing half-written is visible under any key.

    No attribute ever holds a secret: messages and details are put together from names, codes and the store's own words.
    """

    def __init__(self, code: ArtifactsFault, message: str, *, detail: str = "", transient: bool = False) -> None:
        """
        Args:
            code: the stable word for what is wrong.
            message: for people; names the bucket or folder, and the remedy.
            detail: for operators; the operation and the store's own words.
            transient: whether the same call may succeed later without intervention.
        """
        super().__init__(message)
        self.code: str = code
        self.message = message
        self.detail = detail
        self.transient = transient
