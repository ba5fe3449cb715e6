"""`ttsq emulator`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from api_models.problems import InvalidInputError, faults_of
from worker.cli.console.errors import UnusableEmulatorError
from worker.cli.console.format import number
from worker.emulator.config import DEFAULT_KEY, EmulatorConfig
from worker.emulator.scenario import Scenario, load
from worker.emulator.server import serve


def emulate(scenario: Path | None, given: Mapping[str, object], *, port: int) -> None:
    """Serve until interrupted. `given` are the options of the command, by the configuration's names.

    Raises:
        UnusableEmulatorError: options out of their bounds, or a scenario that means nothing.
        CannotListenError: the address is taken.
    """
    options = _options(given)
    found = Scenario() if scenario is None else _scenario(scenario)
    begins = {name: getattr(options, name) for name in given}
    if "port" not in found.model_fields_set | given.keys():
        begins["port"] = port
    config = found.model_copy(update=begins)
    serve(config, lambda base_url: _announce(config, base_url))


def _options(given: Mapping[str, object]) -> EmulatorConfig:
    try:
        return EmulatorConfig.model_validate(given)
    except ValidationError as error:
        faults = [str(fault) for fault in faults_of(error)]
        raise UnusableEmulatorError(
            "these options can't be used", "`ttsq emulator --help` has them all", faults
        ) from None


def _scenario(path: Path) -> Scenario:
    try:
        return load(path)
    except InvalidInputError as error:
        faults = [str(fault) for fault in error.faults]
        raise UnusableEmulatorError(
            f"the scenario {path} can't be used", "docs/emulator.md has the form, and an example", faults
        ) from None


def _announce(config: Scenario, base_url: str) -> None:
    # A made-up key that opens nothing else may be shown; one that was given stays unsaid.
    key = config.key if config.key in {DEFAULT_KEY, None} else "<the key you gave>"
    typer.echo(f"The emulator listens at {base_url}. In another terminal:")
    typer.echo(f"  export SEGMIND_BASE_URL={base_url} SEGMIND_API_KEY={key or DEFAULT_KEY}")
    if config.changes:
        last = config.timeline()[-1].at_seconds
        typer.echo(f"{number(len(config.changes), 'change')} will follow, the last one after {last:g} s.")
    typer.echo("Ctrl-C ends it.")


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
    """Emulate Segmind's API on this machine, with limits and faults.

    Options win over what a scenario's file says.
    """

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
