"""What can be wrong with an address that webhooks are to be sent to."""

from __future__ import annotations


class UnusableUrlError(ValueError):
    """The address can't be used; the message says why and what would do."""


class ForbiddenAddressError(OSError):
    """The host is not on the public internet, and nobody permitted it."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} leads to an address that is not on the public internet")
        self.host = host
