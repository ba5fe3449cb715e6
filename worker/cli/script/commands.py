"""`ttsq script check FILE`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from api_models.hints import did_you_mean
from api_models.registry import DEFAULT_MODEL, MODELS
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.format import cut, duration, money, number
from worker.cli.console.terminal import Terminal
from worker.cli.script.input import read_cast_and_script
from worker.cli.snapshot import amount
from worker.documents.plan.plan import Part, Plan
from worker.environment import models_file
from worker.scripts.cast.cast import Assigned, Cast, Role, assign
from worker.scripts.plan import plan as plan_script
from worker.scripts.plan import price
from worker.scripts.script import NARRATOR, Script, folded, skipped_kinds, without_tags

_NAME: Final = 40
"""Characters of a name in the table."""

app = typer.Typer(
    name="script",
    add_completion=False,
    help="Check scripts of several speakers. Buys nothing.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    pass


@app.command("check")
def check(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="`Name: words`, Fountain, JSON, CSV, .xlsx, Markdown, .srt, .vtt or .ass."),
    ],
    *,
    cast: Annotated[
        str, typer.Option(metavar="FILE|NAME", help="A cast's file, or its name with an optional @VERSION.")
    ] = "",
    model: Annotated[str, typer.Option(help="Model of roles that name none.")] = DEFAULT_MODEL,
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Encoding of a text file if not UTF-8.")] = "",
    turns: Annotated[bool, typer.Option("--turns", help="Print every turn as it is understood.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the speakers of a script: turns, length and price. Buys nothing."""
    terminal = Terminal(as_json=as_json)
    models_file.install()
    if model not in MODELS:
        raise BadOptionError(
            "--model", model, f"is not a model{did_you_mean(model, MODELS)}", f"use {', '.join(MODELS)}"
        )
    try:
        chosen, script = read_cast_and_script(file, cast, encoding, model, terminal)
    except OSError as error:
        raise CliError(f"{error.filename or file}: {error.strerror or error}") from None
    assigned = assign(script, chosen or _anyone(script, model), file.name)
    plan = plan_script(assigned)
    speakers = _Speakers.of(assigned, plan)
    terminal.data(_data(file, plan, speakers, chosen))
    if not as_json:
        _show(terminal, file, plan, speakers, chosen)
        if turns:
            _show_turns(terminal, assigned)


def _anyone(script: Script, model: str) -> Cast:
    """Return a cast in which every speaker has the model's default voice, for lengths and prices."""
    voice = MODELS[model].default_voice
    names = [name for name in script.speakers().values() if name]
    needs_narrator = any(not turn.speaker and not turn.is_silent_alone for turn in script.turns())
    roles = {folded(name): Role(name, voice, model) for name in names}
    return Cast(roles | ({NARRATOR: Role(NARRATOR, voice, model)} if needs_narrator else {}))


class _Speakers:
    """What each speaker says and costs, in the order of appearance."""

    def __init__(self) -> None:
        self.names: dict[str, Role] = {}
        self.turns: dict[str, int] = defaultdict(int)
        self.parts: dict[str, list[Part]] = defaultdict(list)

    @classmethod
    def of(cls, assigned: Assigned, plan: Plan) -> _Speakers:
        found = cls()
        for turn in assigned.script.turns():
            role = assigned.role(turn)
            found.names.setdefault(role.name, role)
            found.turns[role.name] += 1
        for part in plan.parts:
            if part.delivery is not None:
                found.parts[part.delivery.speaker].append(part)
        return found

    def cost(self, names: Iterable[str]) -> Decimal:
        return price(part for name in names for part in self.parts[name])


def _seconds(parts: Sequence[Part]) -> float:
    return sum(part.seconds for part in parts)


def _data(file: Path, plan: Plan, speakers: _Speakers, cast: Cast | None) -> Mapping[str, Any]:
    document = plan.document
    return {
        "source": file.name,
        "title": document.title,
        "language": plan.language,
        "cast": cast.label if cast is not None else "",
        "parts": len(plan.parts),
        "seconds": round(plan.seconds, 1),
        "cost": amount(speakers.cost(speakers.names)),
        "speakers": [
            {
                "name": name,
                "turns": speakers.turns[name],
                "parts": len(speakers.parts[name]),
                "seconds": round(_seconds(speakers.parts[name]), 1),
                "cost": amount(speakers.cost([name])),
                **({"voice": role.voice, "model": role.model} if cast is not None else {}),
            }
            for name, role in speakers.names.items()
        ],
        "scenes": [chapter.title for chapter in document.chapters],
        "skipped": [{"what": entry.what, "where": entry.where, "text": entry.text} for entry in document.skipped],
        "warnings": [*(cast.warnings() if cast is not None else ()), *document.warnings],
    }


def _show(terminal: Terminal, file: Path, plan: Plan, speakers: _Speakers, cast: Cast | None) -> None:
    document = plan.document
    terminal.result(Text(document.title or file.name, style="bold"))
    terminal.result(_table(speakers, with_voices=cast is not None))
    if document.skipped:
        kinds = ", ".join(number(count, what) for what, count in skipped_kinds(document.skipped).items())
        terminal.result(f"Not spoken: {kinds}.")
    for warning in (*(cast.warnings() if cast is not None else ()), *document.warnings):
        terminal.warn(Text.assemble(("warning: ", "yellow"), warning))
    hint = "" if cast is not None else f" `ttsq cast suggest {file}` proposes voices."
    terminal.note(f"Prices are the vendor's averages. Nothing was queued or charged.{hint}", style="dim")


def _table(speakers: _Speakers, *, with_voices: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("SPEAKER", no_wrap=True)
    for name in ("TURNS", "CALLS", "LENGTH", "COST"):
        table.add_column(name, justify="right", no_wrap=True)
    if with_voices:
        table.add_column("VOICE", no_wrap=True)
    for name, role in speakers.names.items():
        voice = [role.voice] if with_voices else []
        table.add_row(Text(cut(name, _NAME)), *_figures(speakers, [name]), *voice)
    table.add_row(Text("total", style="bold"), *_figures(speakers, list(speakers.names)))
    return table


def _figures(speakers: _Speakers, names: Sequence[str]) -> tuple[str, str, str, str]:
    parts = [part for name in names for part in speakers.parts[name]]
    turns = sum(speakers.turns[name] for name in names)
    return f"{turns:,}", f"{len(parts):,}", duration(_seconds(parts)), money(speakers.cost(names))


def _show_turns(terminal: Terminal, assigned: Assigned) -> None:
    for scene in assigned.script.scenes:
        if scene.title:
            terminal.result(Text(f"\n{scene.title}", style="bold"))
        for turn in scene.turns:
            marks = [turn.direction, f"after {turn.pause:g} s" if turn.pause is not None else ""]
            marks += [f"{turn.overlap:g} s early"] if turn.overlap else []
            shown = ", ".join(filter(None, marks))
            terminal.result(
                Text.assemble(
                    (f"{turn.line:>5}  ", "dim"),
                    (assigned.role(turn).name, "bold"),
                    (f" ({shown})" if shown else "", "dim"),
                    f": {without_tags(turn.text)}",
                )
            )
