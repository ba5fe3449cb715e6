"""What a producer can run into. Each class's first sentence is what its message says, with the names filled in."""

from __future__ import annotations

from uuid import UUID


class KeyReusedError(ValueError):
    """Another request came under this idempotency key before. Nothing was written; take a new key."""

    def __init__(self, key: str, tenant: str) -> None:
        super().__init__(f"another request of tenant {tenant!r} came under the idempotency key {key!r}; take a new key")
        self.key = key
        self.tenant = tenant


class NoSuchJobError(LookupError):
    """There is no job, or batch, with this id: it was never committed, or is gone."""

    def __init__(self, what: str, wanted: UUID) -> None:
        super().__init__(f"there is no {what} {wanted}; was its transaction committed?")
        self.wanted = wanted


class NotFinishedError(TimeoutError):
    """It was not over in time. It goes on regardless; wait again, or cancel it."""

    def __init__(self, what: str, waited_for: UUID, seconds: float, state: str) -> None:
        super().__init__(f"{what} {waited_for} was not over after {seconds:g} s: {state}")
        self.waited_for = waited_for
        self.seconds = seconds
        self.state = state
        """How it stood."""
