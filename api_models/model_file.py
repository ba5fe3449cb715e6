"""Reads models files: the one that is built in, and a user's, which adds models and changes keys of others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from api_models.hints import did_you_mean, quoted
from api_models.problems import Fault, InvalidInputError, faults_of
from api_models.speech_model import (
    DEFAULT_TOKENS_PER_SECOND,
    Capability,
    Certainty,
    Parameter,
    PriceRow,
    PriceUnit,
    SpeechModel,
    StyleChannel,
    TagDialect,
)

BUILT_IN: Final = Path(__file__).with_name("models.json")
MAX_FILE_BYTES: Final = 4 * 2**20
MAX_MODELS: Final = 500
_SECTIONS: Final = ("models", "voice_sets")


@lru_cache(maxsize=1)
def _built_in() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(BUILT_IN.read_text(encoding="utf-8"), parse_float=Decimal)
    return found


@lru_cache(maxsize=1)
def built_in_models() -> Mapping[str, SpeechModel]:
    """The models of this package. Not validated: a test does so."""
    data = _built_in()
    return MappingProxyType(
        {slug: _model(slug, _with_voices(entry, data["voice_sets"])) for slug, entry in data["models"].items()}
    )


def user_models(text: str, source: str) -> dict[str, SpeechModel]:
    """The models of a user's file, as TOML. `source` names it. Raises InvalidInputError with every fault and its line.

    Keys of a built-in model that the file leaves out keep their built-in value.
    """
    import tomllib  # noqa: PLC0415 - most installations have no file of their own

    from api_models.toml_lines import lines_of  # noqa: PLC0415 - likewise

    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(source, [Fault(message=f"is not TOML: {error}")]) from None
    checked = _Checked(data, lines_of(text))
    checked.check()
    if checked.faults:
        raise InvalidInputError(source, checked.faults)
    return {slug: _model(slug, entry) for slug, entry in checked.entries.items()}


class _Checked:
    """Validates one file, and collects its faults."""

    def __init__(self, data: dict[str, Any], lines: dict[tuple[str | int, ...], int]) -> None:
        self._data = data
        self._lines = lines
        self.faults: list[Fault] = []
        self.entries: dict[str, dict[str, Any]] = {}

    def check(self) -> None:
        for name in self._data:
            if name not in _SECTIONS:
                self._fault((name,), f"is not a section{did_you_mean(name, _SECTIONS)} (known: {', '.join(_SECTIONS)})")
        sets, models = (self._section(name) for name in ("voice_sets", "models"))
        if not self.faults and not models:
            self._fault((), 'has no model; begin one with [models."SLUG"]')
        if len(models) > MAX_MODELS:
            self._fault(("models",), f"has {len(models):,} models; at most {MAX_MODELS} are possible")
            return
        known_sets = _built_in()["voice_sets"] | sets
        for slug, entry in models.items():
            self._check_model(slug, entry, known_sets)
        for slug, model in self.entries.items():
            self._check_successor(slug, model.get("successor"))

    def _section(self, name: str) -> dict[str, Any]:
        section = self._data.get(name, {})
        if isinstance(section, dict) and all(isinstance(entry, dict) for entry in section.values()):
            return section
        self._fault((name,), f'must consist of tables such as [{name}."NAME"]')
        return {}

    def _check_model(self, slug: str, given: dict[str, Any], sets: Mapping[str, Any]) -> None:
        from pydantic import ValidationError  # noqa: PLC0415 - as above

        from api_models.model_entry import SLUG, ModelEntry  # noqa: PLC0415 - as above

        place = ("models", slug)
        if not _matches(SLUG, slug):
            self._fault(place, "must be 1 to 64 lower-case letters, digits or any of . _ - (the end of the API's path)")
            return
        entry = _built_in()["models"].get(slug, {}) | given
        voices = entry.get("voices")
        if isinstance(voices, str) and voices not in sets:
            hint = did_you_mean(voices, sets)
            self._fault((*place, "voices"), f"no voice set {quoted(voices)}{hint}; add [voice_sets.{voices}]")
            return
        entry = _with_voices(entry, sets)
        try:
            checked = ModelEntry.model_validate(entry)
        except ValidationError as error:
            self._faults_of_entry(place, error, tuple(ModelEntry.model_fields))
            return
        self.entries[slug] = checked.model_dump(exclude_none=True)

    def _faults_of_entry(self, place: tuple[str, str], error: Any, known: tuple[str, ...]) -> None:  # noqa: ANN401 - pydantic's, imported late
        places = [tuple(entry["loc"]) for entry in error.errors(include_url=False, include_input=False)]
        for fault, location in zip(faults_of(error, known=known), places, strict=True):
            self._fault((*place, *location), fault.message)

    def _check_successor(self, slug: str, successor: str | None) -> None:
        if successor is None:
            return
        known = _built_in()["models"].keys() | self.entries.keys()
        if successor == slug or successor not in known:
            reason = "is the model itself" if successor == slug else f"is not a model{did_you_mean(successor, known)}"
            self._fault(("models", slug, "successor"), f"{quoted(successor)} {reason}; correct it, or leave it out")

    def _fault(self, path: tuple[str | int, ...], message: str) -> None:
        from api_models.toml_lines import line_of  # noqa: PLC0415 - as above

        field = ".".join(quoted(str(part)) if "." in str(part) else str(part) for part in path)
        self.faults.append(Fault(line=line_of(self._lines, path), field=field or None, message=message))


def _matches(pattern: str, value: str) -> bool:
    import re  # noqa: PLC0415 - as above

    return re.fullmatch(pattern.strip("^$"), value) is not None


def _with_voices(entry: Mapping[str, Any], sets: Mapping[str, Any]) -> dict[str, Any]:
    voices = entry.get("voices")
    return {**entry, "voices": sets[voices]} if isinstance(voices, str) else dict(entry)


def _model(slug: str, entry: Mapping[str, Any]) -> SpeechModel:
    optional = {name: entry[name] for name in ("max_input_tokens", "successor") if name in entry}
    seconds = entry.get("max_audio_seconds")
    return SpeechModel(
        slug=slug,
        title=entry["title"],
        api_versions=tuple(entry.get("api_versions", ("v1", "v2"))),
        parameters=MappingProxyType(
            {name: _parameter(name, parameter) for name, parameter in entry["parameters"].items()}
        ),
        constants=MappingProxyType({name: _plain(value) for name, value in entry.get("constants", {}).items()}),
        default_voice=entry["default_voice"],
        descriptors=MappingProxyType(dict(entry["voices"])),
        tags=TagDialect(entry.get("tags", TagDialect.NONE)),
        style=StyleChannel(entry.get("style", StyleChannel.NONE)),
        max_speakers=entry.get("max_speakers", 1),
        max_text_bytes=entry["max_text_bytes"],
        max_audio_seconds=None if seconds is None else float(seconds),
        prices=tuple(_price(row) for row in entry["prices"]),
        sunset=_day(entry.get("sunset")),
        mean_seconds=float(entry.get("mean_seconds", 10.0)),
        tokens_per_second=Decimal(entry.get("tokens_per_second", DEFAULT_TOKENS_PER_SECOND)),
        capabilities=tuple(sorted(map(Capability, entry.get("capabilities", ())))),
        certainty=MappingProxyType({name: Certainty(value) for name, value in entry.get("certainty", {}).items()}),
        **optional,
    )


def _parameter(name: str, entry: Mapping[str, Any]) -> Parameter:
    bounds = {key: float(entry[key]) for key in ("minimum", "maximum", "default") if key in entry}
    return Parameter(entry.get("name", name), required=entry.get("required", False), **bounds)


def _price(row: Mapping[str, Any]) -> PriceRow:
    return PriceRow(
        Decimal(row["amount"]),
        PriceUnit(row.get("unit", PriceUnit.CALL)),
        Decimal(row.get("input_amount", 0)),
        _day(row.get("valid_from")),
        _day(row.get("valid_until")),
    )


def _day(value: date | str | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:  # noqa: ANN401 - a value of JSON
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
