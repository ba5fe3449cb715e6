"""The statements of docs/administration.md, run as they stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from tests.servers.valkey import Valkey
from worker.cli.main import main
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store.database import Database

PAGE: Final = (Path(__file__).parents[3] / "docs" / "administration.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ROLES: Final = ("ttsq_a", "ttsq_b", "ttsq_app", "ttsq_owner")


def done(*arguments: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.fixture
def granted(postgres_database: str) -> Iterator[Callable[[str, str], str]]:
    """An empty database with the roles of the page; returns the address of one of them."""
    owner = Database(postgres_database)

    def run(statements: list[str]) -> None:
        with owner.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    run([one for block in BLOCKS for one in block.split(";\n") if one.strip()])
    yield lambda role, password: owner.url.set(username=role, password=password).render_as_string(hide_password=False)
    run([f"DROP OWNED BY {role} CASCADE" for role in ROLES] + [f"DROP ROLE {role}" for role in ROLES])
    owner.close()


@pytest.mark.parametrize(("role", "password"), [("ttsq_a", "choose-another"), ("ttsq_b", "choose-a-third")])
def test_the_roles_migrate_and_work(
    role: str,
    password: str,
    granted: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The owner makes the tables; each of the others passes the doctor, and a text is spoken with its rights."""
    (tmp_path / "texts.txt").write_text("Hello there.\n", encoding="utf-8")
    with Emulator(EmulatorConfig()) as emulator:
        monkeypatch.setenv("SEGMIND_BASE_URL", emulator.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", emulator.key)
        monkeypatch.setenv("TTSQ_DATABASE_URL", granted("ttsq_owner", "choose-one"))
        assert done("migrate") == 0
        monkeypatch.setenv("TTSQ_DATABASE_URL", granted(role, password))
        assert done("doctor") == 0
        assert done("run", "texts.txt", "--out", "out", "--yes") == 0
    assert len(list((tmp_path / "out").glob("*.wav"))) == 1


def test_the_rights_in_redis_suffice(
    valkey: Valkey, on_postgresql: Database, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    """The doctor finds nothing that this user may not do."""
    (rules,) = re.findall(r"^ACL SETUSER (.*)$", PAGE, re.MULTILINE)
    with closing(valkey.client()) as client:
        command: Callable[..., object] = client.execute_command
        command("ACL", "SETUSER", *rules.split())
        try:
            with Emulator(EmulatorConfig()) as emulator:
                monkeypatch.setenv("SEGMIND_BASE_URL", emulator.base_url)
                monkeypatch.setenv("SEGMIND_API_KEY", emulator.key)
                monkeypatch.setenv("TTSQ_DATABASE_URL", on_postgresql.url.render_as_string(hide_password=False))
                monkeypatch.setenv("TTSQ_BROKER_URL", redis_url.replace("://", "://ttsq:choose-one@"))
                assert done("doctor") == 0
        finally:
            client.acl_deluser("ttsq")


def test_every_command_that_is_named_exists() -> None:
    """A name copied from the page must be valid."""
    for command in set(re.findall(r"`ttsq ([a-z-]+(?: [a-z-]+)?)", PAGE)):
        words = [word for word in command.split() if not word.startswith("-")]
        assert done(*words, "--help") == 0, command
