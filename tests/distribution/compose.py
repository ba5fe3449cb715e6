"""docker-compose.yml, and with the rehearsal's file on top of it, as Docker Compose reads them; and on this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.distribution.uv import ROOT

PRODUCTION: Final = "docker-compose.yml"
REHEARSAL: Final = "docker-compose.rehearsal.yml"


class UnsetVariableError(Exception):
    """A variable without a default isn't set; the message is the file's own."""


@dataclass(frozen=True, slots=True)
class Project:
    """Services by their names, the later file having been laid over the earlier ones."""

    name: str | None
    services: dict[str, dict[str, Any]]
    volumes: dict[str, dict[str, Any] | None]

    def environment(self, service: str, given: Mapping[str, str]) -> dict[str, str]:
        """What the containers of a service get, `given` being set where Compose is called."""
        declared = self.services[service].get("environment", {})
        found = {
            name: given.get(name) if value is None else filled(str(value), given) for name, value in declared.items()
        }
        return {name: value for name, value in found.items() if value is not None}

    def command(self, service: str) -> list[str]:
        """What is run in them; empty where it is the image's own."""
        own = self.services[service]
        return [*map(str, own.get("entrypoint", ())), *map(str, own.get("command", ()))]

    def check(self, service: str) -> list[str]:
        """The health check's command of a service."""
        kind, *words = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD", kind
        return [str(word) for word in words]


def project(*files: str) -> Project:
    """The project that these files make up."""
    found: dict[str, Any] = {}
    for file in files:
        found = _over(found, yaml.safe_load((ROOT / file).read_text(encoding="utf-8")))
    return Project(found.get("name"), found["services"], found["volumes"])


def filled(text: str, given: Mapping[str, str]) -> str:
    """`${NAME:-default}` and `${NAME:?message}`, replaced.

    Raises:
        UnsetVariableError: one of the second kind has no value.
    """

    def value(found: re.Match[str]) -> str:
        name, sign, rest = found.groups()
        if given.get(name):
            return given[name]
        if sign == "?":
            raise UnsetVariableError(rest)
        return str(rest)

    return re.sub(r"\$\{(\w+):([-?])([^}]*)\}", value, text)


def here(text: str, places: Mapping[str, str]) -> str:
    """A command's word or a setting, in which what `places` names is found on this machine."""
    for name, place in places.items():
        text = re.sub(rf"(?<![\w.]){re.escape(name)}(?!\w)", place, text)
    return text


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Mappings are merged; all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _over(below[key], value) if both else value
    return merged
