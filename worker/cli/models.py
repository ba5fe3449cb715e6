"""`ttsq models`: the registry, and the check of a file that adds to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from api_models.hints import did_you_mean, quoted
from api_models.model_notices import notices
from api_models.registry import DEFAULT_MODEL, MODELS
from api_models.speech_model import Certainty, PriceRow, PriceUnit, SpeechModel, today
from worker.cli.console import complete
from worker.cli.console.errors import CliError
from worker.cli.console.exits import Exit
from worker.cli.console.format import exact, number
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import amount
from worker.environment import models_file

UNITS = {
    PriceUnit.CALL: "a call",
    PriceUnit.MILLION_CHARACTERS: "a million characters",
    PriceUnit.MILLION_TOKENS: "a million tokens of audio",
    PriceUnit.MINUTE: "a minute of audio",
}

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per model.")]

app = typer.Typer(name="models", add_completion=False, help="List, show and check speech models.", no_args_is_help=True)


class UnknownModelError(CliError):
    def __init__(self, name: str) -> None:
        hint = did_you_mean(name, MODELS)
        super().__init__(
            f"no model {quoted(name)}{hint}", f"use {', '.join(MODELS)}; docs/models.md says how to add one"
        )


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models with today's prices and their notices."""
    terminal = Terminal(as_json=as_json)
    models_file.install()
    for model in MODELS.values():
        terminal.data(facts(model))
    if as_json:
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("MODEL", "PRICE TODAY", "VOICES", "SPEAKERS", "TAGS", "LAST DAY", "FROM"):
        table.add_column(name, no_wrap=name != "FROM")
    for model in MODELS.values():
        source = "TTSQ_MODELS" if model.slug in MODELS.own else "built in"
        price = describe_price(model.price_row(today()))
        last = str(model.sunset or "")
        table.add_row(model.slug, price, str(len(model.voices)), str(model.max_speakers), model.tags, last, source)
    terminal.result(table)
    _warn(terminal, list(MODELS.values()))


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Its slug.", autocompletion=complete.models)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show everything the registry has of one model, and how sure each fact is."""
    terminal = Terminal(as_json=as_json)
    models_file.install()
    slug = MODELS.named(name)
    if slug is None:
        raise UnknownModelError(name)
    model = MODELS[slug]
    terminal.data(facts(model))
    if as_json:
        return
    for fact, value, certainty in _described(model):
        note = "" if certainty is Certainty.PUBLISHED else f"  ({certainty})"
        terminal.result(Text.assemble((fact.ljust(18), "dim"), value, (note, "yellow")))
    _warn(terminal, [model])


@app.command("check")
def check_models(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A models file; default: that of TTSQ_MODELS.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check a models file: every error with its line, and what ends soon. Changes nothing."""
    terminal = Terminal(as_json=as_json)
    path = file or models_file.named()
    if path is None:
        raise CliError("no models file is named", "give FILE, or set TTSQ_MODELS")
    found = models_file.read(path.expanduser())
    warnings = notices(found.values(), today())
    terminal.data(
        {
            "ok": True,
            "models": list(found),
            "notices": [{"model": one.slug, "kind": one.kind, "message": one.message} for one in warnings],
        }
    )
    if not as_json:
        terminal.result(f"{path}: {number(len(found), 'model')}, no errors: {', '.join(found)}")
        _warn(terminal, list(found.values()))
    return Exit.DONE


def describe_price(row: PriceRow) -> str:
    price = f"{exact([row.amount])[0]} {UNITS[row.unit]}"
    return f"{price}, {exact([row.input_amount])[0]} of text" if row.input_amount else price


def facts(model: SpeechModel) -> dict[str, Any]:
    """The entry as JSON: the keys of a models file, with what is derived from them."""
    return {
        "slug": model.slug,
        "title": model.title,
        "default": model.slug == DEFAULT_MODEL,
        "built_in": model.slug not in MODELS.own,
        "api_versions": list(model.api_versions),
        "default_voice": model.default_voice,
        "voices": dict(model.descriptors),
        "tags": model.tags,
        "style": model.style,
        "max_speakers": model.max_speakers,
        "max_text_bytes": model.max_text_bytes,
        "max_input_tokens": model.max_input_tokens,
        "max_audio_seconds": model.max_audio_seconds,
        "tokens_per_second": float(model.tokens_per_second),
        "mean_seconds": model.mean_seconds,
        "parameters": {
            name: {
                "name": known.name,
                "minimum": known.minimum,
                "maximum": known.maximum,
                "default": known.default,
                "required": known.required,
            }
            for name, known in model.parameters.items()
        },
        "constants": dict(model.constants),
        "price_today": amount(model.price),
        "prices": [_row(row) for row in model.prices],
        "capabilities": sorted(model.capabilities),
        "successor": model.successor,
        "sunset": None if model.sunset is None else model.sunset.isoformat(),
        "certainty": dict(model.certainty),
        "notices": [notice.message for notice in notices([model], today())],
    }


def _row(row: PriceRow) -> dict[str, str | None]:
    return {
        "amount": amount(row.amount),
        "unit": row.unit,
        "input_amount": amount(row.input_amount),
        "valid_from": None if row.valid_from is None else row.valid_from.isoformat(),
        "valid_until": None if row.valid_until is None else row.valid_until.isoformat(),
    }


def _described(model: SpeechModel) -> Iterator[tuple[str, str, Certainty]]:
    lines = {
        "model": model.slug,
        "title": model.title,
        "api_versions": ", ".join(model.api_versions),
        "prices": "; ".join(map(_dated, model.prices)),
        "voices": f"{len(model.voices)}: {', '.join(model.voices)}",
        "default_voice": model.default_voice,
        "parameters": ", ".join(_parameter(model, field) for field in model.parameters),
        "constants": ", ".join(f"{name} = {value!r}" for name, value in model.constants.items()),
        "tags": {"square": "[sigh]", "angle": "<sigh>", "none": "none; they may be read aloud"}[model.tags],
        "style": {"prefix": "before the text", "field": "in a parameter", "none": "none"}[model.style],
        "max_speakers": str(model.max_speakers),
        "max_text_bytes": f"{model.max_text_bytes:,}",
        "max_input_tokens": "" if model.max_input_tokens is None else f"{model.max_input_tokens:,}",
        "max_audio_seconds": "" if model.max_audio_seconds is None else f"{model.max_audio_seconds:g}",
        "tokens_per_second": f"{model.tokens_per_second:g}",
        "mean_seconds": f"{model.mean_seconds:g}",
        "capabilities": ", ".join(sorted(model.capabilities)),
        "successor": model.successor or "",
        "sunset": str(model.sunset or ""),
    }
    for fact, value in lines.items():
        if value:
            yield fact, value, model.certainty.get(fact, Certainty.PUBLISHED)


def _dated(row: PriceRow) -> str:
    begins = "" if row.valid_from is None else f" from {row.valid_from}"
    return describe_price(row) + begins + ("" if row.valid_until is None else f" until {row.valid_until}")


def _parameter(model: SpeechModel, field: str) -> str:
    known = model.parameters[field]
    sent = field if known.name == field else f"{field} as {known.name}"
    if known.minimum is None and known.maximum is None:
        return sent
    low, high = (None if bound is None else f"{bound:g}" for bound in (known.minimum, known.maximum))
    return f"{sent} ({low or '…'} to {high or '…'})"


def _warn(terminal: Terminal, models: list[SpeechModel]) -> None:
    for notice in notices(models, today()):
        terminal.warn(Text.assemble(("warning: ", "yellow"), f"{notice.message}; {notice.remedy}"))
