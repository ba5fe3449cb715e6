"""A command group that imports a command's module when the command runs or shows its own help."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command, get_group

from worker.cli.console.parameters import PlainGroup, plain
from worker.process.memory import freeze_startup_objects


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: `target` is `module:attribute`, naming a Typer application or a function."""

    name: str
    target: str
    summary: str
    """First line of the command's own help."""
    panel: str


def load(entry: Entry) -> Any:  # noqa: ANN401 - typer does not export its command classes
    """Import a command and build its Click command."""
    module, _, attribute = entry.target.partition(":")
    found = getattr(import_module(module), attribute)
    if not gc.isenabled():
        freeze_startup_objects()
    if isinstance(found, typer.Typer):
        command: Any = get_group(found)  # a group even if it has a single command
    else:
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(entry.name)(found)
        command = get_command(alone)
    command.name = entry.name
    return plain(command)


class LazyGroup(PlainGroup):
    """List `entries` without importing them. Subclasses set `entries`."""

    entries: tuple[Entry, ...] = ()

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(**options)
        for entry in self.entries:
            self.add_command(TyperCommand(entry.name, help=entry.summary, rich_help_panel=entry.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - typer's own
        name, command, rest = super().resolve_command(ctx, args)
        entry = next((entry for entry in self.entries if entry.name == name), None)
        return name, command if entry is None else load(entry), rest
