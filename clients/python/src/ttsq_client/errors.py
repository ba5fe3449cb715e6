"""Every error that the client raises. Each is a `TtsqError`; none holds an API key or a signed address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttsq_client.models import Batch, Job


class TtsqError(Exception):
    """Base class."""


class ConnectionFailedError(TtsqError):
    """The gateway was not reached, or the connection broke or was too slow."""

    def __init__(self, message: str, *, possibly_sent: bool) -> None:
        super().__init__(message)
        self.possibly_sent = possibly_sent
        """False if the gateway cannot have received the request."""


class UnexpectedResponseError(TtsqError):
    """The response is not one of a ttsq gateway: a proxy, a wrong address, or more than the client accepts."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a request, as the gateway reports it."""

    message: str
    field: str | None = None
    line: int | None = None


class ApiError(TtsqError):
    """The gateway refused the request. The attributes are as the gateway sent them."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        faults: Sequence[Fault] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}" + (f" (request {request_id})" if request_id else ""))
        self.status = status
        self.code = code
        """A stable name, such as `invalid-input`."""
        self.detail = detail
        self.faults = tuple(faults)
        self.request_id = request_id
        """By which the operator finds the request in the log."""
        self.retry_after = retry_after
        """Seconds after which the gateway asks to retry."""

    @property
    def field(self) -> str | None:
        """The field of the first fault."""
        return self.faults[0].field if self.faults else None

    @property
    def remedy(self) -> str:
        """What is wrong with that field and what to do, or the detail if no field is."""
        return self.faults[0].message if self.faults else self.detail


class InvalidRequestError(ApiError):
    """A field is invalid, or the request cannot be parsed."""


class AuthenticationError(ApiError):
    """The key is missing, invalid or revoked."""


class PermissionDeniedError(ApiError):
    """The key lacks a scope."""


class BudgetExhaustedError(ApiError):
    """The key's budget is used up; nothing was queued."""


class NotFoundError(ApiError):
    """No such object, or it belongs to another tenant."""


class ConflictError(ApiError):
    """The object's state does not permit it."""


class KeyReusedError(ConflictError):
    """The idempotency key belongs to another request."""


class GoneError(ApiError):
    """The audio was removed, or is missing from the store."""


class RateLimitedError(ApiError):
    """Too many requests; `retry_after` says when to retry."""


class UnavailableError(ApiError):
    """The gateway or its store is unavailable; `retry_after` says when to retry."""


class WaitTimeoutError(TtsqError):
    """The job or batch did not finish in time. It continues; wait again."""

    def __init__(self, last: Job | Batch) -> None:
        super().__init__(f"{last.id} has not finished")
        self.last = last


class JobFailedError(TtsqError):
    """The job finished without audio."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"{job.id} is {job.status}: {job.message or job.code or 'no reason reported'}")
        self.job = job
        self.code = job.code


class IncompleteAudioError(TtsqError):
    """The audio did not arrive whole and unchanged. No file was written."""


class PartlySubmittedError(TtsqError):
    """Some chunks were submitted. The same call with this idempotency key resumes and buys nothing twice."""

    def __init__(self, batches: Sequence[Batch], idempotency_key: str, cause: Exception) -> None:
        super().__init__(f"{len(batches)} chunks were submitted, then: {cause}")
        self.batches = tuple(batches)
        self.idempotency_key = idempotency_key


class WebhookError(TtsqError):
    """The message was not sent by ttsq with one of these secrets, or too long ago. Answer it with 401."""
