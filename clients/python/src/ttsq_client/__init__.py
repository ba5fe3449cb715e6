"""A light client for ttsq, the job queue for speech.

from ttsq_client import Client

with Client("http://127.0.0.1:8000") as ttsq:
    job = ttsq.wait(ttsq.submit("The ferry leaves at ten past four.", voice_1="Kore"))
    ttsq.download(job, "ferry.wav")
"""

from ttsq_client.client import Client
from ttsq_client.errors import (
    ApiError,
    AuthenticationError,
    BudgetExhaustedError,
    ConflictError,
    ConnectionFailedError,
    Fault,
    GoneError,
    IncompleteAudioError,
    InvalidRequestError,
    JobFailedError,
    KeyReusedError,
    NotFoundError,
    PartlySubmittedError,
    PermissionDeniedError,
    RateLimitedError,
    TtsqError,
    UnavailableError,
    UnexpectedResponseError,
    WaitTimeoutError,
    WebhookError,
)
from ttsq_client.inbox import Inbox
from ttsq_client.models import Audio, Batch, Event, Job, JobFields, JobRequest, Model, Quote, Spend, Voice
from ttsq_client.retry import Retry
from ttsq_client.transport import VERSION
from ttsq_client.webhooks import Webhook, WebhookMessage

__all__ = [
    "ApiError",
    "Audio",
    "AuthenticationError",
    "Batch",
    "BudgetExhaustedError",
    "Client",
    "ConflictError",
    "ConnectionFailedError",
    "Event",
    "Fault",
    "GoneError",
    "Inbox",
    "IncompleteAudioError",
    "InvalidRequestError",
    "Job",
    "JobFailedError",
    "JobFields",
    "JobRequest",
    "KeyReusedError",
    "Model",
    "NotFoundError",
    "PartlySubmittedError",
    "PermissionDeniedError",
    "Quote",
    "RateLimitedError",
    "Retry",
    "Spend",
    "TtsqError",
    "UnavailableError",
    "UnexpectedResponseError",
    "Voice",
    "WaitTimeoutError",
    "Webhook",
    "WebhookError",
    "WebhookMessage",
    "__version__",
]

__version__ = VERSION
