"""`ttsq emulator`."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_PORT = 8765


def emulator(
    *,
    rpm: Annotated[float | None, typer.Option(help="Requests a minute; without it there is no limit.")] = None,
    credits: Annotated[str, typer.Option(help="US dollars in the account.")] = "1000",  # noqa: A002 - the API's word
    latency: Annotated[float, typer.Option(help="Seconds a call takes.")] = 0.0,
    jitter: Annotated[float, typer.Option(help="Spread of the latency, as a share of it, 0 to 1.")] = 0.0,
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes a free port.")] = DEFAULT_PORT,
    host: Annotated[str, typer.Option(help="The address to listen on; anyone who reaches it can change it.")] = (
        "127.0.0.1"
    ),
    key: Annotated[str | None, typer.Option(help="The only API key it takes.", show_default="a made-up one")] = None,
    audio_bytes: Annotated[
        int | None, typer.Option(help="Answer with a WAV of exactly this size, instead of speaking the text.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same latencies.")] = 0,
    window: Annotated[str, typer.Option(help="How the limit counts: fixed, sliding or token_bucket.")] = "fixed",
) -> None:
    """Stand in for Segmind's API on this machine: both models, a rate limit, credits, audio one can hear."""
    from worker.cli.emulating import Wanted, emulate  # noqa: PLC0415 - `ttsq --help` doesn't pay for a web server

    emulate(Wanted(rpm, credits, latency, jitter, port, host, key, audio_bytes, seed, window))
