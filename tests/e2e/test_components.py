"""The list of components in the wheel (PEP 770), and the wheel's use with one command."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from tests.distribution.building import Distributions
from tests.distribution.installation import Installation, pinned
from tests.distribution.interpreters import PROJECT
from tests.distribution.uv import uv

pytestmark = pytest.mark.timeout(400)

INSIDE: Final = (
    "import importlib.metadata as m, json; print(json.dumps([[d.name, d.version] for d in m.distributions()]))"
)


def document(wheel: Path) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if "/sboms/" in name)
        assert re.fullmatch(r"ttsq-[\d.]+\.dist-info/sboms/ttsq\.cdx\.json", name)
        found: dict[str, Any] = json.loads(archive.read(name))
        return found


def listed(found: dict[str, Any], python: str) -> set[tuple[str, str]]:
    """What the list says for an environment of that Python on this system."""
    environment = {"python_full_version": python, "python_version": ".".join(python.split(".")[:2])}
    applies = set()
    for component in found["components"]:
        markers = [entry["value"] for entry in component.get("properties", ())]
        if all(Marker(marker).evaluate(environment) for marker in markers):
            applies.add((str(canonicalize_name(component["name"])), str(component["version"])))
    return applies


def test_the_list_has_what_an_empty_installation_really_has(
    distributions: Distributions, installed: Installation, tmp_path: Path
) -> None:
    """Nothing more and nothing less, on each Python that is tried."""
    done = installed.run(tmp_path, "python", "-I", "-c", f"import platform; print(platform.python_version()); {INSIDE}")
    python, content = done.stdout.splitlines()
    present = {(canonicalize_name(name), version) for name, version in json.loads(content)}
    own = (PROJECT["name"], PROJECT["version"])
    assert own in present
    assert listed(document(distributions.wheel), python) == present - {own}


def test_the_document_is_complete_and_the_same_in_both_wheels(distributions: Distributions) -> None:
    """References lead somewhere; no time and no random id."""
    found = document(distributions.wheel)
    assert document(distributions.direct_wheel) == found
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    own = found["metadata"]["component"]
    assert (own["name"], own["version"]) == (PROJECT["name"], PROJECT["version"])
    references = [component["bom-ref"] for component in found["components"]]
    assert len(references) == len(set(references)) > 40
    assert found["dependencies"] == [{"ref": own["bom-ref"], "dependsOn": references}]
    assert "timestamp" not in found["metadata"]


def test_one_command_runs_the_wheel(distributions: Distributions, tmp_path: Path) -> None:
    """As `uvx` and `pipx run` do: in an environment that it makes and forgets."""
    (tmp_path / "constraints.txt").write_text(pinned(), encoding="utf-8")
    (tmp_path / "one.txt").write_text("Hello from a wheel.\n", encoding="utf-8")
    constraints = ("--constraints", str(tmp_path / "constraints.txt"), "--from", str(distributions.wheel))
    out = str(tmp_path / "audio")
    uv(
        "--directory",
        str(tmp_path),
        "tool",
        "run",
        *constraints,
        "ttsq",
        "run",
        str(tmp_path / "one.txt"),
        "--rehearse",
        "--out",
        out,
    )
    assert len(list((tmp_path / "audio").rglob("*.wav"))) == 1
