"""Divides a cast script into parts: one voice each, usually one turn; short turns of one speaker share a part."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Final

from api_models.registry import MODELS
from api_models.speech_model import StyleChannel, TagDialect
from worker.documents.document import Block, BlockKind, Document, DocumentBuilder
from worker.documents.plan.duration import seconds
from worker.documents.plan.languages import guess, primary
from worker.documents.plan.limits import PartLimits
from worker.documents.plan.plan import Delivery, Gap, Outline, Part, Plan, Planner, Stretch
from worker.documents.plan.spoken import MIN_CHARACTERS, spoken
from worker.scripts.cast.cast import Assigned, Role
from worker.scripts.readers.builder import INTERRUPTED
from worker.scripts.script import INLINE_TAG, Turn, skip, without_tags

DIRECTION_BYTES: Final = 600
"""UTF-8 bytes of a request that are kept for directions and the style of the speaker."""
MAX_DIRECTION_CHARACTERS: Final = 120
_TAGS: Final = {TagDialect.SQUARE: ("[", "]"), TagDialect.ANGLE: ("<", ">")}
_BRACKETS: Final = re.compile(r"[\[\]<>{}\n]+")


@dataclass(frozen=True, slots=True)
class Line:
    """One turn, or several short ones of one speaker."""

    role: Role
    text: str
    direction: str
    first: Turn
    begins_scene: bool = False

    @property
    def is_short(self) -> bool:
        return len(self.text) < MIN_CHARACTERS


@dataclass(frozen=True, slots=True)
class _Piece:
    line: Line
    start: int
    end: int
    block: Block
    ends_line: bool


def lines(assigned: Assigned, target_seconds: float = PartLimits().target_seconds) -> list[Line]:
    """Return the turns with their roles; a short turn and its neighbour of the same speaker are one line."""
    found: list[Line] = []
    for scene in assigned.script.scenes:
        for index, turn in enumerate(scene.turns):
            line = Line(assigned.role(turn), _joined(turn.text), turn.direction, turn, begins_scene=not index)
            if found and _share(found[-1], line, target_seconds):
                found[-1] = replace(found[-1], text=f"{_ended(found[-1].text)}\n{line.text}")
            else:
                found.append(line)
    return found


def _share(before: Line, line: Line, target_seconds: float) -> bool:
    return (
        before.role is line.role
        and not line.begins_scene
        and line.first.pause is None
        and before.direction == line.direction
        and (before.is_short or line.is_short)
        and seconds(before.text) + seconds(line.text) <= target_seconds
    )


def _joined(text: str) -> str:
    """Return a turn's words with a dash where they are interrupted."""
    return INTERRUPTED.sub("—", text.rstrip())


def _ended(text: str) -> str:
    return text if text[-1:] in ".!?…。！？;:,—–" else f"{text}."


def plan(
    assigned: Assigned, max_bytes: int | None = None, reworded: Callable[[Document], Document] = lambda found: found
) -> Plan:
    """Divide a script into parts, each with its delivery. `max_bytes` limits one request's text; `reworded` changes
    words, such as by a lexicon, and leaves the blocks.
    """
    found = lines(assigned)
    document = reworded(_document(assigned, found))
    pieces = list(_pieces(document, found, max_bytes))
    outline = Outline(document)
    shares = pairwise([0, *(piece.start for piece in pieces[1:]), len(document.text)])
    language = primary(document.language) or guess(document.text)
    parts = [
        replace(_part(document, piece, outline, language), start=share[0], end=share[1], gap=gap, pause=pause)
        for share, piece, (gap, pause) in zip(shares, pieces, _gaps(pieces, outline), strict=True)
    ]
    return Plan(document, language, tuple(parts))


def price(parts: Iterable[Part]) -> Decimal:
    """Return today's list price of turns in US dollars."""
    calls: dict[str, list[int]] = {}
    for part in parts:
        if part.delivery is not None:
            calls.setdefault(part.delivery.model, []).append(len(part.spoken))
    return sum((MODELS.price_of(model, sum(sizes), len(sizes)) for model, sizes in calls.items()), Decimal(0))


def _document(assigned: Assigned, found: Sequence[Line]) -> Document:
    script = assigned.script
    builder = DocumentBuilder(script.title, script.author, script.language, list(script.warnings), list(script.skipped))
    titles = iter(scene.title for scene in script.scenes)
    for line in found:
        if line.begins_scene and (title := next(titles)):
            builder.chapter(title)
        builder.block(BlockKind.TURN, line.text)
    builder.skipped += [skip("action without a narrator", turn.line, turn.text) for turn in assigned.silent]
    builder.warnings += _unsaid(found)
    return builder.build()


def _unsaid(found: Iterable[Line]) -> Iterator[str]:
    """Yield a warning for each model that can't be directed as the script or the cast wants."""
    listed = list(found)
    for slug in dict.fromkeys(line.role.model for line in listed):
        lines_of = [line for line in listed if line.role.model == slug]
        model = MODELS[slug]
        if not model.understands_tags and any(line.direction or INLINE_TAG.search(line.text) for line in lines_of):
            yield f"{slug} takes no directions such as [whispering]; they are left out"
        styled = dict.fromkeys(line.role.name for line in lines_of if line.role.style)
        if styled and not model.understands_tags and model.style is not StyleChannel.PREFIX:
            yield f"{slug} takes no style in its text; that of {', '.join(styled)} is left out"


def _pieces(document: Document, found: Sequence[Line], max_bytes: int | None) -> Iterator[_Piece]:
    planners: dict[tuple[str, str], Planner] = {}
    for block, line in zip(document.blocks, found, strict=True):
        key = line.role.model, line.role.language
        if key not in planners:
            room = (max_bytes or MODELS[line.role.model].max_text_bytes) - DIRECTION_BYTES
            planners[key] = Planner.of(document, PartLimits(max_bytes=max(room, 100)), line.role.language)
        ends = list(planners[key].pieces(Stretch((block,), block.start, block.end)))
        for index, (start, end) in enumerate(ends):
            yield _Piece(line, start, end, block, index == len(ends) - 1)


def _part(document: Document, piece: _Piece, outline: Outline, language: str) -> Part:
    role, text = piece.line.role, document.text[piece.start : piece.end]
    by = Delivery(role.name, role.model, role.voice, role.gain_db, role.pace)
    length = seconds(without_tags(text)) / role.pace
    said = _said(text, piece.line, primary(role.language) or language)
    shown = without_tags(text)
    return Part(piece.start, piece.end, said, length, outline.chapter(piece.start), Gap.END, delivery=by, shown=shown)


def _gaps(pieces: Sequence[_Piece], outline: Outline) -> Iterator[tuple[Gap, float | None]]:
    for piece, following in pairwise(pieces):
        yield _between(piece, following, outline)
    yield Gap.END, None


def _between(piece: _Piece, following: _Piece, outline: Outline) -> tuple[Gap, float | None]:
    """Return what separates a piece from the next one, and the seconds if the script says them."""
    if not piece.ends_line:
        return outline.gap(piece.end, following.start), None
    turn = following.line.first
    if following.line.begins_scene:
        gap = Gap.SCENE
    else:
        gap = Gap.THOUGHT if following.line.role is piece.line.role else Gap.REPLY
    if turn.pause is not None:
        return gap, turn.pause
    return gap, -turn.overlap if turn.overlap and gap is Gap.REPLY else None


def _said(text: str, line: Line, language: str) -> str:
    """Return what is sent: the words, behind the speaker's style and the direction, as the model takes them."""
    model, style = MODELS[line.role.model], line.role.style
    if model.understands_tags:
        opening, closing = _TAGS[model.tags]
        words = INLINE_TAG.sub(lambda tag: f"{opening}{tag[0][1:-1]}{closing}", text)
        notes = [note for note in (style, line.direction) if note]
        return "".join(f"{opening}{_note(note)}{closing} " for note in notes) + spoken(words, language)
    words = spoken(without_tags(text), language)
    return f"Say in this style ({_note(style)}): {words}" if style and model.style is StyleChannel.PREFIX else words


def _note(note: str) -> str:
    return " ".join(_BRACKETS.sub(" ", note).split())[:MAX_DIRECTION_CHARACTERS]
