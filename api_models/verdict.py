"""What an answer of the API means for the job, the model and the account; the words only, not the table."""

from __future__ import annotations

from enum import StrEnum


class VerdictKind(StrEnum):
    """How one attempt ended, as its row records it."""

    SUCCESS = "success"
    """Accepted audio. The only verdict that ends a job well."""
    CACHED = "cached"
    """The same content was bought before; its audio was copied, nothing was paid."""
    BAD_TAKE = "bad_take"
    """The API said success, but the audio was missing or not acceptable."""
    REFUSED = "refused"
    """The API refuses this request and always will: the job fails at once."""
    GATE = "gate"
    """The account or the model is in trouble: a gate closes and the job goes back, its attempt unused."""
    PACE = "pace"
    """Too many requests: all dispatch pauses, the job goes back, its attempt unused."""
    RETRY = "retry"
    """A failure that may pass: again after a backoff, up to the limit of attempts."""
    RELEASED = "released"
    """The worker gave the job back without a call (it was stopping, or in trouble itself); its attempt is unused."""
    LOST = "lost"
    """The worker died with the job. Whether its call was billed is unknown until the audio turns up."""
    LATE = "late"
    """The audio arrived after the job had been given to another worker or cancelled; paid for all the same."""


class GateScope(StrEnum):
    """What a closed gate holds."""

    ACCOUNT = "account"
    """Every job: key, credit or spend limit."""
    MODEL = "model"
    """The jobs of one model: retired, not found, or not permitted."""
    STORAGE = "storage"
    """Every job: finished audio can't be stored, so no more is bought."""
