"""How an emulator behaves from its start."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from worker.emulator.account import Money
from worker.emulator.api.reset_times import StampFormat
from worker.emulator.api.responses import OutputShape
from worker.emulator.faults import Rule
from worker.emulator.latency import Latency, Share
from worker.emulator.limits import SECONDS_PER_MINUTE, Limit, WindowKind

DEFAULT_KEY: Final = "SG_0123456789abcdef"
"""Opens the emulator and nothing else."""


class EmulatorConfig(BaseModel):
    """Frozen; what may change while the emulator runs changes through its admin endpoints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    """The address to listen on. The admin endpoints need no key, so another one is for closed networks only."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """0 takes a free one."""
    key: str | None = DEFAULT_KEY
    """The right API key; None takes any."""
    credits: Money = Decimal(1_000)
    """US dollars paid for."""
    free_credits: Money = Decimal(0)
    """US dollars given; spent first."""

    rpm: Annotated[float | None, Field(gt=0)] = None
    """Requests a minute; None sets no limit."""
    window: WindowKind = WindowKind.FIXED
    window_seconds: Annotated[float, Field(gt=0)] = SECONDS_PER_MINUTE
    burst: Annotated[int | None, Field(ge=1)] = None
    """Permits a token bucket holds; None: those of one window."""
    stamp: StampFormat = StampFormat.ISO
    """The form of the reset stamp in a 429."""
    retry_after: bool = False

    latency_seconds: Annotated[float, Field(ge=0)] = 0.0
    jitter: Share = 0.0
    """Half the range of the latency, as a share of it."""
    tail_share: Share = 0.0
    """The share of calls that take `tail_factor` times as long."""
    tail_factor: Annotated[float, Field(ge=1)] = 5.0

    latency_by_text: bool = False
    """A text always takes equally long, whenever it comes: by the seed and the text alone, not the order of calls."""

    queued_share: Share = 0.25
    """v2: the share of the latency for which a run is QUEUED; for the rest it is PROCESSING."""
    output: OutputShape = OutputShape.AUDIO
    """v2: the form of the outputs."""
    record_seconds: Annotated[float, Field(gt=0)] = 3_600.0
    """v2: how long after its submission a request can be polled."""
    count_polls: bool = False
    """v2: whether polls count against the rate limit; the vendor doesn't say."""
    files_host: str | None = None
    """The host named in the addresses of result files, such as `localhost`; None names the one that was called."""

    audio_bytes: Annotated[int | None, Field(ge=46, multiple_of=2)] = None
    """Every answer is one ready-made WAV of exactly this size, at almost no CPU; None speaks the text."""
    takes_differ: bool = False
    """No two takes are the same bytes, as with the models themselves; else the same text always sounds the same."""
    seed: int = 0
    """Same seed, same order of calls: same latencies and faults."""
    rules: tuple[Rule, ...] = ()
    """Faults, in order."""

    def limit(self) -> Limit:
        """The rate limit at the start."""
        return Limit(
            rpm=self.rpm,
            window=self.window,
            window_seconds=self.window_seconds,
            burst=self.burst,
            stamp=self.stamp,
            retry_after=self.retry_after,
        )

    def latency(self) -> Latency:
        """The latency at the start."""
        return Latency(
            seconds=self.latency_seconds,
            jitter=self.jitter,
            tail_share=self.tail_share,
            tail_factor=self.tail_factor,
        )
