"""The bundled emulator in the foreground, and how to point the queue at it."""

from __future__ import annotations

from dataclasses import dataclass

import typer
from pydantic import ValidationError

from api_models.problems import InvalidInputError, faults_of
from worker.emulator.config import DEFAULT_KEY, EmulatorConfig
from worker.emulator.server import serve


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of the command."""

    rpm: float | None
    credits: str
    latency: float
    jitter: float
    port: int
    host: str
    key: str | None
    audio_bytes: int | None
    seed: int
    window: str


def emulate(wanted: Wanted) -> None:
    """Serve until interrupted.

    Raises:
        InvalidInputError: options out of their bounds.
        CannotListenError: the address is taken.
    """
    config = _config(wanted)
    serve(config, lambda base_url: _announce(base_url, own_key=wanted.key is None))


def _config(wanted: Wanted) -> EmulatorConfig:
    try:
        return EmulatorConfig.model_validate(
            {
                "host": wanted.host,
                "port": wanted.port,
                "key": wanted.key or DEFAULT_KEY,
                "credits": wanted.credits,
                "rpm": wanted.rpm,
                "window": wanted.window,
                "latency_seconds": wanted.latency,
                "jitter": wanted.jitter,
                "audio_bytes": wanted.audio_bytes,
                "seed": wanted.seed,
            }
        )
    except ValidationError as error:
        raise InvalidInputError("the emulator's command line", faults_of(error)) from None


def _announce(base_url: str, *, own_key: bool) -> None:
    # A made-up key that opens nothing else may be shown; one that was given stays unsaid.
    key = DEFAULT_KEY if own_key else "<the key you gave>"
    typer.echo(f"The emulator listens at {base_url}. In another terminal:")
    typer.echo(f"  export SEGMIND_BASE_URL={base_url} SEGMIND_API_KEY={key}")
    typer.echo("Ctrl-C ends it.")
