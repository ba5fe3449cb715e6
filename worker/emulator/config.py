"""The emulator's initial configuration."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from api_models.origins import EMULATOR_KEY
from worker.emulator.account import Money
from worker.emulator.api.reset_times import StampFormat
from worker.emulator.api.responses import OutputShape
from worker.emulator.faults import Rule
from worker.emulator.latency import Latency, Share
from worker.emulator.limits import SECONDS_PER_MINUTE, Limit, WindowKind

DEFAULT_KEY: Final = EMULATOR_KEY
"""Accepted by the emulator only."""


class Voice(StrEnum):
    """What takes sound like."""

    TONES = "tones"
    ESPEAK = "espeak"


class EmulatorConfig(BaseModel):
    """Frozen. The admin endpoints change behaviour at runtime."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    """Listen address. The admin endpoints have no authentication: bind other interfaces on closed networks only."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """0 picks a free port."""
    key: str | None = DEFAULT_KEY
    """Required API key; None accepts any."""
    credits: Money = Decimal(1_000)
    """Paid balance in US dollars."""
    free_credits: Money = Decimal(0)

    rpm: Annotated[float | None, Field(gt=0)] = None
    """Requests per minute; None disables the limit."""
    window: WindowKind = WindowKind.FIXED
    window_seconds: Annotated[float, Field(gt=0)] = SECONDS_PER_MINUTE
    burst: Annotated[int | None, Field(ge=1)] = None
    """Capacity of the token bucket; None means one window's permits."""
    stamp: StampFormat = StampFormat.ISO
    """Format of the reset time in a 429."""
    retry_after: bool = False

    latency_seconds: Annotated[float, Field(ge=0)] = 0.0
    jitter: Share = 0.0
    """Half the range of the latency, as a share of it."""
    tail_share: Share = 0.0
    """Share of calls that take `tail_factor` times as long."""
    tail_factor: Annotated[float, Field(ge=1)] = 5.0

    latency_by_text: bool = False
    """Derive the latency from the seed and the text alone, so that it does not depend on the order of calls."""

    queued_share: Share = 0.25
    """v2: the share of the latency that a run spends QUEUED; it is PROCESSING for the rest."""
    output: OutputShape = OutputShape.AUDIO
    record_seconds: Annotated[float, Field(gt=0)] = 3_600.0
    """v2: how long after submission a request can be polled."""
    count_polls: bool = False
    """v2: whether polls count against the rate limit; the vendor does not document it."""
    files_host: str | None = None
    """Host in the URLs of result files, such as `localhost`; None uses the host of the request."""

    audio_bytes: Annotated[int | None, Field(ge=46, multiple_of=2)] = None
    """Answer every call with one prepared WAV of exactly this size, at almost no CPU; None synthesizes the text."""
    voice: Voice = Voice.TONES
    """How texts are spoken: by tones with the rhythm of speech, or in words, by the program espeak-ng."""
    takes_differ: bool = False
    """Make every take different, as the real models do; otherwise equal texts produce equal bytes."""
    seed: int = 0
    """The same seed and order of calls produce the same latencies and faults."""
    rules: tuple[Rule, ...] = ()
    """Faults, evaluated in order."""

    def limit(self) -> Limit:
        return Limit(
            rpm=self.rpm,
            window=self.window,
            window_seconds=self.window_seconds,
            burst=self.burst,
            stamp=self.stamp,
            retry_after=self.retry_after,
        )

    def latency(self) -> Latency:
        return Latency(
            seconds=self.latency_seconds,
            jitter=self.jitter,
            tail_share=self.tail_share,
            tail_factor=self.tail_factor,
        )
