"""Maps the payload of another system's webhook to jobs, by the operator's expressions. Pure; makes no rows.

JMESPath's functions raise Python's own errors for values that they do not expect (`sum` of text, `join` of numbers,
comparisons of unlike types), so any exception of an expression means that it does not match the payload.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import jmespath
from jmespath.parser import ParsedResult
from pydantic import ValidationError

from api_models.encodings import TAG_FIELDS
from api_models.hooks import HookMapping
from api_models.jobs import JobIn
from api_models.problems import Fault, faults_of

MAX_JOBS: Final = 1_000
"""Jobs per webhook."""
MAX_ERROR_CHARACTERS: Final = 300
"""JMESPath's errors quote the payload."""
_PARTS: Final = (
    "text",
    "model",
    "voice_1",
    "voice_2",
    "temperature",
    "custom_id",
    "tags",
    "format",
    "loudness",
    "sample_rate",
    "mp3_bitrate",
    *TAG_FIELDS,
    "lexicon",
)
_HOLE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
_BRACE: Final = re.compile(r"[{}]")
_TAG_CHARACTERS: Final = re.compile(r"[^A-Za-z0-9_.:-]+")


@dataclass(frozen=True, slots=True)
class Outcome:
    jobs: Sequence[JobIn] = ()
    faults: Sequence[Fault] = ()
    """If there are any, there are no jobs."""


@dataclass(frozen=True, slots=True)
class Mapping:
    when: ParsedResult | None
    each: ParsedResult | None
    parts: dict[str, ParsedResult]
    template: Sequence[str | ParsedResult]

    def outcome(self, payload: Any, context: dict[str, Any]) -> Outcome:  # noqa: ANN401 - any JSON value
        try:
            if self.when is not None and not _is_true(self.when.search(payload)):
                return Outcome()
            elements = [payload] if self.each is None else self.each.search(payload)
            if isinstance(elements, list) and len(elements) <= MAX_JOBS:
                return _combined([self._job(element, context) for element in elements])
        except Exception as error:  # noqa: BLE001 - see above
            return Outcome(faults=[Fault(message=f"an expression does not match this payload: {_first_line(error)}")])
        if elements is None:
            return Outcome()
        message = (
            f"has more than {MAX_JOBS:,} elements" if isinstance(elements, list) else "is not a list in this payload"
        )
        return Outcome(faults=[Fault(field="each", message=message)])

    def _job(self, element: Any, context: dict[str, Any]) -> JobIn | list[Fault]:  # noqa: ANN401 - as above
        fields = {name: part.search(element) for name, part in self.parts.items()}
        if self.template:
            fields["text"] = "".join(
                part if isinstance(part, str) else _spoken(part.search(element)) for part in self.template
            )
        elif "text" in fields:
            fields["text"] = _spoken(fields["text"])
        if (tags := fields.get("tags")) is not None:
            fields["tags"] = _tags(tags)
        given = {name: value for name, value in fields.items() if value is not None}
        try:
            return JobIn.model_validate(given, context=context)
        except ValidationError as error:
            return faults_of(error, known=_PARTS)


def _combined(made: Sequence[JobIn | list[Fault]]) -> Outcome:
    faults = [fault for found in made if not isinstance(found, JobIn) for fault in found]
    return Outcome(faults=faults) if faults else Outcome([found for found in made if isinstance(found, JobIn)])


def parse(mapping: HookMapping) -> Mapping | list[Fault]:
    faults: list[Fault] = []
    if (mapping.text is None) == (mapping.template is None):
        faults.append(Fault(field="text", message="set either text or template"))
    parts: dict[str, ParsedResult] = {}
    for name in ("when", "each", *_PARTS):
        expression = getattr(mapping, name)
        if expression is not None:
            found = _compile(name, expression)
            if isinstance(found, Fault):
                faults.append(found)
            else:
                parts[name] = found
    template = _parse_template(mapping.template or "")
    faults += [part for part in template if isinstance(part, Fault)]
    if faults:
        return faults
    when, each = parts.pop("when", None), parts.pop("each", None)
    return Mapping(when, each, parts, [part for part in template if not isinstance(part, Fault)])


def _compile(name: str, expression: str) -> ParsedResult | Fault:
    try:
        return jmespath.compile(expression)
    except Exception as error:  # noqa: BLE001 - the parser recurses, and looks up what it did not check
        return Fault(field=name, message=f"is not valid JMESPath: {_first_line(error)}")


def _parse_template(template: str) -> list[str | ParsedResult | Fault]:
    """Split a template into alternating literals and expressions. `{{` and `}}` are literal braces."""
    found: list[str | ParsedResult | Fault] = []
    end = 0
    for hole in _HOLE.finditer(template):
        found.append(template[end : hole.start()])
        found.append(hole[0][0] if hole[1] is None else _compile("template", hole[1]))
        end = hole.end()
    found.append(template[end:])
    return [part for part in found if part != ""]


def unmatched_brace(template: str) -> Fault | None:
    """The first brace that begins or ends no expression. Checked when a hook is created: it would be spoken."""
    ends = [0, *(hole.end() for hole in _HOLE.finditer(template))]
    begins = [*(hole.start() for hole in _HOLE.finditer(template)), len(template)]
    for begin, end in zip(ends, begins, strict=True):
        if found := _BRACE.search(template, begin, end):
            remedy = f"close the expression, or write {found[0] * 2} for a brace that is spoken"
            return Fault(
                field="template", message=f"has an unmatched {found[0]} at character {found.start() + 1}; {remedy}"
            )
    return None


def _is_true(value: object) -> bool:
    """Truthiness as in JMESPath: 0 is true."""
    return value is not None and value is not False and value not in ("", [], {})


def _spoken(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_spoken(item) for item in value)
        case _:
            return str(value)


def _tags(value: object) -> list[str]:
    """Turn text into tags: forbidden characters become hyphens, and empty tags are dropped."""
    values = value if isinstance(value, list) else [value]
    tags = (_TAG_CHARACTERS.sub("-", str(item))[:64].strip("-_.:") for item in values)
    return list(dict.fromkeys(tag for tag in tags if tag))[:16]


def _first_line(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return (str(error) or type(error).__name__).splitlines()[0][:MAX_ERROR_CHARACTERS]
