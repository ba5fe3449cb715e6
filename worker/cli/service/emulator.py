"""`ttsq emulator`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_PORT = 8765


def emulator(
    *,
    scenario: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="How it begins and what changes when, as TOML or JSON; see docs/emulator.md."
        ),
    ] = None,
    rpm: Annotated[
        float | None, typer.Option(help="Requests a minute; without it there is no limit.", show_default=False)
    ] = None,
    credits: Annotated[  # noqa: A002 - the API's word
        str | None, typer.Option(help="US dollars in the account.", show_default="1000")
    ] = None,
    latency: Annotated[float | None, typer.Option(help="Seconds a call takes.", show_default="0")] = None,
    jitter: Annotated[
        float | None, typer.Option(help="Spread of the latency, as a share of it, 0 to 1.", show_default="0")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Where to listen; 0 takes a free port.", show_default=str(DEFAULT_PORT))
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="The address to listen on; anyone who reaches it can change it.", show_default="127.0.0.1"),
    ] = None,
    key: Annotated[str | None, typer.Option(help="The only API key it takes.", show_default="a made-up one")] = None,
    audio_bytes: Annotated[
        int | None,
        typer.Option(help="Answer with a WAV of exactly this size; workers then need TTSQ_TAKE_CHECKS=off."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same latencies.", show_default="0")] = None,
    window: Annotated[
        str | None,
        typer.Option(help="How the limit counts: fixed, sliding or token_bucket.", show_default="fixed"),
    ] = None,
) -> None:
    """Stand in for Segmind's API on this machine: both models, a rate limit, credits, audio one can hear.

    Options win over what a scenario's file says.
    """
    from worker.cli.service.emulating import emulate  # noqa: PLC0415 - `ttsq --help` doesn't pay for a web server

    given = {
        "rpm": rpm,
        "credits": credits,
        "latency_seconds": latency,
        "jitter": jitter,
        "port": port,
        "host": host,
        "key": key,
        "audio_bytes": audio_bytes,
        "seed": seed,
        "window": window,
    }
    emulate(scenario, {name: value for name, value in given.items() if value is not None}, port=DEFAULT_PORT)
