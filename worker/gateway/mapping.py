"""From the payload of somebody else's webhook to jobs, by expressions that the operator wrote. Pure; makes no rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from pydantic import ValidationError

from api_models.hooks import HookMapping
from api_models.jobs import JobIn
from api_models.problems import Fault, faults_of

MAX_JOBS: Final = 1_000
"""Of one webhook."""
_PARTS: Final = ("text", "model", "voice_1", "voice_2", "temperature", "custom_id", "tags")
_HOLE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
_TAG_CHARACTERS: Final = re.compile(r"[^A-Za-z0-9_.:-]+")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a payload makes."""

    jobs: Sequence[JobIn] = ()
    faults: Sequence[Fault] = ()
    """Why it makes none; then there are no jobs."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """The expressions, understood."""

    when: ParsedResult | None
    each: ParsedResult | None
    parts: dict[str, ParsedResult]
    template: Sequence[str | ParsedResult]

    def outcome(self, payload: Any, context: dict[str, Any]) -> Outcome:  # noqa: ANN401 - whatever JSON has
        """The jobs of one payload; all of them are good, or there are none."""
        try:
            if self.when is not None and not _is_true(self.when.search(payload)):
                return Outcome()
            elements = [payload] if self.each is None else self.each.search(payload)
            if isinstance(elements, list) and len(elements) <= MAX_JOBS:
                return _together([self._job(element, context) for element in elements])
        except JMESPathError as error:
            return Outcome(faults=[Fault(message=f"an expression doesn't fit this payload: {_first_line(error)}")])
        if elements is None:
            return Outcome()
        what = f"has more than {MAX_JOBS:,} elements" if isinstance(elements, list) else "is no list in this payload"
        return Outcome(faults=[Fault(field="each", message=what)])

    def _job(self, element: Any, context: dict[str, Any]) -> JobIn | list[Fault]:  # noqa: ANN401 - as above
        fields = {name: part.search(element) for name, part in self.parts.items()}
        if self.template:
            fields["text"] = "".join(
                part if isinstance(part, str) else _words(part.search(element)) for part in self.template
            )
        elif "text" in fields:
            fields["text"] = _words(fields["text"])
        if (tags := fields.get("tags")) is not None:
            fields["tags"] = _tags(tags)
        given = {name: value for name, value in fields.items() if value is not None}
        try:
            return JobIn.model_validate(given, context=context)
        except ValidationError as error:
            return faults_of(error, known=_PARTS)


def _together(made: Sequence[JobIn | list[Fault]]) -> Outcome:
    faults = [fault for found in made if not isinstance(found, JobIn) for fault in found]
    return Outcome(faults=faults) if faults else Outcome([found for found in made if isinstance(found, JobIn)])


def understood(mapping: HookMapping) -> Mapping | list[Fault]:
    """The mapping, or everything that is wrong with its expressions."""
    faults: list[Fault] = []
    if (mapping.text is None) == (mapping.template is None):
        faults.append(Fault(field="text", message="give either text or template"))
    parts: dict[str, ParsedResult] = {}
    for name in ("when", "each", *_PARTS):
        expression = getattr(mapping, name)
        if expression is not None:
            found = _compiled(name, expression)
            if isinstance(found, Fault):
                faults.append(found)
            else:
                parts[name] = found
    template = _holes(mapping.template or "")
    faults += [part for part in template if isinstance(part, Fault)]
    if faults:
        return faults
    when, each = parts.pop("when", None), parts.pop("each", None)
    return Mapping(when, each, parts, [part for part in template if not isinstance(part, Fault)])


def _compiled(name: str, expression: str) -> ParsedResult | Fault:
    try:
        return jmespath.compile(expression)
    except JMESPathError as error:
        return Fault(field=name, message=f"is not JMESPath: {_first_line(error)}")


def _holes(template: str) -> list[str | ParsedResult | Fault]:
    """Words and expressions in turn. `{{` and `}}` are braces that are spoken."""
    found: list[str | ParsedResult | Fault] = []
    end = 0
    for hole in _HOLE.finditer(template):
        found.append(template[end : hole.start()])
        found.append(hole[0][0] if hole[1] is None else _compiled("template", hole[1]))
        end = hole.end()
    found.append(template[end:])
    return [part for part in found if part != ""]


def _is_true(value: object) -> bool:
    """As JMESPath has it: 0 is a value like any other."""
    return value is not None and value is not False and value not in ("", [], {})


def _words(value: object) -> str:
    """Any value as it is spoken."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_words(item) for item in value)
        case _:
            return str(value)


def _tags(value: object) -> list[str]:
    """Any words as tags: what a tag can't have becomes a hyphen, and what is left empty goes."""
    words = value if isinstance(value, list) else [value]
    tags = (_TAG_CHARACTERS.sub("-", str(word))[:64].strip("-_.:") for word in words)
    return list(dict.fromkeys(tag for tag in tags if tag))[:16]


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
