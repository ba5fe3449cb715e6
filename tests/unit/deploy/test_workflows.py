"""The forge's workflows call commands that exist, and hold no more rights than they need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[3]
WORKFLOWS: Final = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS: Final = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert found["permissions"] == {"contents": "read"}, "a job that needs more asks for it"
    every: dict[str, Any] = found["jobs"]
    return every


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_target_exists_and_each_job_has_a_limit(path: Path) -> None:
    for name, job in jobs(path).items():
        assert job["timeout-minutes"] <= 330, name
        for step in job["steps"]:
            for target in re.findall(r"^make ([a-z-]+)", step.get("run", ""), re.MULTILINE):
                assert target in TARGETS, (name, target)


def test_a_release_is_attested_before_it_is_published() -> None:
    """What is published is what the attested build made; no token is stored."""
    found = jobs(ROOT / ".github/workflows/release.yml")
    uses = {name: [step.get("uses", "").partition("@")[0] for step in job["steps"]] for name, job in found.items()}
    assert uses["build"].index("actions/attest-build-provenance") < uses["build"].index("actions/upload-artifact")
    for name in ("publish", "image"):
        assert found[name]["needs"] == "build"
        assert found[name]["environment"] == "release"
    assert "secrets" not in str(found["publish"])
    assert found["build"]["permissions"] == {"contents": "read", "id-token": "write", "attestations": "write"}
