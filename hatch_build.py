"""Writes the wheel's list of components (PEP 770): what `requirements-runtime.txt` pins, as CycloneDX.

The same sources make the same bytes: no time and no random id is in it.
"""

from __future__ import annotations

import json
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+))?")
NAME = "ttsq.cdx.json"


class ComponentsHook(BuildHookInterface[Any]):
    """Adds the list to a wheel; of an editable installation too."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        pins = (Path(self.root) / "requirements-runtime.txt").read_text(encoding="utf-8")
        name, own = self.metadata.core.name, self.metadata.version
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / NAME
        file.write_text(json.dumps(components(name, own, pins), indent=1) + "\n", encoding="utf-8")
        build_data["sbom_files"].append(str(file))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - as above
        self._folder.cleanup()


def components(name: str, version: str, pins: str) -> dict[str, Any]:
    """The CycloneDX document of a version with these pinned requirements."""
    found = list(_components(pins))
    own = f"pkg:pypi/{name}@{version}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, own + pins)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": name,
                "version": version,
                "purl": own,
                "licenses": [{"license": {"id": "MIT"}}],
            }
        },
        "components": found,
        "dependencies": [{"ref": own, "dependsOn": [component["bom-ref"] for component in found]}],
    }


def _components(pins: str) -> Iterator[dict[str, Any]]:
    for line in pins.splitlines():
        if (pin := PINNED.match(line)) is None:
            continue
        purl = f"pkg:pypi/{pin['name'].lower().replace('_', '-')}@{pin['version']}"
        component = {
            "type": "library",
            "bom-ref": purl,
            "name": pin["name"],
            "version": pin["version"],
            "purl": purl,
            "scope": "required",
        }
        if pin["marker"]:
            component["properties"] = [{"name": "ttsq:environment", "value": pin["marker"].strip()}]
        yield component
