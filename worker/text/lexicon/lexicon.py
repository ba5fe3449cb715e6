"""Applies a lexicon to a text: in a single pass, the longest rule at the earliest place, none upon another's result."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

from api_models.lexicons import LexiconRule, Reading
from api_models.speech import MAX_LONG_TEXT_BYTES
from worker.text.errors import TextError
from worker.text.lexicon.automaton import Automaton
from worker.text.lexicon.edits import Change, Changed, Edit, Moves, apply
from worker.text.lexicon.folding import Folded, continues, fold, joins
from worker.text.lexicon.words import WordIndex, first_word


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule and where it applies: `text[start:end]`."""

    start: int
    end: int
    rule: LexiconRule


class Lexicon:
    """Rules, ready to be applied to any number of texts."""

    def __init__(self, rules: Sequence[LexiconRule], label: str = "") -> None:
        """`label` names the lexicon and its version where texts are shown."""
        self.label = label
        self.rules = tuple(rules)
        self._rules = _by_precedence([rule for rule in rules if rule.is_applied])
        folds = [(number, fold(rule.match).text) for number, rule in enumerate(self._rules)]
        self._lengths = [len(folded) for _, folded in folds]
        by_word = {number for number, folded in folds if self._rules[number].whole_word and first_word(folded)}
        self._words = WordIndex(one for one in folds if one[0] in by_word)
        others = [one for one in folds if one[0] not in by_word]
        self._automaton = Automaton(others) if others else None

    def hits(self, text: str, language: str = "") -> list[Hit]:
        """Return where the rules apply, in order and without overlaps.

        Args:
            text: Any text.
            language: That of the text (BCP 47); empty if it is unknown, so that the rules of all languages apply.
        """
        folded = fold(text)
        usable = [matches_language(rule.language, language) for rule in self._rules]
        places = list(self._words.places(folded.text))
        if self._automaton is not None:
            places += self._automaton.places(folded.text)
        found = [hit for at, numbers in places if (hit := self._fitting(text, folded, at, numbers, usable))]
        return list(_without_overlaps(sorted(found, key=lambda hit: (hit.start, -hit.end))))

    def _fitting(
        self, text: str, folded: Folded, at: int, numbers: Sequence[int], usable: Sequence[bool]
    ) -> Hit | None:
        """Return the longest rule that applies at a place."""
        if not folded.is_edge(at):
            return None
        inside = at > 0 and joins(folded.text[at - 1], folded.text[at])
        for number in numbers:
            rule, end = self._rules[number], at + self._lengths[number]
            if not usable[number] or (rule.whole_word and (inside or _goes_on(folded.text, end))):
                continue
            if not folded.is_edge(end):
                continue
            start, stop = folded.source(at), folded.source(end)
            if not rule.case or _same(text[start:stop], rule.match):
                return Hit(start, stop, rule)
        return None

    def apply(self, text: str, language: str = "", protected: Sequence[Edit] = ()) -> Changed:
        """Return the text to speak, with the edits that lead back to the original. Raises TextError: it is too long.

        `protected` stretches of the text are left as they are; their edits are among those returned.
        """
        hits = _outside(self.hits(text, language), protected)
        changes = [Change(hit.start, hit.end, replacement(hit.rule, text[hit.start : hit.end])) for hit in hits]
        grown = len(text) + sum(len(change.by) - (change.end - change.start) for change in changes)
        if grown > MAX_LONG_TEXT_BYTES:
            raise TextError(
                f"becomes {grown:,} characters by the lexicon, over the limit of {MAX_LONG_TEXT_BYTES:,}",
                "shorten the rules, or divide the text",
            )
        found = apply(text, [change for change in changes if change.by != text[change.start : change.end]])
        if not protected:
            return found
        moved = Moves(found.edits)
        kept = [Edit(moved(edit.start), moved(edit.end), edit.original) for edit in protected]
        return Changed(found.text, tuple(sorted((*found.edits, *kept), key=lambda edit: edit.start)), found.edits)


def _outside(hits: Sequence[Hit], protected: Sequence[Edit]) -> Iterator[Hit]:
    ends = [edit.end for edit in protected]
    for hit in hits:
        index = bisect_right(ends, hit.start)
        if index == len(protected) or protected[index].start >= hit.end:
            yield hit


def _by_precedence(rules: Sequence[LexiconRule]) -> list[LexiconRule]:
    """Put rules first that demand more, and of equal ones the later: at one place the first that fits applies."""
    numbered = sorted(
        enumerate(rules),
        key=lambda one: (not one[1].case, not one[1].language, -one[1].language.count("-"), -one[0]),
    )
    return [rule for _, rule in numbered]


def _goes_on(text: str, end: int) -> bool:
    return end < len(text) and joins(text[end - 1], text[end])


def _same(found: str, match: str) -> bool:
    return found == match or normalize("NFC", found) == normalize("NFC", match)


def _without_overlaps(hits: Sequence[Hit]) -> Iterator[Hit]:
    end = 0
    for hit in hits:
        if hit.start >= end:
            yield hit
            end = hit.end


def matches_language(rule: str, text: str) -> bool:
    """Whether a rule of one language applies to a text of another: as far as both say, they must agree."""
    if not rule or not text:
        return True
    pairs = zip(_subtags(rule), _subtags(text), strict=False)
    return all(one == other for one, other in pairs)


def _subtags(tag: str) -> list[str]:
    return tag.lower().replace("_", "-").split("-")


def replacement(rule: LexiconRule, found: str) -> str:
    """Return what is spoken for the matched words."""
    if rule.say:
        return rule.say
    return READINGS[rule.reading or Reading.CHARACTERS](found)


def characters(text: str) -> str:
    """Letters and digits one by one, each with its accents; other signs are left out."""
    clusters: list[str] = []
    for character in text:
        if character.isalnum():
            clusters.append(character)
        elif clusters and continues(character):
            clusters[-1] += character
    return " ".join(clusters) or text


def digits(text: str) -> str:
    """Digits one by one, the rest as it is."""
    pieces: list[str] = []
    for character in text:
        if pieces and character.isdecimal() and pieces[-1].isdecimal():
            pieces.append(" ")
        pieces.append(character)
    return "".join(pieces)


READINGS: Final[Mapping[Reading, Callable[[str], str]]] = {
    Reading.CHARACTERS: characters,
    Reading.DIGITS: digits,
}
