"""`ttsq run SCRIPT --cast CAST`: a script as a document whose parts have a voice each."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from api_models.registry import DEFAULT_MODEL
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.terminal import Terminal
from worker.cli.run.document import as_one_row, check_suffix, describe, spoken
from worker.cli.run.order import Order
from worker.cli.script.input import read_cast_and_script
from worker.documents.document import Document
from worker.documents.plan.plan import Plan
from worker.intake.preparing import RowPreparation
from worker.intake.reader import Judged
from worker.scripts.cast.cast import assign
from worker.scripts.plan import plan as plan_script
from worker.settings import Settings

_DIGEST: Final = 16
"""Hexadecimal digits that identify a plan among the runs of one script."""


def read_script_order(
    order: Order, settings: Settings, terminal: Terminal, prepare: RowPreparation
) -> tuple[Order, Judged]:
    """Read a script and its cast as one row. Raises CliError, InvalidInputError."""
    source, model = order.source or Path(), order.defaults.model or DEFAULT_MODEL
    check_suffix(order.out)
    for option, voice in (("--voice", order.defaults.voice_1), ("--voice-2", order.defaults.voice_2)):
        if voice is not None:
            raise BadOptionError(option, voice, "is for texts without speakers; a script's voices are in its cast")
    try:
        cast, script = read_cast_and_script(source, order.cast, order.sheet.encoding or "", model, terminal)
    except OSError as error:
        raise CliError(f"{error.filename or source}: {error.strerror or error}") from None
    if cast is None:
        remedy = f"propose one with `ttsq cast suggest {source} --out cast.toml`, and add --cast cast.toml"
        raise CliError(f"{source.name} is a script, and has no cast", remedy)
    assigned = assign(script, cast, source.name)
    for warning in cast.warnings():
        terminal.note(f"warning: {warning}", style="yellow")
    written: list[str] = []

    def reworded(document: Document) -> Document:
        written.append(document.text)
        return spoken(document, order, prepare, terminal)

    plan = plan_script(assigned, settings.max_text_bytes, reworded)
    describe(plan.document, terminal)
    extra = {"cast": cast.label, "turns": digest(plan)}
    return as_one_row(order, plan.document, written[0], settings, prepare, plan=plan, extra=extra)


def digest(plan: Plan) -> str:
    """Identify what is said by whom, and how: another cast makes another run."""
    said = "\n".join(f"{part.spoken!r} {part.delivery!r} {part.gap} {part.pause}" for part in plan.parts)
    return hashlib.sha256(said.encode()).hexdigest()[:_DIGEST]
