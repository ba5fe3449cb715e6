"""Maps column names to fields: by exact name, ignoring case, or by a common alias."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from api_models.encodings import TAG_FIELDS
from api_models.hints import closest, quoted
from api_models.speech import JobRequest
from worker.intake.sheet_options import SheetOptions

TEXT: Final = "text"
"""The only required column."""
NAME: Final = "custom_id"

SHARED: Final = frozenset(TAG_FIELDS)
"""Fields whose columns are copied to the manifest as well: a sheet's `Title` is often its own."""

FIELDS: Final = tuple(name for name in JobRequest.model_fields if name not in ("wording", "clean"))
"""All columns or keys that a row may have."""

MAX_HINTS: Final = 20
"""Maximum number of unknown columns to compare; each comparison takes about a millisecond."""
CLOSE: Final = 0.8
"""difflib's ratio above which an unknown column counts as misspelt."""
MIN_HINT_CHARACTERS: Final = 4

_ASIDES: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
"""`Text (max. 500 characters)`."""

_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    TEXT: (
        "script",
        "texts",
        "txt",
        "copy",
        "narration",
        "transcript",
        "voiceover",
        "voiceovertext",
        "vo",
        "sentence",
        "content",
        "body",
        "input",
        "message",
        "dialogue",
        "dialog",
        "prompt",
        "utterance",
        "speech",
        "spokentext",
        "texttospeak",
        "texttospeech",
        "tts",
        "ttstext",
        "words",
        "postcontent",
        "skript",
        "sprechertext",
        "sprechtext",
        "inhalt",
        "satz",
        "texte",
        "contenu",
        "texto",
        "contenido",
        "guion",
        "testo",
        "tekst",
        "текст",
        "テキスト",
        "本文",
        "セリフ",
        "文本",
        "台词",
        "텍스트",
        "대사",
    ),
    NAME: (
        "id",
        "identifier",
        "key",
        "slug",
        "lineid",
        "textid",
        "scriptid",
        "audioid",
        "clipid",
        "postid",
        "identifiant",
    ),
    "voice_1": (
        "voice",
        "voicename",
        "voiceid",
        "speakervoice",
        "stimme",
        "voix",
        "voz",
        "voce",
        "stem",
        "głos",
        "голос",
        "音声",
        "声音",
        "목소리",
    ),
    "voice_2": ("secondvoice", "voicetwo"),
    "model": ("modelname", "modelid", "ttsmodel"),
}
"""Folded names of columns that stand for a field."""


@lru_cache(maxsize=4_096)
def folded(name: str) -> str:
    """Compared by letters and digits alone. Cached, because every field is looked for among all columns."""
    plain = unicodedata.normalize("NFKC", _ASIDES.sub("", name)).casefold()
    return "".join(filter(str.isalnum, plain)) or name.casefold()


_WORDS: Final = re.compile(r"[^\W\d_]+")
_NO_TEXTS: Final = frozenset({"length", "count", "id", "notes", "note", "status", "date", "file", "url", "type", "alt"})
"""Words that make `Text length` a column of something else."""


def names_text(name: str) -> int:
    """1 if a word of the name stands for texts, as in `VO Script` or `fields.text.en-US`; -1 if it is their length."""
    words = {word.casefold() for word in _WORDS.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))}
    if words & _NO_TEXTS:
        return -1
    return 1 if not words.isdisjoint({TEXT, *_ALIASES[TEXT]}) else 0


_BY_FOLD: Final = {folded(name): name for name in FIELDS}


@dataclass(slots=True)
class Resolved:
    """The field of each column, None for extra columns; and problems by column name."""

    fields: list[str | None]
    problems: list[tuple[str | None, str]] = field(default_factory=list)
    guessed: dict[str, str] = field(default_factory=dict)
    """Fields found by alias or other spelling, with the column's name."""


def resolve(columns: Sequence[str], options: SheetOptions, *, hints: bool = True) -> Resolved:
    """Match columns to fields; `hints` also looks for misspelt ones, at about a millisecond per column."""
    found = Resolved([None] * len(columns))
    free = {index for index, name in enumerate(columns) if name and not _is_ignored(name, options)}
    for target, option in ((TEXT, "text-column"), (NAME, "id-column")):
        wanted = options.text_column if target == TEXT else options.id_column
        if wanted is not None and (index := _place_of(wanted, columns, free)) is not None:
            found.fields[index] = target
            free.discard(index)
        elif wanted is not None:
            shown = ", ".join(map(quoted, columns[:MAX_HINTS])) or "none"
            found.problems.append((option, f"there is no column {quoted(wanted)}; found {shown}"))
    chosen = {target for target in found.fields if target}
    for target in FIELDS:
        wanted = options.text_column if target == TEXT else options.id_column if target == NAME else None
        if target not in chosen and wanted is None:
            _find(found, columns, free, target, options)
    if hints:
        found.problems += _misspelt(found, columns, free, options)
    return found


def _is_ignored(name: str, options: SheetOptions) -> bool:
    return any(name == ignored or folded(name) == folded(ignored) for ignored in options.ignored_columns)


def _place_of(wanted: str, columns: Sequence[str], free: set[int]) -> int | None:
    spelled = [index for index in sorted(free) if columns[index] == wanted.strip()]
    column_block = [index for index in sorted(free) if folded(columns[index]) == folded(wanted)]
    return next(iter([*spelled, *column_block]), None)


def _find(found: Resolved, columns: Sequence[str], free: set[int], target: str, options: SheetOptions) -> None:
    """Find the column of one field. The exact spelling wins; equally close columns are a problem."""
    spelled = [index for index in sorted(free) if columns[index] == target]
    matches = spelled or [index for index in sorted(free) if folded(columns[index]) == folded(target)]
    if not matches:
        matches = _by_alias(columns, free, target)
    if not matches:
        return
    first = matches[0]
    found.fields[first] = target
    if not spelled:
        found.guessed[target] = columns[first]
    for index in matches[1:]:
        found.problems.append(_doubled(columns, first, index, target, options))
    free.difference_update(matches)


def _by_alias(columns: Sequence[str], free: set[int], target: str) -> list[int]:
    aliases = _ALIASES.get(target, ())
    if target == TEXT:  # ambiguous: only the author can choose
        return [index for index in sorted(free) if folded(columns[index]) in aliases]
    for alias in aliases:
        if matches := [index for index in sorted(free) if folded(columns[index]) == alias]:
            return matches
    return []


def _doubled(
    columns: Sequence[str], first: int, second: int, target: str, options: SheetOptions
) -> tuple[str | None, str]:
    if columns[first] == columns[second]:
        return columns[first], f"names columns {first + 1} and {second + 1}; keep one of them"
    both = f"columns {quoted(columns[first])} and {quoted(columns[second])} could both be {target}"
    if target == TEXT:
        return TEXT, f"{both}; choose one: {options.spelled('text-column', columns[first])}"
    if target == NAME:
        return NAME, f"{both}; choose one: {options.spelled('id-column', columns[first])}"
    return target, f"{both}; leave one out: {options.spelled('ignore-column', columns[second])}"


def _misspelt(
    found: Resolved, columns: Sequence[str], free: set[int], options: SheetOptions
) -> Iterator[tuple[str | None, str]]:
    """Unknown columns that resemble a field without a column."""
    missing = [name for name in FIELDS if name not in found.fields and name != TEXT and name not in SHARED]
    for index in sorted(free)[:MAX_HINTS]:
        name = columns[index]
        if found.fields[index] is not None or len(name) < MIN_HINT_CHARACTERS:
            continue
        if meant := closest(name, missing, closeness=CLOSE):
            aside = options.spelled("ignore-column", name)
            yield name, f"is not a known column; did you mean {quoted(meant)}? If not, carry it along: {aside}"
