"""`ttsq run BOOK`: a document as an input of one row, whose audio is one recording."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from api_models.formats import AudioFormat
from api_models.problems import Fault, InvalidInputError
from api_models.wording import Wording
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.format import number
from worker.cli.console.terminal import Terminal
from worker.cli.run.order import Order
from worker.documents.document import Document
from worker.documents.errors import DocumentError
from worker.documents.join.style import GAP_SECONDS, PRESETS
from worker.documents.plan.plan import Gap, Plan
from worker.documents.readers.files import HTML_SUFFIXES, MARKDOWN_SUFFIXES, SSML_SUFFIXES, read_file
from worker.documents.stored_plan import JoinStyle, Sidecar
from worker.intake.block import Record
from worker.intake.custom_ids import Names
from worker.intake.preparing import RowPreparation
from worker.intake.reader import Judged
from worker.intake.spool import Spool
from worker.intake.validation import Judge, Row
from worker.producer.documents import TWO_SPEAKERS, Source
from worker.scripts.script import ALWAYS
from worker.settings import Settings

RECORDINGS: Final[Mapping[str, AudioFormat]] = {f".{form}": form for form in AudioFormat}
_BOOKS: Final = HTML_SUFFIXES | MARKDOWN_SUFFIXES | SSML_SUFFIXES | {".docx", ".epub", ".pdf"}
"""Suffixes of files that are never sheets."""
_LIKE_A_FILE: Final = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")
MAX_GAP_SECONDS: Final = 30.0


def is_recording(out: Path | None) -> bool:
    return out is not None and out.suffix.lower() in RECORDINGS


def is_document(order: Order) -> bool:
    """Whether the input is spoken as one recording, not line by line."""
    if order.source is None or order.sheet.input_format is not None:
        return False
    return is_recording(order.out) or is_script(order) or order.source.suffix.lower() in _BOOKS


def is_script(order: Order) -> bool:
    """Whether the input has speakers, each with a voice."""
    return bool(order.cast) or (order.source is not None and order.source.suffix.lower() in ALWAYS)


def join_style(preset: str, captions: Sequence[Sidecar], gaps: Sequence[str]) -> JoinStyle:
    """Return what the options say. Raises BadOptionError."""
    if preset and preset not in PRESETS:
        raise BadOptionError("--preset", preset, "is not a preset", f"use {', '.join(PRESETS)}")
    return JoinStyle(preset, gaps_of(gaps), sidecars=tuple(dict.fromkeys(captions)))


def with_stems(captions: Sequence[Sidecar] | None, *, stems: bool) -> Sequence[Sidecar]:
    return [*(captions or ()), *([Sidecar.STEMS] if stems else ())]


def gaps_of(options: Sequence[str]) -> dict[Gap, float]:
    """Return the pauses given as KIND=SECONDS. Raises BadOptionError."""
    gaps: dict[Gap, float] = {}
    settable = [gap.value for gap in Gap if gap is not Gap.END]
    for option in options:
        kind, _, seconds = option.partition("=")
        if kind not in settable:
            raise BadOptionError("--gap", option, "names no kind of place", f"use {', '.join(settable)}")
        try:
            value = float(seconds)
        except ValueError:
            value = -1.0
        if not 0 <= value <= MAX_GAP_SECONDS:
            raise BadOptionError("--gap", option, f"needs seconds from 0 to {MAX_GAP_SECONDS:.0f}", "paragraph=0.7")
        gaps[Gap(kind)] = value
    return {gap: seconds for gap, seconds in gaps.items() if seconds != GAP_SECONDS[gap]}


def read_document(
    order: Order, settings: Settings, terminal: Terminal, prepare: RowPreparation
) -> tuple[Order, Judged]:
    """Read a document as one row. Raises CliError: it can't be read; InvalidInputError: an option doesn't fit."""
    source = order.source or Path()
    check_suffix(order.out)
    if order.defaults.clean is not None:
        message = "applies to texts line by line; a document is read as its name says"
        raise BadOptionError("--clean", order.defaults.clean, message, "leave it out")
    try:
        document = read_file(source, order.sheet.encoding or "")
    except DocumentError as error:
        raise CliError(f"{source.name}: {error}", error.remedy) from None
    except OSError as error:
        raise CliError(f"{source}: {error.strerror or error}") from None
    describe(document, terminal)
    if order.defaults.voice_2 is not None:
        raise BadOptionError("--voice-2", order.defaults.voice_2, TWO_SPEAKERS)
    found = spoken(document, order, prepare, terminal)
    return as_one_row(order, found, document.text, settings, prepare, extra=_markup(found))


def _markup(document: Document) -> dict[str, str]:
    """Return the breaks and voices of a document, because others make another recording."""
    found = {"breaks": document.pauses, "voices": document.voices}
    return {name: json.dumps(places) for name, places in found.items() if places}


def as_one_row(
    order: Order,
    document: Document,
    written: str,
    settings: Settings,
    prepare: RowPreparation,
    *,
    plan: Plan | None = None,
    extra: Mapping[str, str] | None = None,
) -> tuple[Order, Judged]:
    """Return a document as a single row. `written` is its text without a lexicon; `extra` are more columns of the row,
    which make another run. Raises InvalidInputError: an option doesn't fit.
    """
    source = order.source or Path()
    name, form = _name_and_format(order)
    fields = {"text": document.text, "custom_id": name, "format": form}
    judge = Judge(replace(order.defaults, format=None), Names(1), settings.max_text_bytes, long_texts=True)
    found = list(judge(Record(1, 1, fields, _extra(order.style, extra or {}))))
    if faults := [*judge.default_faults, *(item for item in found if isinstance(item, Fault))]:
        raise InvalidInputError(source.name, [fault.model_copy(update={"line": None}) for fault in faults])
    rows = Spool()
    for row in found:
        if isinstance(row, Row):
            _check_format(order.style, row.request.format)
            rows.put(_worded(row, written, prepare))
    style = _named(order, document)
    order = replace(order, sources={name: Source(document, style, plan)})
    if is_recording(order.out):
        order = replace(order, out=(order.out or Path()).parent, recording=order.out)
    return order, Judged(rows, [], 0, whole=False)


def _check_format(style: JoinStyle, form: AudioFormat) -> None:
    """Raises BadOptionError: the preset requires another format."""
    if fault := style.format_fault(form):
        raise BadOptionError("--preset", style.preset, fault, "end --out with .mp3, or use --format mp3")


def spoken(document: Document, order: Order, prepare: RowPreparation, terminal: Terminal) -> Document:
    """Apply the lexicon of the command. Raises CliError."""
    if order.defaults.lexicon is None:
        return document
    from worker.documents.rewording import reworded  # noqa: PLC0415 - most commands name no lexicon
    from worker.text.errors import TextError  # noqa: PLC0415 - likewise

    try:
        lexicon = prepare.find_lexicon(order.defaults.lexicon)
        changed = reworded(document, lexicon)
    except TextError as error:
        raise CliError(str(error), error.remedy) from None
    prepare.labels.add(lexicon.label)
    places = number(len(changed.edits), "place")
    terminal.note(f"Lexicon {lexicon.label}: applies at {places}", style="dim")
    return changed


def _worded(row: Row, written: str, prepare: RowPreparation) -> Row:
    """The row of a document whose text was changed keeps what was written."""
    if not prepare.labels:
        return row
    (label,) = prepare.labels
    wording = Wording(written, label).stored() if row.request.text != written else None
    return replace(row, request=row.request.model_copy(update={"lexicon": label, "wording": wording}))


def check_suffix(out: Path | None) -> None:
    """Raises BadOptionError: it is named like a file of a kind that no recording has, and is no folder."""
    if out is None or is_recording(out) or out.is_dir() or not _LIKE_A_FILE.fullmatch(out.suffix):
        return
    remedy = f"end it with {', '.join(RECORDINGS)}, or create the folder first"
    raise BadOptionError("--out", out.name, "is no format that a recording is written in", remedy)


def _named(order: Order, document: Document) -> JoinStyle:
    defaults = order.defaults
    title, author = defaults.title or document.title, defaults.artist or document.author
    return replace(order.style, title=title, author=author, album=defaults.album or "")


def _name_and_format(order: Order) -> tuple[str, str | None]:
    """Return the recording's name and format. Raises BadOptionError: --format and the suffix of --out differ."""
    given = order.defaults.format
    if order.out is None or not is_recording(order.out):
        return order.stem, given
    form = str(RECORDINGS[order.out.suffix.lower()])
    if given is not None and given.strip().lower().removeprefix(".") != form:
        raise BadOptionError("--format", given, f"differs from the suffix of {order.out.name}", "leave one of them out")
    return order.out.stem, form


def _extra(style: JoinStyle, more: Mapping[str, str]) -> str | None:
    """Return the options of the join as columns of the row, so that other options make another run."""
    given = {
        "preset": style.preset,
        "captions": " ".join(style.sidecars),
        "gaps": " ".join(f"{gap}={seconds:g}" for gap, seconds in style.gaps.items()),
    }
    given = {name: value for name, value in {**given, **more}.items() if value}
    return json.dumps(given) if given else None


def describe(document: Document, terminal: Terminal) -> None:
    if document.skipped:
        kinds = Counter(entry.what for entry in document.skipped)
        summary = ", ".join(number(count, what) for what, count in kinds.most_common())
        terminal.note(f"Not spoken: {summary}; `ttsq plan FILE --skipped` lists them.", style="dim")
    for warning in document.warnings:
        terminal.note(f"warning: {warning}", style="yellow")
