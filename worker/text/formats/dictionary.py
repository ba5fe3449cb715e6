"""Lexicons as JSON: ours, and the pronunciation dictionaries of ElevenLabs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from api_models.lexicons import LexiconRule
from api_models.problems import Fault, InvalidInputError, faults_of

MAX_FAULTS: Final = 100
_TARGET: Final = "string_to_replace"
"""The key by which a rule of ElevenLabs is recognised."""


def read(text: str, name: str) -> list[LexiconRule]:
    """Return the rules of a JSON object with `rules`, or of a list. Raises InvalidInputError, with each error."""
    try:
        found = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        fault = Fault(line=error.lineno, message=f"column {error.colno}: is not JSON ({error.msg}); correct it")
        raise InvalidInputError(name, [fault]) from None
    except RecursionError:
        raise InvalidInputError(name, [Fault(message="is nested too deeply; write a list of rules")]) from None
    listed = found.get("rules") if isinstance(found, dict) else found
    if not isinstance(listed, list) or not listed:
        message = 'holds no list of rules; write {"rules": [{"match": "Nguyen", "say": "win"}]}'
        raise InvalidInputError(name, [Fault(message=message)])
    rules: list[LexiconRule] = []
    faults: list[Fault] = []
    for number, item in enumerate(listed):
        try:
            rules.append(LexiconRule.model_validate(_fields(item)))
        except ValidationError as error:
            known = LexiconRule.model_fields
            faults += [_placed(fault, number) for fault in faults_of(error, known=known)]
    if faults:
        raise InvalidInputError(name, faults[:MAX_FAULTS], len(faults))
    return rules


def _placed(fault: Fault, number: int) -> Fault:
    place = f"rules.{number}"
    return fault.model_copy(update={"field": f"{place}.{fault.field}" if fault.field else place})


def _fields(item: object) -> object:
    if not isinstance(item, Mapping) or _TARGET not in item:
        return item
    fields: dict[str, Any] = {
        "match": item[_TARGET],
        "case": item.get("case_sensitive", True),
        "whole_word": item.get("word_boundaries", True),
    }
    if "alias" in item:
        fields["say"] = item["alias"]
    if "phoneme" in item:
        fields["phonemes"] = [{"text": item["phoneme"], "alphabet": item.get("alphabet", "ipa")}]
    return fields


def write(rules: Sequence[LexiconRule]) -> str:
    """Return the rules as JSON of ours."""
    return json.dumps({"rules": [rule.stored() for rule in rules]}, ensure_ascii=False, indent=2) + "\n"


def write_elevenlabs(rules: Sequence[LexiconRule], name: str) -> str:
    """Return the rules as a dictionary of ElevenLabs, which knows aliases and phonemes alone."""
    from worker.text.lexicon.lexicon import replacement  # noqa: PLC0415 - needed by this format alone

    listed: list[dict[str, Any]] = []
    for rule in rules:
        common = {_TARGET: rule.match, "case_sensitive": rule.case, "word_boundaries": rule.whole_word}
        if rule.is_applied:
            listed.append({**common, "type": "alias", "alias": replacement(rule, rule.match)})
        listed += [
            {**common, "type": "phoneme", "phoneme": one.text, "alphabet": one.alphabet or "ipa"}
            for one in rule.phonemes
            if not rule.is_applied
        ]
    return json.dumps({"name": name, "rules": listed}, ensure_ascii=False, indent=2) + "\n"
