"""The console's files: those of others are as released, and ours need nothing that the policy forbids."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import pytest

from worker.gateway.console import assets

VENDOR: Final = assets.HERE / "vendor"
LICENCES: Final = {"htmx": "Zero-Clause BSD", "uplot": "MIT", "wavesurfer": "BSD 3-Clause"}
TEMPLATES: Final = sorted((assets.HERE / "templates").glob("*.html"))


def sums() -> dict[str, str]:
    """The checksum of each file of others, by its name."""
    lines = (VENDOR / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in map(str.split, lines)}


def test_files_of_others_are_as_released() -> None:
    """By checksum; none is missing, and none was added without one."""
    present = {path.name: path for path in VENDOR.iterdir() if path.name not in {"SHA256SUMS", "README.md"}}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in present.items()} == sums()


@pytest.mark.parametrize("name", LICENCES)
def test_each_comes_with_its_licence(name: str) -> None:
    """And its version stands in its name."""
    assert (VENDOR / f"{name}-LICENSE.txt").read_text(encoding="utf-8").strip()
    scripts = [one for one in sums() if one.startswith(f"{name}-") and one.endswith(".min.js")]
    assert len(scripts) == 1
    assert re.fullmatch(rf"{name}-\d+\.\d+\.\d+\.min\.js", scripts[0])


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_pages_load_nothing_from_elsewhere_and_hold_no_script_or_style(template: Path) -> None:
    """The content security policy would refuse it."""
    text = template.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href|action)=["']?(?:https?:)?//""", text)
    assert not re.findall(r"<script(?![^>]*\bsrc=)", text)
    assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert "|safe" not in text


def test_an_address_changes_with_its_content() -> None:
    """So that browsers may keep it."""
    address = assets.address("console.css")
    assert hashlib.sha256(assets.contents()["console.css"]).hexdigest()[:12] in address
