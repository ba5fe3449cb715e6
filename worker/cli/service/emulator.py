"""`ttsq emulator`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from api_models.problems import InvalidInputError, faults_of
from worker.cli.console.errors import UnusableEmulatorError
from worker.cli.console.format import number
from worker.cli.console.terminal import Terminal
from worker.emulator.config import DEFAULT_KEY, EmulatorConfig, Voice
from worker.emulator.errors import NoVoiceError
from worker.emulator.scenario import Scenario, load
from worker.emulator.server import serve
from worker.environment import models_file


def emulate(scenario: Path | None, given: Mapping[str, object], *, port: int, as_json: bool = False) -> None:
    """Serve until interrupted. `given` maps configuration names to the options that were set. Raises
    UnusableEmulatorError: invalid options or scenario; CannotListenError: the address is in use.
    """
    models_file.install()
    options = _options(given)
    found = Scenario() if scenario is None else _scenario(scenario)
    begins = {name: getattr(options, name) for name in given}
    if "port" not in found.model_fields_set | given.keys():
        begins["port"] = port
    config = found.model_copy(update=begins)
    _require_voice(config)
    serve(config, lambda base_url: _announce(config, base_url, as_json=as_json))


def _require_voice(config: Scenario) -> None:
    if config.voice is Voice.ESPEAK:
        # numpy takes long to import, which tones need not pay.
        from worker.emulator.voice.espeak import program  # noqa: PLC0415  (the reason is the line above)

        try:
            program()
        except NoVoiceError as error:
            raise UnusableEmulatorError(str(error), "install espeak-ng, or leave out --voice", []) from None


def _options(given: Mapping[str, object]) -> EmulatorConfig:
    try:
        return EmulatorConfig.model_validate(given)
    except ValidationError as error:
        faults = [str(fault) for fault in faults_of(error)]
        raise UnusableEmulatorError("invalid options", "see `ttsq emulator --help`", faults) from None


def _scenario(path: Path) -> Scenario:
    try:
        return load(path)
    except InvalidInputError as error:
        faults = [str(fault) for fault in error.faults]
        raise UnusableEmulatorError(
            f"invalid scenario {path}", "see docs/emulator.md for the format and an example", faults
        ) from None


def _announce(config: Scenario, base_url: str, *, as_json: bool) -> None:
    # Print the default key only; a key set by the user may be a real one.
    key = config.key if config.key in {DEFAULT_KEY, None} else "<your --key>"
    terminal = Terminal(as_json=as_json)
    if as_json:
        terminal.public(
            json.dumps({"base_url": base_url, "key": DEFAULT_KEY if config.key in {DEFAULT_KEY, None} else None})
        )
        return
    terminal.public(f"Emulator listening at {base_url}. In another terminal:")
    terminal.public(f"  export SEGMIND_BASE_URL={base_url} SEGMIND_API_KEY={key or DEFAULT_KEY}")
    if config.changes:
        last = config.timeline()[-1].at_seconds
        terminal.public(f"{number(len(config.changes), 'change')} scheduled, the last after {last:g} s.")
    terminal.public("Press Ctrl-C to stop.")


DEFAULT_PORT = 8765


def emulator(
    *,
    scenario: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Initial state and timed changes, as TOML or JSON; see docs/emulator.md."),
    ] = None,
    rpm: Annotated[float | None, typer.Option(help="Rate limit, requests per minute.", show_default="no limit")] = None,
    credits: Annotated[  # noqa: A002 - the API's word
        str | None, typer.Option(help="Account balance in US dollars.", show_default="1000")
    ] = None,
    latency: Annotated[float | None, typer.Option(help="Seconds per call.", show_default="0")] = None,
    jitter: Annotated[
        float | None, typer.Option(help="Latency spread, as a fraction from 0 to 1.", show_default="0")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 picks a free one.", show_default=str(DEFAULT_PORT))
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to listen on. Anyone who can reach it can reconfigure the emulator.", show_default="127.0.0.1"
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(help="The only API key accepted.", show_default="a fixed test key")] = None,
    audio_bytes: Annotated[
        int | None,
        typer.Option(help="Return WAV files of exactly this size; workers then need TTSQ_TAKE_CHECKS=off."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the random latencies.", show_default="0")] = None,
    window: Annotated[
        str | None,
        typer.Option(metavar="fixed|sliding|token_bucket", help="Rate-limit algorithm.", show_default="fixed"),
    ] = None,
    voice: Annotated[
        str | None,
        typer.Option(metavar="tones|espeak", help="Speak tones, or words by espeak-ng.", show_default="tones"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as one JSON object.")] = False,
) -> None:
    """Emulate Segmind's API locally, with limits and failures.

    Options override the scenario file.
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
        "voice": voice,
    }
    emulate(
        scenario,
        {name: value for name, value in given.items() if value is not None},
        port=DEFAULT_PORT,
        as_json=as_json,
    )
