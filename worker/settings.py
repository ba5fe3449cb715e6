"""Every setting once: its name, unit, default and bounds. No other module reads `os.environ`, but for
the path of the models file (`worker/environment/models_file.py`), which commands without settings need."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api_models.hints import did_you_mean, quoted
from api_models.key_templates import SHARED_TEMPLATE, checked_template
from api_models.openai_names import model_names, voice_names
from api_models.origins import EMULATOR_KEY, OFFICIAL_BASE_URL
from api_models.problems import Fault, InvalidInputError, faults_of
from api_models.registry import MODELS
from api_models.values import OptionalSpan
from worker.environment import addresses, credentials, dotenv, models_file

HOME: Final = Path(".ttsq")
"""Database, spool and audio of single-process mode, below the working directory."""

MAX_RPM: Final = 100_000
RUNGS: Final = ("signal", "rate", "shape")
AUTO_RUNGS: Final = "auto"


def _env(name: str) -> AliasChoices:
    return AliasChoices(name)


class Settings(BaseSettings):
    """The settings of one process, read from the environment, a `.env` file and mounted credentials; immutable."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_file=dotenv.FILE,
        env_file_encoding=dotenv.ENCODING,
        env_ignore_empty=True,
        extra="ignore",
        allow_inf_nan=False,
    )

    segmind_api_key: Annotated[SecretStr | None, Field(validation_alias=_env("SEGMIND_API_KEY"))] = None
    """API key of the Segmind account to charge."""
    segmind_base_url: Annotated[str, Field(validation_alias=_env("SEGMIND_BASE_URL"))] = OFFICIAL_BASE_URL
    """Address of the API; change it to use the emulator. Plain http only to this machine, or with the emulator's key to
    its network. In `.env`, another address than Segmind's needs the key in `.env` too."""
    segmind_api: Annotated[Literal["v1", "v2"], Field(validation_alias=_env("SEGMIND_API"))] = "v1"
    """API version: `v1` waits for the audio; `v2` submits and polls, so that no text is paid for twice after a
    crash."""
    segmind_rpm: Annotated[float | Literal["unlimited"] | None, Field(validation_alias=_env("SEGMIND_RPM"))] = None
    """Rate limit of the account in requests per minute. Unset or `auto`: found from the API's refusals; `unlimited`:
    only pauses requested by the API limit calls."""
    connect_timeout: Annotated[float, Field(validation_alias=_env("TTSQ_CONNECT_TIMEOUT"), gt=0, le=120)] = 10.0
    """Seconds to wait for a connection to the API."""
    read_timeout: Annotated[float, Field(validation_alias=_env("TTSQ_READ_TIMEOUT"), gt=0, le=3_600)] = 180.0
    """Seconds to wait between two bytes of a response; the slowest published model averages 18."""
    run_timeout: Annotated[float, Field(validation_alias=_env("TTSQ_RUN_TIMEOUT"), ge=1, le=86_400)] = 600.0
    """Seconds that one attempt polls a submitted request (v2); the next attempt continues with the same request."""
    max_audio_mb: Annotated[int, Field(validation_alias=_env("TTSQ_MAX_AUDIO_MB"), ge=1, le=4_096)] = 64
    """Maximum size of one response in mebibytes; longer responses are aborted and refused."""
    max_text_bytes: Annotated[int | None, Field(validation_alias=_env("TTSQ_MAX_TEXT_BYTES"), ge=1, le=32_768)] = None
    """Maximum UTF-8 bytes of one text. Unset: the limit of the model in the registry."""
    # Before the settings whose validators look models and voices up.
    models: Annotated[Path | None, Field(validation_alias=_env(models_file.VARIABLE), validate_default=True)] = None
    """TOML file that adds models, and changes prices and limits of the built-in ones; see docs/models.md."""

    database_url: Annotated[str, Field(validation_alias=_env("TTSQ_DATABASE_URL"))] = f"sqlite:///{HOME}/ttsq.db"
    """SQLAlchemy URL of the database: `sqlite:///…` or `postgresql+psycopg://…`."""
    database_connections: Annotated[int, Field(validation_alias=_env("TTSQ_DATABASE_CONNECTIONS"), ge=4, le=200)] = 16
    """Maximum PostgreSQL connections of one process."""
    broker_url: Annotated[str, Field(validation_alias=_env("TTSQ_BROKER_URL"))] = "memory://"
    """Celery broker: `memory://` (the worker runs inside `ttsq run`), `redis://…`, `rediss://…`, or
    `sentinel://host,host/0?master_name=NAME` (with `&ssl_cert_reqs=required` over TLS)."""
    artifacts_url: Annotated[str | None, Field(validation_alias=_env("TTSQ_ARTIFACTS_URL"))] = None
    """Destination of the audio: `file:///folder` or `s3://bucket/prefix`. Unset: the `--out` folder of a run."""
    key_template: Annotated[str, Field(validation_alias=_env("TTSQ_KEY_TEMPLATE"))] = SHARED_TEMPLATE
    """Template of object names, with fields in braces: `{tenant}`, `{batch}`, `{custom_id}`, `{id}`, `{ext}` and
    others."""
    s3_storage_class: Annotated[
        str | None, Field(validation_alias=_env("TTSQ_S3_STORAGE_CLASS"), pattern=r"^[A-Z0-9_]{1,40}$")
    ] = None
    """Storage class of objects in a bucket, such as STANDARD_IA. Unset: the bucket's default."""
    s3_sse: Annotated[Literal["AES256", "aws:kms"] | None, Field(validation_alias=_env("TTSQ_S3_SSE"))] = None
    """Server-side encryption of objects in a bucket. Unset: the bucket's default."""
    s3_kms_key: Annotated[str | None, Field(validation_alias=_env("TTSQ_S3_KMS_KEY"), max_length=2_048)] = None
    """KMS key for `aws:kms`. Unset: the account's default key."""
    s3_tags: Annotated[Literal["on", "off"], Field(validation_alias=_env("TTSQ_S3_TAGS"))] = "off"
    """`on` tags objects in a bucket with tenant and batch, for lifecycle rules; not every S3 service supports tags."""
    public_url: Annotated[str | None, Field(validation_alias=_env("TTSQ_PUBLIC_URL"))] = None
    """Public base URL of TTSQ_ARTIFACTS_URL. Unset: audio is served by presigned URLs."""
    presign_seconds: Annotated[int, Field(validation_alias=_env("TTSQ_PRESIGN_SECONDS"), ge=1, le=604_800)] = 300
    """Validity of a presigned URL in seconds."""
    expires_after: Annotated[OptionalSpan, Field(validation_alias=_env("TTSQ_EXPIRES_AFTER"))] = None
    """Default retention of a job's text and audio after it has finished: seconds, or a span such as 30d. Unset: kept
    indefinitely. The row and its cost stay."""

    provenance: Annotated[Literal["on", "off"], Field(validation_alias=_env("TTSQ_PROVENANCE"))] = "off"
    """`on` stores a file beside every job's audio that says where it is from: text hash, model, call, cost, checks,
    checksum. For the workers; jobs may ask for it one by one."""

    concurrency: Annotated[int, Field(validation_alias=_env("TTSQ_CONCURRENCY"), ge=1, le=5_000)] = 100
    """Slots of one worker process: maximum concurrent calls."""
    spool_dir: Annotated[Path, Field(validation_alias=_env("TTSQ_SPOOL_DIR"))] = HOME / "spool"
    """Folder in which responses are kept between the call and the record."""
    spool_min_free_mb: Annotated[int, Field(validation_alias=_env("TTSQ_SPOOL_MIN_FREE_MB"), ge=1)] = 64
    """Mebibytes that must be free in the spool's file system before a call is made."""

    probe_seconds: Annotated[float, Field(validation_alias=_env("TTSQ_PROBE_SECONDS"), gt=0, le=3_600)] = 30.0
    """Seconds before the first probe of a closed gate; the wait doubles from probe to probe, but for free checks, which
    come every 30 seconds at most."""
    low_balance: Annotated[Decimal, Field(validation_alias=_env("TTSQ_LOW_BALANCE"), ge=0, le=1_000_000)] = Decimal(
        "1.00"
    )
    """Balance in US dollars below which a warning event is written, once until it has recovered."""
    share_cache: Annotated[Literal["tenant", "all"], Field(validation_alias=_env("TTSQ_SHARE_CACHE"))] = "tenant"
    """Who may copy audio already bought: the same `tenant`, or `all`. With `all`, a text that costs nothing reveals
    that another tenant has bought it."""
    reserved_share: Annotated[float, Field(validation_alias=_env("TTSQ_RESERVED_SHARE"), ge=0, le=0.9)] = 0.1
    """Share of all slots that jobs without a priority leave free while there are jobs with one; at least one slot of
    two or more. 0: none."""
    ageing_seconds: Annotated[float, Field(validation_alias=_env("TTSQ_AGEING_SECONDS"), gt=0, le=86_400)] = 60.0
    """Seconds that jobs wait, while others start, before they count as one priority step more urgent."""
    dispatch_timeout: Annotated[float, Field(validation_alias=_env("TTSQ_DISPATCH_TIMEOUT"), ge=1, le=3_600)] = 12.0
    """Seconds after which an unclaimed message counts as lost."""
    max_attempts: Annotated[int, Field(validation_alias=_env("TTSQ_MAX_ATTEMPTS"), ge=1, le=100)] = 5
    """Maximum attempts of one job that fail with a retryable error."""
    max_takes: Annotated[int, Field(validation_alias=_env("TTSQ_MAX_TAKES"), ge=1, le=20)] = 3
    """Maximum paid takes of one job that are refused."""
    hold_after_refused: Annotated[int, Field(validation_alias=_env("TTSQ_HOLD_AFTER_REFUSED"), ge=0, le=100_000)] = 20
    """Consecutive refused paid takes, of one batch and model, that hold its remaining jobs; 0: never. Jobs without a
    batch are counted by tenant and model."""
    take_checks: Annotated[Literal["on", "off"], Field(validation_alias=_env("TTSQ_TAKE_CHECKS"))] = "on"
    """Whether takes are measured and bad ones refused. `off` checks only the container and its frames: for load tests,
    whose audio does not match the text."""
    take_min_length: Annotated[float, Field(validation_alias=_env("TTSQ_TAKE_MIN_LENGTH"), ge=0, le=1)] = 0.5
    """Share of the expected length below which a take counts as truncated; more lenient up to 40 characters."""
    take_max_length: Annotated[float, Field(validation_alias=_env("TTSQ_TAKE_MAX_LENGTH"), ge=1, le=100)] = 3.0
    """Multiple of the expected length above which a take counts as too long."""
    take_min_peak_dbfs: Annotated[float, Field(validation_alias=_env("TTSQ_TAKE_MIN_PEAK_DBFS"), ge=-120, le=0)] = -50.0
    """Peak in dBFS below which a take counts as silent."""
    take_max_silence: Annotated[float, Field(validation_alias=_env("TTSQ_TAKE_MAX_SILENCE"), ge=0, le=1)] = 0.6
    """Maximum share of silence in a take."""
    take_characters_per_second: Annotated[
        float, Field(validation_alias=_env("TTSQ_TAKE_CHARACTERS_PER_SECOND"), ge=1, le=100)
    ] = 15.0
    """Expected speaking rate in characters per second; a Chinese character counts as three."""
    take_rungs: Annotated[str, Field(validation_alias=_env("TTSQ_TAKE_RUNGS"))] = ""
    """What listens to takes that pass the measurements: `signal`, `rate` and `shape`, separated by commas;
    `auto`: those of the latter two that can judge in full on this machine; empty: none. See docs/listening.md."""
    suspect_takes: Annotated[Literal["best", "fail"], Field(validation_alias=_env("TTSQ_SUSPECT_TAKES"))] = "best"
    """What becomes of a job whose every take is suspicious: `best` succeeds with the best of them and the code
    `suspect_audio`, `fail` fails."""
    word_times: Annotated[Literal["on", "off"], Field(validation_alias=_env("TTSQ_WORD_TIMES"))] = "on"
    """Whether words are recognised for `timings`, where `ttsq[listen]` is installed; it takes up to a quarter of the
    audio's length on one core. `off`: pauses and letters decide."""
    espeak: Annotated[str, Field(validation_alias=_env("TTSQ_ESPEAK"), max_length=1_024)] = ""
    """Path of the program espeak-ng, by which takes are compared. Unset: the one on PATH, if there is one."""
    grace_seconds: Annotated[float, Field(validation_alias=_env("TTSQ_GRACE_SECONDS"), ge=0, le=3_600)] = 60.0
    """Seconds that calls in flight may take to finish during shutdown."""
    alive_file: Annotated[Path | None, Field(validation_alias=_env("TTSQ_ALIVE_FILE"))] = None
    """File that a worker touches every few seconds while its heartbeats succeed, for health checks. Unset: none."""

    worker_metrics_address: Annotated[str | None, Field(validation_alias=_env("TTSQ_WORKER_METRICS_ADDRESS"))] = None
    """Address at which a worker serves its own `/metrics` and `/healthz`, without authentication: `127.0.0.1:9464`, or
    `:9464` for the same. Unset: none."""

    webhook_allow: Annotated[str, Field(validation_alias=_env("TTSQ_WEBHOOK_ALLOW"))] = ""
    """Networks and hosts that webhooks may reach in addition to the public internet over TLS:
    `10.0.0.0/8,hooks.lan`."""
    max_upload_mb: Annotated[int, Field(validation_alias=_env("TTSQ_MAX_UPLOAD_MB"), ge=1, le=16_384)] = 256
    """Maximum size of one sheet uploaded to the gateway, in mebibytes."""
    gateway_url: Annotated[
        str | None, Field(validation_alias=_env("TTSQ_GATEWAY_URL"), pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")
    ] = None
    """Public base URL of the gateway, such as `https://example.org/speech`: links in its responses and webhooks begin
    with it. Unset: links are paths. For the gateway and the workers alike."""

    openai_models: Annotated[str, Field(validation_alias=_env("TTSQ_OPENAI_MODELS"))] = ""
    """Changes to the table of OpenAI's model names, such as `tts-1=gemini-3.1-flash-tts,my-voice=gemini-2.5-flash-tts`;
    see docs/openai.md."""
    openai_voices: Annotated[str, Field(validation_alias=_env("TTSQ_OPENAI_VOICES"))] = ""
    """Changes to the table of OpenAI's voice names, such as `alloy=Puck,narrator=Charon`; see docs/openai.md."""
    openai_hold_seconds: Annotated[float, Field(validation_alias=_env("TTSQ_OPENAI_HOLD_SECONDS"), gt=0, le=3_600)] = (
        110.0
    )
    """Seconds that a speech request waits for its audio before it is answered with 503 and asked to come back."""

    console_hide_texts: Annotated[str, Field(validation_alias=_env("TTSQ_CONSOLE_HIDE_TEXTS"))] = ""
    """Tenants whose texts the console shows to no session: names with commas between them, or `*` for all."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(validation_alias=_env("TTSQ_LOG_LEVEL"))
    ] = "info"
    """Minimum severity of log events."""
    log_format: Annotated[Literal["auto", "json", "console"], Field(validation_alias=_env("TTSQ_LOG_FORMAT"))] = "auto"
    """`json` for machines, `console` for people, `auto`: `console` if standard error is a terminal."""
    celery_events: Annotated[Literal["on", "off"], Field(validation_alias=_env("TTSQ_CELERY_EVENTS"))] = "off"
    """`on` makes workers send Celery's events, as `celery worker -E` does, for monitors such as Flower."""
    tracing: Annotated[Literal["off", "otlp"], Field(validation_alias=_env("TTSQ_TRACING"))] = "off"
    """`otlp` exports a trace of every job by OpenTelemetry to `OTEL_EXPORTER_OTLP_ENDPOINT`; requires the extra."""

    @field_validator("models")
    @classmethod
    def _models(cls, value: Path | None) -> Path | None:
        """The registry has the models of the settings that were read last."""
        MODELS.install({} if value is None else models_file.read(value.expanduser()))
        return value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        return addresses.database_address(value)

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: str) -> str:
        return addresses.broker_address(value)

    @field_validator("artifacts_url")
    @classmethod
    def _artifacts(cls, value: str | None) -> str | None:
        return None if value is None else addresses.artifacts_address(value)

    @field_validator("take_rungs")
    @classmethod
    def _known_rungs(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",") if name.strip()]
        for name in names:
            if name not in RUNGS and not (name == AUTO_RUNGS and len(names) == 1):
                hint = did_you_mean(name, RUNGS)
                raise ValueError(f"no rung {quoted(name)}{hint}; use {', '.join(RUNGS)}, or {AUTO_RUNGS} alone")
        return ",".join(names)

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str | None) -> str | None:
        return None if value is None else addresses.public_address(value)

    @field_validator("worker_metrics_address")
    @classmethod
    def _listening(cls, value: str | None) -> str | None:
        return None if value is None else addresses.listening_address(value)

    @field_validator("webhook_allow")
    @classmethod
    def _allowed(cls, value: str) -> str:
        return addresses.allowed_destinations(value)

    @field_validator("spool_dir", "alive_file")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @field_validator("key_template")
    @classmethod
    def _unique_names(cls, value: str) -> str:
        return checked_template(value, shared=True)

    @field_validator("openai_models")
    @classmethod
    def _known_models(cls, value: str) -> str:
        model_names(value)
        return value

    @field_validator("openai_voices")
    @classmethod
    def _known_voices(cls, value: str) -> str:
        voice_names(value)
        return value

    @field_validator("s3_kms_key")
    @classmethod
    def _only_with_kms(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("s3_sse") != "aws:kms":
            raise ValueError("requires TTSQ_S3_SSE=aws:kms; set that as well")
        return value

    @field_validator("segmind_rpm", mode="before")
    @classmethod
    def _parsed_rate(cls, value: object) -> object:
        if value is None or value == "unlimited":
            return value
        if value == "auto":
            return None
        try:
            rate = float(str(value))
        except ValueError:
            raise ValueError("must be a number of requests per minute, auto, or unlimited") from None
        if not 0 < rate <= MAX_RPM:
            raise ValueError(f"must be above 0 and at most {MAX_RPM:,}")
        return rate

    @field_validator("segmind_base_url")
    @classmethod
    def _api(cls, value: str, info: ValidationInfo) -> str:
        address = addresses.api_address(value)
        key = info.data.get("segmind_api_key")
        is_public_key = key is not None and key.get_secret_value() == EMULATOR_KEY
        near = addresses.is_loopback(address) or (is_public_key and addresses.is_nearby(address))
        if key is not None and address.startswith("http://") and not near:
            raise ValueError(
                "would send SEGMIND_API_KEY over plain http, readable on the way; write https://"
                " (the emulator's own key may go to a host of this network)"
            )
        return address

    @property
    def secrets(self) -> set[str]:
        """What must not be shown: the API key, and passwords in addresses."""
        key = "" if self.segmind_api_key is None else self.segmind_api_key.get_secret_value()
        return {key, key.strip()} - {""} | addresses.passwords(self.database_url) | addresses.passwords(self.broker_url)

    @property
    def shares_content(self) -> bool:
        return self.share_cache == "all"

    @property
    def hiding_tenants(self) -> frozenset[str]:
        """The tenants of `TTSQ_CONSOLE_HIDE_TEXTS`."""
        return frozenset(name.strip() for name in self.console_hide_texts.split(",")) - {""}

    @property
    def gateway_base(self) -> str:
        """The beginning of links to the gateway; empty for paths."""
        return (self.gateway_url or "").rstrip("/")

    @property
    def embedded(self) -> bool:
        """Whether the worker runs inside the producing process, without a broker."""
        return self.broker_url.startswith("memory://")


def names() -> list[str]:
    return [str(field.validation_alias.choices[0]) for field in Settings.model_fields.values()]  # type: ignore[union-attr]


def load(**overrides: object) -> Settings:
    """Read the settings of this process; `overrides` are by environment name and win. Raises InvalidInputError: unknown
    `TTSQ_…` or `SEGMIND_…` names and values out of bounds, all at once.
    """
    try:
        written = dotenv.read()
    except dotenv.UnreadableError as error:
        raise InvalidInputError("settings", [Fault(field=dotenv.FILE, message=str(error))]) from None
    try:
        mounted = credentials.read(os.environ.get(credentials.FOLDER), names())
    except credentials.UnreadableError as error:
        raise InvalidInputError("settings", [Fault(field=credentials.FOLDER, message=str(error))]) from None
    around = {name.upper() for name, value in os.environ.items() if value}
    faults = [*_unknown(os.environ, ""), *_unknown(written, f" of {dotenv.FILE}")]
    faults += _redirections(written, around | set(mounted) | set(overrides))
    lowest = {name: value for name, value in mounted.items() if value and name not in around and not written.get(name)}
    try:
        settings = Settings(**(lowest | overrides))  # type: ignore[arg-type]
    except ValidationError as error:
        faults += [
            fault.model_copy(update={"message": fault.message.removeprefix("Value error, ")})
            for fault in faults_of(error)
        ]
        raise InvalidInputError("settings", faults) from None
    if faults:
        raise InvalidInputError("settings", faults)
    return settings


def _unknown(given: Iterable[str], where: str) -> Iterator[Fault]:
    """Names with a prefix of ours that no setting has; case does not count, as for pydantic."""
    known = names()
    for name in sorted({name.upper() for name in given} - set(known)):
        if name.startswith(("TTSQ_", "SEGMIND_")):
            yield Fault(field=name, message=f"is not a setting{where and f' ({where.strip()})'}{_suggest(name, known)}")


def _redirections(written: Mapping[str, str], around: Collection[str]) -> Iterator[Fault]:
    """Ways in which a `.env` file, which may have come with the folder, would send a secret elsewhere. `around` are the
    settings that come from outside of it.
    """
    address = "" if "SEGMIND_BASE_URL" in around else written.get("SEGMIND_BASE_URL", "")
    if address and "SEGMIND_API_KEY" in around and not dotenv.refers(address):
        host = _api_host(address)
        if host is not None:
            yield Fault(
                field="SEGMIND_BASE_URL",
                message=f"in {dotenv.FILE} names {host}, which gets no key from the environment;"
                f" set both in the environment, or both in {dotenv.FILE}",
            )
    for name in sorted(written):
        if name.endswith("_URL") and name in names() and dotenv.refers(written[name]):
            yield Fault(
                field=name,
                message=f"in {dotenv.FILE} refers to a variable, which may be a secret; write the address out,"
                " or set it in the environment",
            )


def _api_host(address: str) -> str | None:
    """The host of an address other than Segmind's. An invalid one is reported by the validator."""
    try:
        canonical = addresses.api_address(address)
    except ValueError:
        return None
    return None if canonical == OFFICIAL_BASE_URL else urlsplit(canonical).netloc


def variable(name: str) -> str | None:
    """Return an environment variable that is no setting: a schedule may name one that holds its database URL."""
    return os.environ.get(name)


@lru_cache(maxsize=1)
def current() -> Settings:
    return load()


def _suggest(name: str, known: list[str]) -> str:
    """Suggest a name: the same one under the other prefix, else a similar one."""
    same_suffix = [other for other in known if _bare(other) == _bare(name)]
    close = same_suffix or difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f" (known: {', '.join(known)})"


def _bare(name: str) -> str:
    return name.partition("_")[2]
