"""What an error of boto3 means for a bucket of audio, in words that name the bucket and the remedy. Pure.

Nothing of the request is quoted, only the store's own code and words: no credential can get into a message.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from worker.artifacts.errors import ArtifactsError, ArtifactsFault

_BY_CODE: Final[dict[str, ArtifactsFault]] = {
    code: trouble
    for trouble, codes in {
        ArtifactsFault.NO_SUCH_BUCKET: "NoSuchBucket InvalidBucketName",
        ArtifactsFault.ACCESS_DENIED: "AccessDenied AllAccessDisabled AccountProblem Forbidden 403",
        ArtifactsFault.BAD_CREDENTIALS: (
            "InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken InvalidToken InvalidSecurity NotSignedUp "
            "RequestTimeTooSkewed RequestExpired TokenRefreshRequired UnrecognizedClientException 401"
        ),
        ArtifactsFault.THROTTLED: (
            "SlowDown SlowDownRead SlowDownWrite Throttling ThrottlingException RequestLimitExceeded TooManyRequests "
            "TooManyRequestsException BandwidthLimitExceeded 429"
        ),
        ArtifactsFault.NO_SPACE: (
            "QuotaExceeded InsufficientStorage InsufficientCapacity StorageFull XMinioStorageFull "
            "XMinioAdminBucketQuotaExceeded 507"
        ),
        ArtifactsFault.BAD_CHECKSUM: (
            "BadDigest InvalidDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch IncompleteBody"
        ),
    }.items()
    for code in codes.split()
}
_WRONG_REGION: Final = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"})
_NO_CREDENTIALS: Final = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.TokenRetrievalError,
    boto.UnauthorizedSSOTokenError,
)
_REMEDIES: Final = {
    ArtifactsFault.NO_SUCH_BUCKET: "no bucket {bucket} at {endpoint}; create it: aws s3 mb s3://{bucket}",
    ArtifactsFault.ACCESS_DENIED: (
        "{endpoint} refuses these credentials the bucket {bucket}; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "and grant them s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket on it"
    ),
    ArtifactsFault.BAD_CREDENTIALS: (
        "{endpoint} does not take the credentials for the bucket {bucket}; "
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) to valid ones"
    ),
    ArtifactsFault.THROTTLED: "{endpoint} asks for fewer requests to the bucket {bucket}; it is tried again later",
    ArtifactsFault.NO_SPACE: "the bucket {bucket} at {endpoint} is full; raise its quota or free some space",
    ArtifactsFault.BAD_CHECKSUM: "what arrived in the bucket {bucket} at {endpoint} was not what was sent",
    ArtifactsFault.UNREACHABLE: (
        "no answer from {endpoint} for the bucket {bucket}; start it, or set AWS_ENDPOINT_URL_S3 to its address"
    ),
    ArtifactsFault.UNEXPECTED: "the bucket {bucket} at {endpoint} can't be used; see the store's own words",
}
_PASSING: Final = frozenset({ArtifactsFault.THROTTLED, ArtifactsFault.UNREACHABLE, ArtifactsFault.BAD_CHECKSUM})


def fault_of(error: BotoCoreError | ClientError, *, bucket: str, endpoint: str) -> ArtifactsError:
    """Classify an error raised while working with `bucket` at `endpoint`."""
    if isinstance(error, ClientError):
        return _answered(error, bucket, endpoint)
    if isinstance(error, _NO_CREDENTIALS):
        trouble = ArtifactsFault.BAD_CREDENTIALS
    elif isinstance(error, boto.ConnectionError | boto.HTTPClientError | boto.IncompleteReadError):
        trouble = ArtifactsFault.UNREACHABLE
    else:
        trouble = ArtifactsFault.UNEXPECTED
    return ArtifactsError(
        trouble, _remedy(trouble, bucket, endpoint), detail=type(error).__name__, transient=trouble in _PASSING
    )


def code_of(error: ClientError) -> str:
    """The store's own word for it; for an answer without a body (to HEAD), the HTTP status in digits."""
    return str(error.response.get("Error", {}).get("Code", ""))


def fault_kind(error: ClientError) -> ArtifactsFault:
    fallback = ArtifactsFault.THROTTLED if _status_of(error) == 503 else ArtifactsFault.UNEXPECTED
    return _BY_CODE.get(code_of(error), fallback)


def without_credentials(endpoint: str) -> str:
    """The endpoint as it may be shown: an address can carry a user and a password."""
    parts = urlsplit(endpoint)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _answered(error: ClientError, bucket: str, endpoint: str) -> ArtifactsError:
    code, status, trouble = code_of(error), _status_of(error), fault_kind(error)
    message = _remedy(trouble, bucket, endpoint)
    if code in _WRONG_REGION:
        message = f"the bucket {bucket} is in another region than the one set; set AWS_REGION to the bucket's own"
    elif code == "RequestTimeTooSkewed":
        message = f"the clock of this machine differs too much from that of {endpoint}; set it right"
    words = str(error.response.get("Error", {}).get("Message", ""))[:300]
    detail = f"{error.operation_name}: HTTP {status} {code} {words}".rstrip()
    return ArtifactsError(trouble, message, detail=detail, transient=trouble in _PASSING or status >= 500)


def _status_of(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _remedy(trouble: ArtifactsFault, bucket: str, endpoint: str) -> str:
    return _REMEDIES[trouble].format(bucket=bucket, endpoint=endpoint)
