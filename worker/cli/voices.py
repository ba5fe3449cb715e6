"""`ttsq voices`."""

from __future__ import annotations

from typing import Annotated

import typer

from api_models.registry import MODELS, VOICES
from worker.cli.console.terminal import Terminal
from worker.environment import models_file


def voices(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per voice.")] = False,
) -> None:
    """List voices, their character and the models that support them."""
    terminal = Terminal(as_json=as_json)
    models_file.install()
    defaults = {model.default_voice: model.slug for model in MODELS.values()}
    for name, character in VOICES.items():
        models = [model.slug for model in MODELS.values() if name in model.voices]
        terminal.data({"name": name, "character": character, "models": models})
        if not as_json:
            note = f"  default of {defaults[name]}" if name in defaults else ""
            terminal.result(f"{name:<14} {character:<13}{note}".rstrip())
    if not as_json:
        terminal.note(f"\n{len(VOICES)} voices. {_who_has_them()}", style="dim")


def _who_has_them() -> str:
    """Which models have all voices; a user's model may have others."""
    whole = [model.slug for model in MODELS.values() if set(VOICES) <= set(model.voices)]
    if len(whole) == len(MODELS):
        return f"{' and '.join(whole)} support all of them."
    return "`ttsq models show MODEL` lists those of one model."
