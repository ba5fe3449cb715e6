"""What is in the wheel and in the source distribution, and what they say of themselves."""

from __future__ import annotations

import email.message
import email.parser
import re
import tarfile
import zipfile
from email.policy import compat32
from pathlib import Path
from typing import Final

import pytest

from tests.distribution.building import Distributions
from tests.distribution.interpreters import PROJECT
from tests.distribution.uv import ROOT

PACKAGES: Final = {"api_models", "worker"}
NEVER: Final = re.compile(r"(^|/)(tests?|benchmarks|examples|__pycache__|\.env|\.ttsq)(/|$)|\.(pyc|db|log)$")


def contents(wheel: Path) -> dict[str, bytes]:
    """Each file by its name, except for the list of checksums, whose order is free."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def metadata(wheel: Path) -> email.message.Message:
    """What an index shows and an installer goes by."""
    (text,) = (content for name, content in contents(wheel).items() if name.endswith(".dist-info/METADATA"))
    return email.parser.BytesParser(policy=compat32).parsebytes(text)


def source(*folders: str, pattern: str = "*") -> set[str]:
    """The files of the checkout that belong into a wheel, by their names there."""
    files = {path for folder in folders for path in (ROOT / folder).rglob(pattern) if path.is_file()}
    names = {path.relative_to(ROOT).as_posix() for path in files if not NEVER.search(path.as_posix())}
    return {re.sub(r"^migrations/", "worker/migrations/", name) for name in names}


def test_a_wheel_is_the_same_from_the_checkout_and_from_the_source_distribution(distributions: Distributions) -> None:
    """Every file to the byte."""
    assert contents(distributions.wheel) == contents(distributions.direct_wheel)


def test_a_wheel_has_all_of_the_packages_and_nothing_else(distributions: Distributions) -> None:
    """With the migrations below `worker` and the mark that annotations may be relied upon; no test, no cache."""
    names = {name for name in contents(distributions.wheel) if ".dist-info/" not in name}
    assert names == source("api_models", "worker", "migrations")
    assert {name.split("/")[0] for name in names} == PACKAGES
    assert {"worker/py.typed", "api_models/py.typed", "worker/migrations/env.py"} <= names
    assert {f"worker/migrations/versions/{path.name}" for path in ROOT.glob("migrations/versions/0*.py")} <= names


def test_a_source_distribution_has_what_a_wheel_is_built_from(distributions: Distributions) -> None:
    """And no test, benchmark or cache."""
    with tarfile.open(distributions.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "migrations/env.py", "worker/app.py"} <= names
    assert not [name for name in names if NEVER.search(name)]


def test_the_metadata_say_what_the_project_says(distributions: Distributions) -> None:
    """Python, licence, dependencies and extras; each of these is needed by the program that installs it."""
    found = metadata(distributions.wheel)
    assert (found["Name"], found["Version"]) == (PROJECT["name"], PROJECT["version"])
    assert found["Requires-Python"] == PROJECT["requires-python"]
    assert found["License-Expression"] == PROJECT["license"]
    assert set(found.get_all("Provides-Extra") or ()) == set(PROJECT["optional-dependencies"])
    assert set(found.get_all("Classifier") or ()) == set(PROJECT["classifiers"])
    required = found.get_all("Requires-Dist") or []
    extras = [needed for needs in PROJECT["optional-dependencies"].values() for needed in needs]
    assert len(required) == len(PROJECT["dependencies"]) + len(extras)
    assert not [needed for needed in required if "://" in needed]


def test_the_long_description_is_the_readme(distributions: Distributions) -> None:
    """As Markdown."""
    found = metadata(distributions.wheel)
    assert found["Description-Content-Type"] == "text/markdown"
    assert found.get_payload(decode=True) == (ROOT / "README.md").read_bytes()


def test_the_licence_comes_along(distributions: Distributions) -> None:
    """Its text is part of what is installed."""
    (text,) = (content for name, content in contents(distributions.wheel).items() if name.endswith("licenses/LICENSE"))
    assert text == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize(
    "extra", sorted(name for name, packages in PROJECT["optional-dependencies"].items() if packages)
)
def test_the_readme_names_each_extra(extra: str) -> None:
    """With the command that installs it from where the README is read."""
    assert f'pip install ".[{extra}]"' in (ROOT / "README.md").read_text(encoding="utf-8")
