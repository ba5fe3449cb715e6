"""The bundled emulator in the foreground, and how to point the queue at it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import typer
from pydantic import ValidationError

from api_models.problems import InvalidInputError, faults_of
from worker.cli.talk.errors import UnusableEmulatorError
from worker.cli.talk.wording import number
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
