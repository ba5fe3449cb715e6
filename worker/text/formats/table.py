"""Lexicons as sheets: one rule per row, with the columns of `COLUMNS`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import ValidationError

from api_models.hints import did_you_mean, quoted
from api_models.lexicons import LexiconRule
from api_models.problems import Fault, InvalidInputError, faults_of

COLUMNS: Final = (
    "match",
    "say",
    "spell",
    "as",
    "whole_word",
    "case",
    "language",
    "phonemes",
    "alphabet",
    "others",
    "role",
    "examples",
)
MAX_FAULTS: Final = 100
_ALIASES: Final = {
    "word": "match",
    "grapheme": "match",
    "string_to_replace": "match",
    "alias": "say",
    "spoken": "say",
    "replacement": "say",
    "case_sensitive": "case",
    "word_boundaries": "whole_word",
    "lang": "language",
    "phoneme": "phonemes",
    "ipa": "phonemes",
}
_FLAGS: Final = {"1": True, "true": True, "yes": True, "x": True, "0": False, "false": False, "no": False}
_BETWEEN: Final = "|"
"""Several values share one cell."""
_LISTS: Final = ("others", "examples")


def read(text: str, name: str) -> list[LexiconRule]:
    """Return the rules of a sheet. Raises InvalidInputError, with the line of each error."""
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=_delimiter(text), strict=True)
    rules: list[LexiconRule] = []
    faults: list[Fault] = []
    try:
        columns = _columns(next(rows, []), faults)
        for cells in rows if not faults else ():
            found = _rule(dict(zip(columns, cells, strict=False)), rows.line_num, faults)
            rules += [] if found is None else [found]
    except csv.Error as error:
        faults.append(Fault(line=rows.line_num, message=f"is not a row of CSV ({error}); close its quotation marks"))
    if not rules and not faults:
        faults.append(Fault(message="holds no rule; add a row such as Nguyen,win"))
    if faults:
        raise InvalidInputError(name, faults[:MAX_FAULTS], len(faults))
    return rules


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _columns(header: Sequence[str], faults: list[Fault]) -> list[str]:
    names = ["_".join(name.strip().lower().replace("-", " ").split()) for name in header]
    columns = [_ALIASES.get(name, name) for name in names]
    for name, column in zip(names, columns, strict=True):
        if name and column not in COLUMNS:
            hint = did_you_mean(name, COLUMNS) or f" (known: {', '.join(COLUMNS)})"
            faults.append(Fault(line=1, field=name, message=f"is not a column of a lexicon{hint}"))
    twice = [column for column in COLUMNS if columns.count(column) > 1]
    faults += [Fault(line=1, field=column, message="is there twice; keep one") for column in twice]
    if "match" not in columns:
        faults.append(Fault(line=1, message="has no column match; the first line must be such as match,say"))
    return columns


def _rule(cells: dict[str, str], line: int, faults: list[Fault]) -> LexiconRule | None:
    given = {name: value.strip() for name, value in cells.items() if name in COLUMNS and value.strip()}
    if not given:
        return None
    found: list[Fault] = []
    fields: dict[str, object] = dict(given)
    for name in ("spell", "case", "whole_word"):
        if (value := given.get(name)) is not None:
            if value.lower() not in _FLAGS:
                found.append(Fault(line=line, field=name, message=f"{quoted(value)} is neither yes nor no"))
            fields[name] = _FLAGS.get(value.lower(), False)
    fields |= {name: tuple(_parts(given[name])) for name in _LISTS if name in given}
    if "phonemes" in fields or "alphabet" in fields:
        alphabet = str(fields.pop("alphabet", ""))
        fields["phonemes"] = tuple({"text": one, "alphabet": alphabet} for one in _parts(given.get("phonemes", "")))
    try:
        rule = LexiconRule.model_validate({"match": "", **fields})
    except ValidationError as error:
        faults += [*found, *faults_of(error, line, known=COLUMNS)]
        return None
    faults += found
    return rule


def _parts(cell: str) -> Iterator[str]:
    return (part.strip() for part in cell.split(_BETWEEN) if part.strip())


def write(rules: Sequence[LexiconRule]) -> str:
    """Return the rules as CSV. Columns that no rule needs are left out."""
    rows = [_cells(rule) for rule in rules]
    columns = [name for name in COLUMNS if name in ("match", "say") or any(row[name] for row in rows)]
    into = io.StringIO(newline="")
    sheet = csv.DictWriter(into, columns, extrasaction="ignore", lineterminator="\n")
    sheet.writeheader()
    sheet.writerows(rows)
    return into.getvalue()


def _cells(rule: LexiconRule) -> dict[str, str]:
    return {
        "match": rule.match,
        "say": rule.say,
        "spell": "yes" if rule.spell else "",
        "as": str(rule.reading or ""),
        "whole_word": "" if rule.whole_word else "no",
        "case": "yes" if rule.case else "",
        "language": rule.language,
        "phonemes": _BETWEEN.join(one.text for one in rule.phonemes),
        "alphabet": next((one.alphabet for one in rule.phonemes if one.alphabet), ""),
        "others": _BETWEEN.join(rule.others),
        "role": rule.role,
        "examples": _BETWEEN.join(rule.examples),
    }
