"""Every setting, once: its name, unit, default and bounds. No other module reads `os.environ`."""

from __future__ import annotations

import difflib
import os
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from api_models.key_templates import SHARED_TEMPLATE, checked_template
from api_models.origins import OFFICIAL_BASE_URL, canonical_base_url
from api_models.problems import Fault, InvalidInputError, faults_of
from api_models.values import OptionalSpan

HOME: Final = Path(".ttsq")
"""Where the embedded default keeps its database, spool and audio, below the working directory."""

MAX_RPM: Final = 100_000


def _env(name: str) -> AliasChoices:
    return AliasChoices(name)


class Settings(BaseSettings):
    """The settings of one process, read from the environment and a `.env` file, and then never changed."""

    model_config = SettingsConfigDict(
        frozen=True, env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore"
    )

    segmind_api_key: Annotated[SecretStr | None, Field(validation_alias=_env("SEGMIND_API_KEY"))] = None
    """The key of the Segmind account that pays."""
    segmind_base_url: Annotated[str, Field(validation_alias=_env("SEGMIND_BASE_URL"), pattern=r"^https?://")] = (
        OFFICIAL_BASE_URL
    )
    """The API's address; another one is for the emulator."""
    segmind_api: Annotated[Literal["v1", "v2"], Field(validation_alias=_env("SEGMIND_API"))] = "v1"
    """How models are called: `v1` waits for the audio, `v2` submits and polls, so that a crash buys nothing twice."""
    segmind_rpm: Annotated[float | Literal["unlimited"] | None, Field(validation_alias=_env("SEGMIND_RPM"))] = None
    """Requests a minute that the account permits. Unset or `auto`: they are found out by what the API refuses;
    `unlimited`: only the API's own pauses hold calls back."""
    connect_timeout: Annotated[float, Field(validation_alias=_env("TTSQ_CONNECT_TIMEOUT"), gt=0, le=120)] = 10.0
    """Seconds to wait for a connection to the API."""
    read_timeout: Annotated[float, Field(validation_alias=_env("TTSQ_READ_TIMEOUT"), gt=0, le=3_600)] = 180.0
    """Seconds to wait between two bytes of an answer; the slowest published model averages 18."""
    run_timeout: Annotated[float, Field(validation_alias=_env("TTSQ_RUN_TIMEOUT"), ge=1, le=86_400)] = 600.0
    """Seconds for which one attempt polls what it submitted (v2); the next attempt goes on with the same request."""
    max_audio_mb: Annotated[int, Field(validation_alias=_env("TTSQ_MAX_AUDIO_MB"), ge=1, le=4_096)] = 64
    """Mebibytes of one answer; a longer one is cut off and refused."""
    max_text_bytes: Annotated[int | None, Field(validation_alias=_env("TTSQ_MAX_TEXT_BYTES"), ge=1, le=32_768)] = None
    """UTF-8 bytes of text a request. Unset: the model's own limit in the registry."""

    database_url: Annotated[str, Field(validation_alias=_env("TTSQ_DATABASE_URL"))] = f"sqlite:///{HOME}/ttsq.db"
    """SQLAlchemy's address of the database: `sqlite:///…` or `postgresql+psycopg://…`."""
    database_connections: Annotated[int, Field(validation_alias=_env("TTSQ_DATABASE_CONNECTIONS"), ge=4, le=200)] = 16
    """Connections a process may hold to PostgreSQL."""
    broker_url: Annotated[str, Field(validation_alias=_env("TTSQ_BROKER_URL"))] = "memory://"
    """Celery's broker: `memory://` (the worker runs inside `ttsq run`) or `redis://…`."""
    artifacts_url: Annotated[
        str | None, Field(validation_alias=_env("TTSQ_ARTIFACTS_URL"), pattern=r"^(file:///|s3://[^/]+)")
    ] = None
    """Where audio is kept: `file:///folder` or `s3://bucket/prefix`. Unset: the `--out` folder of a run."""
    key_template: Annotated[str, Field(validation_alias=_env("TTSQ_KEY_TEMPLATE"))] = SHARED_TEMPLATE
    """How objects are named there: fields in braces, such as `{tenant}`, `{batch}`, `{custom_id}`, `{id}`, `{ext}`."""
    s3_storage_class: Annotated[
        str | None, Field(validation_alias=_env("TTSQ_S3_STORAGE_CLASS"), pattern=r"^[A-Z0-9_]{1,40}$")
    ] = None
    """The storage class of objects in a bucket, such as STANDARD_IA. Unset: the bucket's own."""
    s3_sse: Annotated[Literal["AES256", "aws:kms"] | None, Field(validation_alias=_env("TTSQ_S3_SSE"))] = None
    """How objects in a bucket are encrypted there. Unset: as the bucket has it."""
    s3_kms_key: Annotated[str | None, Field(validation_alias=_env("TTSQ_S3_KMS_KEY"), max_length=2_048)] = None
    """The key that `aws:kms` encrypts with. Unset: the account's own."""
    s3_tags: Annotated[Literal["on", "off"], Field(validation_alias=_env("TTSQ_S3_TAGS"))] = "off"
    """`on` tags objects in a bucket with their tenant and batch, for its rules; not every S3 knows tags."""
    public_url: Annotated[str | None, Field(validation_alias=_env("TTSQ_PUBLIC_URL"), pattern=r"^https?://[^/?#]+")] = (
        None
    )
    """The address under which everybody can read what is in TTSQ_ARTIFACTS_URL. Unset: addresses are presigned."""
    presign_seconds: Annotated[int, Field(validation_alias=_env("TTSQ_PRESIGN_SECONDS"), ge=1, le=604_800)] = 300
    """Seconds for which a presigned address works."""
    expires_after: Annotated[OptionalSpan, Field(validation_alias=_env("TTSQ_EXPIRES_AFTER"))] = None
    """How long after its end text and audio of a job are kept that says nothing of it: seconds, or as in 30d. Unset:
    for ever. The row and what it cost stay."""

    concurrency: Annotated[int, Field(validation_alias=_env("TTSQ_CONCURRENCY"), ge=1, le=5_000)] = 100
    """Slots of one worker process: calls it may have in flight at once."""
    spool_dir: Annotated[Path, Field(validation_alias=_env("TTSQ_SPOOL_DIR"))] = HOME / "spool"
    """The folder in which answers are kept between the call and the record."""
    spool_min_free_mb: Annotated[int, Field(validation_alias=_env("TTSQ_SPOOL_MIN_FREE_MB"), ge=1)] = 64
    """Mebibytes that must be free in the spool's file system before a call is paid for."""

    probe_seconds: Annotated[float, Field(validation_alias=_env("TTSQ_PROBE_SECONDS"), gt=0, le=3_600)] = 30.0
    """Seconds before a closed gate is probed for the first time; the wait doubles from probe to probe."""
    low_balance: Annotated[Decimal, Field(validation_alias=_env("TTSQ_LOW_BALANCE"), ge=0)] = Decimal("1.00")
    """US dollars left in the account below which a warning event is written, once until it has recovered."""
    share_cache: Annotated[Literal["tenant", "all"], Field(validation_alias=_env("TTSQ_SHARE_CACHE"))] = "tenant"
    """Who gets copies of what was bought: those of the same `tenant`, or `all`. Of `all`, each learns by what costs
    nothing what the others have had spoken."""
    reserved_share: Annotated[float, Field(validation_alias=_env("TTSQ_RESERVED_SHARE"), ge=0, le=0.9)] = 0.1
    """The part of all slots that jobs without a priority leave free while there are jobs with one; at least one slot
    where there are two. 0: none."""
    ageing_seconds: Annotated[float, Field(validation_alias=_env("TTSQ_AGEING_SECONDS"), gt=0, le=86_400)] = 60.0
    """Seconds for which jobs wait while others start before they count as one step more urgent."""
    dispatch_timeout: Annotated[float, Field(validation_alias=_env("TTSQ_DISPATCH_TIMEOUT"), ge=1, le=3_600)] = 12.0
    """Seconds after which a message that no worker claimed counts as lost."""
    max_attempts: Annotated[int, Field(validation_alias=_env("TTSQ_MAX_ATTEMPTS"), ge=1, le=100)] = 5
    """Attempts of one job that may fail for a passing reason."""
    max_takes: Annotated[int, Field(validation_alias=_env("TTSQ_MAX_TAKES"), ge=1, le=20)] = 3
    """Paid takes of one job that may turn out bad."""
    hold_after_refused: Annotated[int, Field(validation_alias=_env("TTSQ_HOLD_AFTER_REFUSED"), ge=0, le=100_000)] = 20
    """Paid takes in a row, of a batch's texts of one model, that may be refused before the rest of them is held; 0: any
    number. Jobs without a batch are counted by tenant and model."""
    take_checks: Annotated[Literal["on", "off"], Field(validation_alias=_env("TTSQ_TAKE_CHECKS"))] = "on"
    """Whether takes are measured and bad ones refused. `off` looks at the container and its frames only: for load
    tests, whose audio has nothing to do with the text."""
    take_min_length: Annotated[float, Field(validation_alias=_env("TTSQ_TAKE_MIN_LENGTH"), ge=0, le=1)] = 0.5
    """The part of the expected length under which a take counts as truncated; up to 40 characters it asks for less."""
    take_max_length: Annotated[float, Field(validation_alias=_env("TTSQ_TAKE_MAX_LENGTH"), ge=1, le=100)] = 3.0
    """How many times the expected length is too long."""
    take_min_peak_dbfs: Annotated[float, Field(validation_alias=_env("TTSQ_TAKE_MIN_PEAK_DBFS"), ge=-120, le=0)] = -50.0
    """The peak in dBFS under which a take counts as silent."""
    take_max_silence: Annotated[float, Field(validation_alias=_env("TTSQ_TAKE_MAX_SILENCE"), ge=0, le=1)] = 0.6
    """The part of a take that may be silent."""
    take_characters_per_second: Annotated[
        float, Field(validation_alias=_env("TTSQ_TAKE_CHARACTERS_PER_SECOND"), ge=1, le=100)
    ] = 15.0
    """How fast a text is expected to be spoken; a Chinese character counts as three."""
    grace_seconds: Annotated[float, Field(validation_alias=_env("TTSQ_GRACE_SECONDS"), ge=0, le=3_600)] = 60.0
    """Seconds that calls in flight may take to finish after a stop was asked for."""
    alive_file: Annotated[Path | None, Field(validation_alias=_env("TTSQ_ALIVE_FILE"))] = None
    """A file that a worker touches every few seconds while its heart beats, for health checks. Unset: none."""

    webhook_allow: Annotated[str, Field(validation_alias=_env("TTSQ_WEBHOOK_ALLOW"))] = ""
    """Networks and hosts that webhooks may reach beside the public internet over TLS: `10.0.0.0/8,hooks.lan`."""
    max_upload_mb: Annotated[int, Field(validation_alias=_env("TTSQ_MAX_UPLOAD_MB"), ge=1, le=16_384)] = 256
    """Mebibytes of one sheet that is uploaded to the gateway."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(validation_alias=_env("TTSQ_LOG_LEVEL"))
    ] = "info"
    """The least severe log event that is written."""
    log_format: Annotated[Literal["auto", "json", "console"], Field(validation_alias=_env("TTSQ_LOG_FORMAT"))] = "auto"
    """`json` for machines, `console` for people, `auto` by whether standard error is a terminal."""
    celery_events: Annotated[Literal["on", "off"], Field(validation_alias=_env("TTSQ_CELERY_EVENTS"))] = "off"
    """`on` has workers send Celery's own events, as `celery worker -E` does, for monitors such as Flower."""
    tracing: Annotated[Literal["off", "otlp"], Field(validation_alias=_env("TTSQ_TRACING"))] = "off"
    """`otlp` sends a trace of every job by OpenTelemetry, to `OTEL_EXPORTER_OTLP_ENDPOINT`; it is an extra."""

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        try:
            url = make_url(value.replace("postgres://", "postgresql://", 1))
        except ArgumentError:
            raise ValueError("is not an address; give sqlite:///file or postgresql+psycopg://host/name") from None
        match url.get_backend_name():
            case "sqlite":
                return value
            case "postgresql":
                return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
            case other:
                raise ValueError(f"names {other}; give sqlite:///file or postgresql+psycopg://host/name")

    @field_validator("key_template")
    @classmethod
    def _tells_jobs_apart(cls, value: str) -> str:
        return checked_template(value, shared=True)

    @field_validator("s3_kms_key")
    @classmethod
    def _has_a_use(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("s3_sse") != "aws:kms":
            raise ValueError("is used with TTSQ_S3_SSE=aws:kms alone; set that as well")
        return value

    @field_validator("segmind_rpm", mode="before")
    @classmethod
    def _rate_or_word(cls, value: object) -> object:
        if value is None or value == "unlimited":
            return value
        if value == "auto":
            return None
        try:
            rate = float(str(value))
        except ValueError:
            raise ValueError("must be a number of requests a minute, or auto, or unlimited") from None
        if not 0 < rate <= MAX_RPM:
            raise ValueError(f"must be above 0 and at most {MAX_RPM:,}")
        return rate

    @field_validator("segmind_base_url")
    @classmethod
    def _one_spelling(cls, value: str) -> str:
        return canonical_base_url(value)

    @property
    def shares_content(self) -> bool:
        """Whether what one tenant has bought is copied for all."""
        return self.share_cache == "all"

    @property
    def embedded(self) -> bool:
        """Whether the worker lives inside the producing process, over Celery's in-memory transport."""
        return self.broker_url.startswith("memory://")


def names() -> list[str]:
    """Every name a setting has in the environment."""
    return [str(field.validation_alias.choices[0]) for field in Settings.model_fields.values()]  # type: ignore[union-attr]


def load(**overrides: object) -> Settings:
    """Read the settings of this process; `overrides` are by environment name and win.

    Raises:
        InvalidInputError: an unknown `TTSQ_…` or `SEGMIND_…` name, or a value out of its bounds; all of them at once.
    """
    known = names()
    faults = [
        Fault(field=name, message=f"is not a setting{_suggest(name, known)}")
        for name in sorted(os.environ)
        if name.startswith(("TTSQ_", "SEGMIND_")) and name not in known
    ]
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults += [
            fault.model_copy(update={"message": fault.message.removeprefix("Value error, ")})
            for fault in faults_of(error)
        ]
        raise InvalidInputError("settings", faults) from None
    if faults:
        raise InvalidInputError("settings", faults)
    return settings


def variable(name: str) -> str | None:
    """What an environment variable holds that is no setting: a schedule may name one that leads to its database."""
    return os.environ.get(name)


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings of this process, read once."""
    return load()


def _suggest(name: str, known: list[str]) -> str:
    """The name that was probably meant: the same one under the other prefix before one that merely looks alike."""
    twins = [other for other in known if _bare(other) == _bare(name)]
    close = twins or difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f" (known: {', '.join(known)})"


def _bare(name: str) -> str:
    return name.partition("_")[2]
