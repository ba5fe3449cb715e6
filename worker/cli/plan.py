"""`ttsq plan FILE`."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from api_models.hints import did_you_mean, quoted
from api_models.registry import DEFAULT_MODEL, MODELS
from api_models.speech_model import SpeechModel
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.format import cut, duration, money, number
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import amount
from worker.documents.document import Document
from worker.documents.errors import DocumentError
from worker.documents.plan.limits import PartLimits
from worker.documents.plan.plan import Part, Plan
from worker.documents.plan.plan import plan as plan_document
from worker.documents.readers.files import read_file
from worker.environment import models_file

USUAL: Final = PartLimits()
OPENING: Final = "(before the first chapter)"
_TITLE: Final = 50
"""Characters of a chapter's title in the table."""


def plan(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Text, Markdown, HTML, .docx, .epub, .pdf, .srt or .vtt."),
    ],
    *,
    model: Annotated[str, typer.Option(help="Model whose limits and price apply.")] = DEFAULT_MODEL,
    language: Annotated[
        str, typer.Option(metavar="TAG", help="Language of the text, such as de or pt-BR.", show_default="the file's")
    ] = "",
    target: Annotated[
        float, typer.Option(metavar="SECONDS", help="Length that parts should have.", min=5, max=120)
    ] = USUAL.target_seconds,
    maximum: Annotated[
        float, typer.Option("--max", metavar="SECONDS", help="Length that no part exceeds.", min=10, max=180)
    ] = USUAL.max_seconds,
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Encoding of a text file if not UTF-8.")] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Write the parts to a new sheet, for `ttsq run`.")
    ] = None,
    parts: Annotated[bool, typer.Option("--parts", help="Print every part.")] = False,
    skipped: Annotated[bool, typer.Option("--skipped", help="Print everything that is not spoken.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how a book or long text is divided into parts. Buys nothing."""
    terminal = Terminal(as_json=as_json)
    models_file.install()
    if model not in MODELS:
        raise BadOptionError(
            "--model", model, f"is not a model{did_you_mean(model, MODELS)}", f"use {', '.join(MODELS)}"
        )
    if target > maximum:
        raise BadOptionError("--target", f"{target:g}", f"exceeds --max, {maximum:g} seconds")
    limits = PartLimits(target, maximum, MODELS[model].max_text_bytes)
    found = _planned(file, limits, language, encoding)
    terminal.data(_data(file, found, MODELS[model]))
    if not as_json:
        _show(terminal, file, found, MODELS[model], parts=parts, skipped=skipped)
    if out is not None:
        _write(out, found)
        terminal.note(f"Wrote {number(len(found.parts), 'part')} to {out}; speak them with `ttsq run {out}`.")


def _planned(file: Path, limits: PartLimits, language: str, encoding: str) -> Plan:
    try:
        return plan_document(read_file(file, encoding), limits, language)
    except DocumentError as error:
        raise CliError(f"{file.name}: {error}", error.remedy) from None
    except OSError as error:
        raise CliError(f"{file}: {error.strerror or error}") from None


def _show(terminal: Terminal, file: Path, found: Plan, model: SpeechModel, *, parts: bool, skipped: bool) -> None:
    document = found.document
    about = ", ".join(filter(None, (document.title, document.author)))
    terminal.result(Text(about or file.name, style="bold"))
    terminal.result(_table(found, model))
    if parts:
        for index, part in enumerate(found.parts, 1):
            terminal.result(Text.assemble((f"\n{index}  {duration(part.seconds)}  ", "dim"), part.spoken))
    if document.skipped:
        kinds = Counter(entry.what for entry in document.skipped)
        summary = ", ".join(f"{number(count, what)}" for what, count in kinds.most_common())
        terminal.result(f"Not spoken: {summary}." + ("" if skipped else " --skipped lists them."))
    if skipped:
        for entry in document.skipped:
            terminal.result(f"  {entry.where}: {entry.what}" + (f" {quoted(entry.text)}" if entry.text else ""))
    for warning in document.warnings:
        terminal.warn(Text.assemble(("warning: ", "yellow"), warning))
    usual = duration(found.seconds / len(found.parts))
    price = f"The price is {money(model.price)} a call, the vendor's average; calls of {usual} may cost more."
    terminal.note(f"{price} Nothing was queued or charged.", style="dim")


def _chapters(found: Plan) -> Iterator[tuple[str, list[Part]]]:
    for chapter, parts in groupby(found.parts, key=lambda part: part.chapter):
        yield _title(found.document, chapter), list(parts)


def _title(document: Document, chapter: int) -> str:
    if chapter >= 0:
        return document.chapters[chapter].title
    return OPENING if document.chapters else "(no chapters)"


def _table(found: Plan, model: SpeechModel) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("CHAPTER", no_wrap=True)
    for name in ("PARTS", "LENGTH", "COST"):
        table.add_column(name, justify="right", no_wrap=True)
    for title, parts in _chapters(found):
        table.add_row(Text(cut(title, _TITLE)), *_figures(parts, model))
    table.add_row(Text("total", style="bold"), *_figures(found.parts, model))
    return table


def _figures(parts: list[Part] | tuple[Part, ...], model: SpeechModel) -> tuple[str, str, str]:
    seconds = sum(part.seconds for part in parts)
    cost = model.price_today.of(sum(len(part.spoken) for part in parts), len(parts))
    return f"{len(parts):,}", duration(seconds), money(cost)


def _data(file: Path, found: Plan, model: SpeechModel) -> dict[str, Any]:
    document = found.document
    return {
        "source": file.name,
        "title": document.title,
        "author": document.author,
        "language": found.language,
        "model": model.slug,
        "characters": len(document.text),
        "seconds": round(found.seconds, 1),
        "cost": amount(model.price_today.of(len(document.text), len(found.parts))),
        "chapters": [chapter.title for chapter in document.chapters],
        "parts": [
            {
                "chapter": part.chapter if part.chapter >= 0 else None,
                "start": part.start,
                "end": part.end,
                "seconds": round(part.seconds, 1),
                "gap": part.gap,
                "text": part.spoken,
            }
            for part in found.parts
        ],
        "skipped": [{"what": entry.what, "where": entry.where, "text": entry.text} for entry in document.skipped],
        "warnings": list(document.warnings),
    }


def _write(path: Path, found: Plan) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(("custom_id", "text", "chapter", "gap"))
            for index, part in enumerate(found.parts, 1):
                title = _title(found.document, part.chapter) if part.chapter >= 0 else ""
                rows.writerow((f"part_{index:04}", part.spoken, title, part.gap))
    except FileExistsError:
        raise BadOptionError("--out", str(path), "exists already", "name a new file") from None
    except OSError as error:
        raise BadOptionError("--out", str(path), f"can't be written: {error.strerror or error}") from None
