"""The lexicons of one command: a file that --lexicon names, and those of the queue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from api_models.wording import LEXICON
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.format import number
from worker.cli.run.order import Order
from worker.intake.preparing import RowPreparation
from worker.producer import DEFAULT_TENANT
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.text.lexicon.lexicon import Lexicon

_OTHER: Final = re.compile(r"[^A-Za-z0-9_.-]+")
MAX_LABEL: Final = 64
SUFFIXES: Final = frozenset({".csv", ".tsv", ".json", ".pls", ".xml"})
"""Of files that hold lexicons (`worker.text.formats.files`, which a test compares)."""


@dataclass(slots=True)
class CommandLexicons:
    settings: Settings
    known: dict[str, Lexicon] = field(default_factory=dict)

    def __call__(self, reference: str) -> Lexicon:
        """Return a lexicon by its name. Raises UnknownLexiconError."""
        if (found := self.known.get(reference)) is None:
            found = self.known[reference] = self._stored(reference)
        return found

    def _stored(self, reference: str) -> Lexicon:
        from worker.cli.money.credits import queue_if_any  # noqa: PLC0415 - most commands name no lexicon
        from worker.producer.wording import StoredLexicons  # noqa: PLC0415 - likewise
        from worker.text.preparation import UnknownLexiconError  # noqa: PLC0415 - likewise

        with queue_if_any(self.settings) as database:
            if database is None:
                raise UnknownLexiconError(f"no lexicon {reference}", "create it with `ttsq lexicon import`")
            with database.read() as connection:
                return StoredLexicons(connection, DEFAULT_TENANT)(reference)


def with_lexicons(order: Order, settings: Settings) -> tuple[Order, RowPreparation]:
    """Return the order, with the name of its lexicon in place of a file's, and what prepares its rows. Raises
    InvalidInputError: the file is faulty; BadOptionError: it can't be read.
    """
    lexicons = CommandLexicons(settings)
    prepare = RowPreparation(lexicons, settings.max_text_bytes)
    given = order.defaults.lexicon
    if given is None:
        return order, prepare
    if not is_file(given):
        _check_name(given, lexicons)
        return order, prepare
    label = _label(Path(given))
    lexicons.known[label] = read_file(Path(given), label)
    return replace(order, defaults=replace(order.defaults, lexicon=label)), prepare


def _check_name(given: str, lexicons: CommandLexicons) -> None:
    """Look the lexicon up now, so that it is one error and not one for each row. Raises BadOptionError."""
    from worker.text.errors import TextError  # noqa: PLC0415 - most commands name no lexicon

    if not LEXICON.fullmatch(given):
        raise BadOptionError("--lexicon", given, "is neither a file nor the name of a lexicon", "name another")
    try:
        lexicons(given)
    except TextError as error:
        raise CliError(f"--lexicon: {error}", f"{error.remedy}, or name a file such as {given}.csv") from None


def is_file(given: str) -> bool:
    """Whether --lexicon means a file. A name without a suffix means a stored lexicon, whatever else has that name."""
    path = Path(given)
    return path.name != given or path.suffix.lower() in SUFFIXES or (bool(path.suffix) and path.exists())


def read_file(path: Path, label: str) -> Lexicon:
    from worker.text.formats import files  # noqa: PLC0415 - most commands name no lexicon
    from worker.text.lexicon.lexicon import Lexicon  # noqa: PLC0415 - likewise

    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadOptionError("--lexicon", str(path), f"can't be read: {error.strerror or error}") from None
    return Lexicon(files.read(content, str(path)), label)


def _label(path: Path) -> str:
    return _OTHER.sub("_", path.name).lstrip("_.-")[-MAX_LABEL:].lstrip("_.-") or "file"


def described(prepare: RowPreparation) -> Iterator[str]:
    """Say how texts were prepared, for the quote."""
    if prepare.cleaned:
        yield f"Cleaned of markup: {number(prepare.cleaned, 'text')}"
    if prepare.unapplied:
        counts = ", ".join(f"{name} ({count:,})" for name, count in sorted(prepare.unapplied.items()))
        yield f"Markup without effect: {counts}"
    if prepare.labels:
        yield _of_lexicons(prepare)


def _of_lexicons(prepare: RowPreparation) -> str:
    names = ", ".join(sorted(prepare.labels))
    if not prepare.texts:
        return f"Lexicon {names}: no rule applies to any text"
    return f"Lexicon {names}: applies at {number(prepare.hits, 'place')} in {number(prepare.texts, 'text')}"
