"""Lexicons of the W3C: Pronunciation Lexicon Specification 1.0. What no model speaks is kept for export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from pydantic import ValidationError

from api_models.lexicons import LexiconRule, Phoneme
from api_models.problems import Fault, InvalidInputError, faults_of
from worker.text.xml import XML, Element, MarkupError, parse

NAMESPACE: Final = "http://www.w3.org/2005/01/pronunciation-lexicon"
OWN: Final = "https://ttsq.invalid/lexicon"
"""Namespace of what the standard has no attribute for."""
MAX_FAULTS: Final = 100
UNKNOWN: Final = "und"
"""The language tag of a lexicon whose rules have no language in common."""
_LANG: Final = f"{{{XML}}}lang"
_OWN: Final = {name: f"{{{OWN}}}{name}" for name in ("case", "whole-word", "spell", "as", "language")}


def read(content: bytes, name: str) -> list[LexiconRule]:
    """Return a rule for each grapheme. Raises InvalidInputError, with the line of each error."""
    try:
        root = parse(content)
        if root.name != "lexicon":
            raise root.error(f"begins with <{root.name}>, not with <lexicon>", "export it as PLS 1.0")
    except MarkupError as error:
        raise InvalidInputError(name, [_fault(error)]) from None
    rules: list[LexiconRule] = []
    faults: list[Fault] = []
    for lexeme in root.elements("lexeme"):
        try:
            rules += _rules(lexeme, root.attributes.get(_LANG, ""), root.attributes.get("alphabet", ""))
        except MarkupError as error:
            faults.append(_fault(error))
        except ValidationError as error:
            faults += faults_of(error, lexeme.line, known=LexiconRule.model_fields)
    if not rules and not faults:
        faults.append(Fault(message="holds no <lexeme>; add at least one"))
    if faults:
        raise InvalidInputError(name, faults[:MAX_FAULTS], len(faults))
    return rules


def _fault(error: MarkupError) -> Fault:
    return Fault(line=error.line, message=f"column {error.column}: {error}; {error.remedy}")


def _rules(lexeme: Element, language: str, alphabet: str) -> Iterator[LexiconRule]:
    graphemes = [" ".join(one.text().split()) for one in lexeme.elements("grapheme")]
    if not any(graphemes):
        raise lexeme.error("<lexeme> has no <grapheme>", "add the word as it is written")
    phonemes = tuple(_phoneme(one, alphabet) for one in lexeme.elements("phoneme"))
    aliases = sorted(lexeme.elements("alias"), key=lambda one: one.attributes.get("prefer") != "true")
    texts = [text for one in aliases if (text := " ".join(one.text().split()))]
    own = {name: lexeme.attributes.get(attribute) for name, attribute in _OWN.items()}
    if not texts and not phonemes and own["spell"] != "true" and not own["as"]:
        raise lexeme.error("<lexeme> has neither <alias> nor <phoneme>", "add an <alias> with the words to speak")
    for grapheme in graphemes:
        yield LexiconRule.model_validate(
            {
                "match": grapheme,
                "say": texts[0] if texts else "",
                "others": tuple(texts[1:]),
                "phonemes": phonemes,
                "language": own["language"] or (language if language != UNKNOWN else ""),
                "case": own["case"] != "false",
                "whole_word": own["whole-word"] != "false",
                "spell": own["spell"] == "true",
                "as": own["as"],
                "role": lexeme.attributes.get("role", ""),
                "examples": tuple(" ".join(one.text().split()) for one in lexeme.elements("example")),
            }
        )


def _phoneme(element: Element, alphabet: str) -> Phoneme:
    text = " ".join(element.text().split())
    if not text:
        raise element.error("<phoneme> is empty", "remove it, or write the phonemes")
    given = element.attributes.get("alphabet", alphabet)
    return Phoneme(text=text, alphabet=given, prefer=element.attributes.get("prefer") == "true")


def write(rules: Sequence[LexiconRule]) -> str:
    """Return the rules as one lexicon. Its language is that of the rules, if they have one in common."""
    languages = {rule.language for rule in rules}
    language = (languages.pop() if len(languages) == 1 else "") or UNKNOWN
    alphabets = [phoneme.alphabet for rule in rules for phoneme in rule.phonemes if phoneme.alphabet]
    alphabet = max(set(alphabets), key=alphabets.count) if alphabets else "ipa"
    root = f" alphabet={quoteattr(alphabet)} xml:lang={quoteattr(language)}"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<lexicon version="1.0" xmlns="{NAMESPACE}" xmlns:ttsq="{OWN}"{root}>',
    ]
    for _, alike in groupby(rules, key=lambda rule: rule.model_copy(update={"match": ""})):
        lines += _lexeme(list(alike), alphabet, language)
    return "\n".join([*lines, "</lexicon>"]) + "\n"


def _lexeme(rules: Sequence[LexiconRule], alphabet: str, language: str) -> Iterator[str]:
    rule = rules[0]
    given = {
        "role": rule.role,
        "ttsq:case": "" if rule.case else "false",
        "ttsq:whole-word": "" if rule.whole_word else "false",
        "ttsq:spell": "true" if rule.spell else "",
        "ttsq:as": str(rule.reading or ""),
        "ttsq:language": rule.language if language == UNKNOWN else "",
    }
    yield "  <lexeme" + "".join(f" {name}={quoteattr(value)}" for name, value in given.items() if value) + ">"
    yield from (f"    <grapheme>{escape(one.match)}</grapheme>" for one in rules)
    for phoneme in rule.phonemes:
        prefer = ' prefer="true"' if phoneme.prefer else ""
        other = f" alphabet={quoteattr(phoneme.alphabet)}" if phoneme.alphabet not in ("", alphabet) else ""
        yield f"    <phoneme{prefer}{other}>{escape(phoneme.text)}</phoneme>"
    yield from (f"    <alias>{escape(alias)}</alias>" for alias in (rule.say, *rule.others) if alias)
    yield from (f"    <example>{escape(example)}</example>" for example in rule.examples)
    yield "  </lexeme>"
