"""From an exception to one clear line and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api_models.problems import Fault, InvalidInputError
from worker.artifacts.errors import ArtifactsError, ArtifactsFault
from worker.cli.console.errors import NotMigratedError
from worker.cli.console.explain import SHOWN_FAULTS, explain
from worker.emulator.errors import CannotListenError
from worker.process.factories import StartError
from worker.store.database import Database


def faults(count: int) -> list[Fault]:
    """`count` faults, one per line."""
    return [Fault(line=line, field="text", message="is empty") for line in range(1, count + 1)]


def test_one_fault_is_one_line() -> None:
    """The input, the line, the field and what is wrong."""
    found = explain(InvalidInputError("texts.csv", faults(1)))
    assert found.message == "texts.csv: line 1, text: is empty; nothing was queued or charged"
    assert not found.lines


def test_a_screenful_of_faults_is_shown_and_the_rest_counted() -> None:
    """All are reported at once, up to twenty, whether the reader of the input kept the others or only counted them."""
    found = explain(InvalidInputError("texts.csv", faults(100), total=1_500))
    assert found.message == "texts.csv: 1,500 errors; nothing was queued or charged"
    assert found.lines[:2] == ["line 1, text: is empty", "line 2, text: is empty"]
    assert len(found.lines) == SHOWN_FAULTS + 1
    assert found.lines[-1] == "and 1,480 more"


def test_settings_are_named_with_the_place_to_mend_them() -> None:
    """A single bad setting too: its line is the setting's name."""
    found = explain(InvalidInputError("settings", [Fault(field="SEGMIND_RPM", message="must be over 0")]))
    assert found.lines == ["SEGMIND_RPM: must be over 0"]
    assert ".env" in found.remedy


@pytest.mark.parametrize(
    ("error", "message", "remedy"),
    [
        (NotMigratedError(None, "0001"), "has no tables", "ttsq migrate"),
        (StartError("no key", "set it"), "no key", "set it"),
        (ArtifactsError(ArtifactsFault.NO_SUCH_BUCKET, "no bucket b; create it", detail="raw"), "no bucket b", ""),
        (CannotListenError("127.0.0.1", 80, "denied"), "127.0.0.1:80: denied", "--port"),
        (PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied", ""),
    ],
)
def test_every_rooms_errors_name_their_remedies(error: Exception, message: str, remedy: str) -> None:
    """Expected errors are shown without the name of their Python class."""
    found = explain(error)
    assert message in found.message
    assert remedy in found.remedy
    assert type(error).__name__ not in found.message
    assert not found.unexpected


def test_a_database_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    """In one line for people, without SQLAlchemy's own pages of background."""
    (tmp_path / "folder.db").mkdir()
    database = Database(f"sqlite:///{tmp_path}/folder.db")
    with pytest.raises(SQLAlchemyError) as caught, database.read() as connection:
        connection.execute(text("SELECT 1"))
    found = explain(caught.value)
    assert found.message == "the database file can't be opened; check its folder and its owner"
    assert "TTSQ_DATABASE_URL" in found.remedy


def test_an_unexpected_error_keeps_its_class_and_says_how_to_learn_more() -> None:
    """An unexpected error shows its class, so that it can be reported."""
    found = explain(ZeroDivisionError("division by zero"))
    assert found.message == "ZeroDivisionError: division by zero"
    assert "TTSQ_LOG_LEVEL=debug" in found.remedy
    assert found.unexpected
