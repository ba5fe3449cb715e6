"""Errors of a producer. The first sentence of each class is its message, with the names filled in."""

from __future__ import annotations

from uuid import UUID


class KeyReusedError(ValueError):
    """The idempotency key belongs to another request. Nothing was written; use a new key."""

    def __init__(self, key: str, tenant: str) -> None:
        super().__init__(f"the idempotency key {key!r} of tenant {tenant!r} belongs to another request; use a new key")
        self.key = key
        self.tenant = tenant


class NoSuchJobError(LookupError):
    """There is no job or batch with this id: it was never committed, or was deleted."""

    def __init__(self, what: str, wanted: UUID) -> None:
        super().__init__(f"no such {what}: {wanted}; was its transaction committed?")
        self.wanted = wanted


class NotFinishedError(TimeoutError):
    """The job or batch has not finished in time. It continues; wait again, or cancel it."""

    def __init__(self, what: str, waited_for: UUID, seconds: float, state: str) -> None:
        super().__init__(f"{what} {waited_for} has not finished after {seconds:g} s: {state}")
        self.waited_for = waited_for
        self.seconds = seconds
        self.state = state
        """The state last seen."""
