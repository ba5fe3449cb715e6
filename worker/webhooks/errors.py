"""Errors about the URLs of webhook receivers."""

from __future__ import annotations


class UnusableUrlError(ValueError):
    """The URL cannot be used; the message has the reason and the remedy."""


class ForbiddenAddressError(OSError):
    """The host is not on the public internet, and not permitted by the operator."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} resolves to an address that is not on the public internet")
        self.host = host
