"""A committed revision never changes: a database that has it would not get what was added to it afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from worker.store import schema
from worker.store.types import Instant, Money

CHECKSUMS: Final = Path(__file__).with_name("revisions.sha256")
"""As `sha256sum` writes them. Lines are added and never changed."""
VERSIONS: Final = schema.migrations_folder() / "versions"

CHANGED: Final = """{name} was changed after it was committed. Databases that have this revision would never get
the change. Undo it (git checkout -- migrations/versions/{name}) and write a new revision that adds what is missing,
to databases made before and after."""
NEW: Final = """{name} is a new revision. If it is complete and tested, hold it from now on:
    (cd migrations/versions && sha256sum {name}) >> tests/unit/store/revisions.sha256"""
GONE: Final = "{name} was removed or renamed; databases that are at this revision could not be migrated any more."


def recorded() -> dict[str, str]:
    """The checksum of each revision, by its file's name."""
    return {name: digest for digest, name in map(str.split, CHECKSUMS.read_text(encoding="ascii").splitlines())}


def present() -> dict[str, str]:
    """The same of what is there."""
    # Bytes without carriage returns: a checkout on another system is the same revision.
    return {
        path.name: hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
        for path in VERSIONS.glob("*.py")
    }


@pytest.mark.parametrize("name", sorted(recorded().keys() | present().keys()))
def test_a_committed_revision_does_not_change(name: str) -> None:
    """By its checksum."""
    was, now = recorded().get(name), present().get(name)
    assert now is not None, GONE.format(name=name)
    assert was is not None, NEW.format(name=name)
    assert was == now, CHANGED.format(name=name)


def test_each_is_recorded_once() -> None:
    """A second line of the same name would hide the first."""
    assert len(CHECKSUMS.read_text(encoding="ascii").splitlines()) == len(recorded())


@pytest.mark.parametrize(
    ("kind", "on_postgresql", "on_sqlite"),
    [(Instant(), "TIMESTAMP WITH TIME ZONE", "DATETIME"), (Money(), "BIGINT", "BIGINT")],
    ids=["Instant", "Money"],
)
def test_column_types_of_revisions_do_not_change(kind: Instant | Money, on_postgresql: str, on_sqlite: str) -> None:
    """They are imported by revisions: another type of column needs a new class and a new revision."""
    assert kind.compile(postgresql.dialect()) == on_postgresql  # type: ignore[no-untyped-call]
    assert kind.compile(sqlite.dialect()) == on_sqlite
