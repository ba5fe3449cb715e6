"""The command `ttsq`, given in this process, on a queue of the test's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import pytest

from worker.cli.main import main
from worker.store.database import Database

KEY: Final = "SG_0123456789abcdef"
"""No output may show it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:  # noqa: ANN401 - whatever the command printed
        """The JSON of its last line."""
        return json.loads(self.out.splitlines()[-1])

    @property
    def lines(self) -> list[Any]:
        """The JSON of every line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Ttsq:
    """The command, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Shown:
        """Run one command line."""
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        shown = self._capsys.readouterr()
        assert KEY not in shown.out + shown.err
        return Shown(int(ended.value.code or 0), shown.out, shown.err)


@pytest.fixture
def ttsq(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ttsq:
    """The command, with a key that no output may show, and an API that isn't there."""
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    monkeypatch.setenv("SEGMIND_BASE_URL", "http://127.0.0.1:9")
    return Ttsq(capsys)


@pytest.fixture
def queue(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A migrated queue that the command works on, once on each kind of database."""
    monkeypatch.setenv("TTSQ_DATABASE_URL", database.url.render_as_string(hide_password=False))
    return database
