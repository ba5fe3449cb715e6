"""Verdicts: what a response means for the job, the model and the account. Names only; the table is elsewhere."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class VerdictKind(StrEnum):
    """The outcome of an attempt, as recorded."""

    SUCCESS = "success"
    """Audio was accepted. The only verdict of a succeeded call."""
    CACHED = "cached"
    """The same content was bought before; its audio was copied and nothing paid."""
    BAD_TAKE = "bad_take"
    """The API reported success, but the audio was missing or not acceptable."""
    REFUSED = "refused"
    """The API rejects this request permanently: the job fails at once."""
    GATE = "gate"
    """A problem of the account or model: a gate closes and the job is requeued with its attempt unused."""
    PACE = "pace"
    """Rate limited: all dispatch pauses and the job is requeued with its attempt unused."""
    RETRY = "retry"
    """A transient failure: retried after a backoff, up to the maximum number of attempts."""
    RELEASED = "released"
    """The worker released the job without a call (it was stopping or failing itself); the attempt is unused."""
    LOST = "lost"
    """The worker died with the job. Whether the call was billed is unknown until the audio is found."""
    LATE = "late"
    """The audio arrived after the job was reassigned or cancelled; paid all the same."""


class GateScope(StrEnum):
    """What a closed gate holds."""

    ACCOUNT = "account"
    """Every job: key, credit or spend limit."""
    MODEL = "model"
    """The jobs of one model: retired, not found, or not permitted."""
    STORAGE = "storage"
    """Every job: finished audio cannot be stored, so nothing more is bought."""


SUSPECT: Final = "suspect_audio"
"""The code of takes that may not say their text, of jobs that failed for it or succeeded with the best."""
TAKES_AGREE: Final = "takes_agree"
"""The code, in the ledger alone, of a suspicious take that is used because an earlier one is like it."""
