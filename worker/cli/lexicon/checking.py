"""What is odd about the rules of a lexicon. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from api_models.lexicons import LexiconRule
from worker.text.lexicon.folding import fold
from worker.text.lexicon.lexicon import Lexicon, replacement

MAX_NOTES: Final = 50


def notes(rules: Sequence[LexiconRule]) -> Iterator[str]:
    """Yield a sentence for each rule that never applies, changes nothing, or may surprise; at most `MAX_NOTES`."""
    for number, note in enumerate(_notes(rules)):
        if number == MAX_NOTES:
            yield "and more"
            return
        yield note


def _notes(rules: Sequence[LexiconRule]) -> Iterator[str]:
    counts = Counter(_key(rule) for rule in rules)
    lexicon = Lexicon(rules)
    for rule in rules:
        if not rule.is_applied:
            yield f"“{rule.match}” has phonemes alone and is not applied; add words to speak"
        elif counts[_key(rule)] > 1:
            yield f"“{rule.match}” has {counts[_key(rule)]} rules; the last one applies"
            counts[_key(rule)] = 0
        elif replacement(rule, rule.match) == rule.match:
            yield f"“{rule.match}” is spoken as it is written"
        elif others := {hit.rule.match for hit in lexicon.hits(rule.say) if hit.rule is not rule}:
            words = ", ".join(f"“{one}”" for one in sorted(others))
            yield f"“{rule.match}” is spoken with {words}, to which no other rule is applied"


def _key(rule: LexiconRule) -> tuple[str, bool, str]:
    return (rule.match if rule.case else fold(rule.match).text), rule.case, rule.language.lower()


def conditions(rule: LexiconRule) -> str:
    """Return when a rule applies, as far as it is not as usual."""
    parts = [
        "" if rule.whole_word else "inside words",
        "this case" if rule.case else "",
        rule.language,
        "spelled" if rule.spell else "",
        f"as {rule.reading}" if rule.reading else "",
    ]
    return ", ".join(filter(None, parts))
