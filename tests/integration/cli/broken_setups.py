"""An installation in which a worker could work, and the ways to break it that `ttsq doctor` must name."""

from __future__ import annotations

import socket
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from tests.servers.moto import Moto
from tests.servers.postgres import Postgres
from tests.servers.valkey import Valkey
from worker.emulator.server import Emulator
from worker.store.database import Database

PASSWORD: Final = "an-open-secret"


@dataclass(slots=True)
class Installation:
    """PostgreSQL, Valkey, S3 and an API, all well, and the settings that name them."""

    monkeypatch: pytest.MonkeyPatch
    folder: Path
    database: Database
    postgres: Postgres
    valkey: Valkey
    moto: Moto
    emulator: Emulator
    undo: list[Callable[[], object]] = field(default_factory=list)

    def set(self, **variables: str) -> None:
        """Set variables of the environment."""
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def sql(self, *statements: str) -> None:
        """Run statements as the database's owner."""
        with self.database.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def role(self, *grants: str) -> None:
        """Use a new role with these grants."""
        role = f"r_{uuid.uuid4().hex[:8]}"
        self.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'", *(f"GRANT {grant} TO {role}" for grant in grants))
        self.undo.append(lambda: self.sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}"))
        url = self.database.url.set(username=role, password=PASSWORD)
        self.set(TTSQ_DATABASE_URL=url.render_as_string(hide_password=False))

    def acl(self, *rules: str) -> None:
        """Use a user of the broker with these rules."""
        with closing(self.valkey.client()) as client:
            command: Callable[..., object] = client.execute_command
            command("ACL", "SETUSER", "limited", "reset", "on", f">{PASSWORD}", *rules)
        self.undo.append(lambda: _acl_removed(self.valkey))
        self.set(TTSQ_BROKER_URL=self.valkey.url.replace("://", f"://limited:{PASSWORD}@"))


def _acl_removed(valkey: Valkey) -> None:
    with closing(valkey.client()) as client:
        client.acl_deluser("limited")


Break = Callable[[Installation], object]


def free_port() -> int:
    """A port that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def variable(**variables: str) -> Break:
    """Set variables only."""
    return lambda one: one.set(**variables)


def behind(one: Installation) -> None:
    """A database of an earlier version."""
    one.sql("UPDATE alembic_version SET version_num = '0001'")


def ahead(one: Installation) -> None:
    """A database of a later version."""
    one.sql("UPDATE alembic_version SET version_num = '9999'")


def empty(one: Installation) -> None:
    """A database without tables."""
    name = f"test_{uuid.uuid4().hex}"
    one.set(TTSQ_DATABASE_URL=one.postgres.create_database(name))
    one.undo.append(lambda: one.postgres.drop_database(name))


def read_only(one: Installation) -> None:
    """As a replica is."""
    one.sql(f'ALTER DATABASE "{one.database.url.database}" SET default_transaction_read_only = on')


def without_sequences(one: Installation) -> None:
    """A role with rights on tables, not on the sequences of their ids."""
    one.sql("CREATE SEQUENCE extra_ids OWNED BY jobs.custom_id")
    one.role("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public")


def reading(one: Installation) -> None:
    """A role that may only read."""
    one.role("SELECT ON ALL TABLES IN SCHEMA public")


def another_database(one: Installation) -> None:
    """A database that isn't there."""
    one.set(TTSQ_DATABASE_URL=one.postgres.url("nowhere"))


def wrong_password(one: Installation) -> None:
    """Of the database."""
    one.set(TTSQ_DATABASE_URL=one.database.url.set(password=PASSWORD).render_as_string(hide_password=False))


def corrupt_file(one: Installation) -> None:
    """A file that is no database."""
    path = one.folder / "corrupt.db"
    path.write_bytes(b"not a database" * 100)
    one.set(TTSQ_DATABASE_URL=f"sqlite:///{path}")


def empty_file(one: Installation) -> None:
    """An SQLite database without tables, and separate workers."""
    path = one.folder / "empty.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (id)")
    one.set(TTSQ_DATABASE_URL=f"sqlite:///{path}")


def file_in_the_way(name: str, form: str) -> Break:
    """A setting that names a place below a file."""

    def broken(one: Installation) -> None:
        (one.folder / "file").touch()
        one.set(**{name: form.format(one.folder / "file")})

    return broken


def bad_env(content: str) -> Break:
    """A `.env` file."""
    return lambda one: (one.folder / ".env").write_text(content)


def foreign_env(one: Installation) -> None:
    """A `.env` that leads the key elsewhere."""
    one.monkeypatch.delenv("SEGMIND_BASE_URL")
    (one.folder / ".env").write_text("SEGMIND_BASE_URL=https://api.example.com\n")


def full_broker(one: Installation) -> None:
    """Its memory is used up."""
    with closing(one.valkey.client()) as client:
        client.config_set("maxmemory", 1)
    one.undo.append(lambda: _unlimited(one.valkey))


def _unlimited(valkey: Valkey) -> None:
    with closing(valkey.client()) as client:
        client.config_set("maxmemory", 0)


def replica(one: Installation) -> None:
    """A read-only replica of a primary that is not there."""
    with closing(one.valkey.client()) as client:
        client.replicaof("127.0.0.1", str(free_port()))
    one.undo.append(lambda: _primary(one.valkey))


def _primary(valkey: Valkey) -> None:
    with closing(valkey.client()) as client:
        client.replicaof("NO", "ONE")


def broker(form: str) -> Break:
    """Another address of the same server."""
    return lambda one: one.set(TTSQ_BROKER_URL=form.format(port=one.valkey.port, dead=free_port()))


def without(*names: str) -> Break:
    """Unset variables."""

    def broken(one: Installation) -> None:
        for name in names:
            one.monkeypatch.delenv(name)

    return broken


BROKEN: Final[dict[str, tuple[Break, str, str]]] = {
    "a misspelt name": (variable(SEGMIND_RMP="60"), "settings", "did you mean SEGMIND_RPM?"),
    "a misspelt name in .env": (bad_env("TTSQ_CONCURENCY=5\n"), "settings", "did you mean TTSQ_CONCURRENCY?"),
    "a number out of bounds": (variable(TTSQ_CONCURRENCY="0"), "settings", "must be at least 1"),
    "a bare address": (variable(TTSQ_BROKER_URL="localhost:6379"), "settings", "has no scheme"),
    "the scheme of Valkey": (variable(TTSQ_BROKER_URL="valkey://h"), "settings", "write redis://"),
    "a database that is no number": (variable(TTSQ_BROKER_URL="redis://h/abc"), "settings", "redis://host:6379/0"),
    "an unescaped password": (variable(TTSQ_BROKER_URL=f"redis://:a#{PASSWORD}@h/0"), "settings", "percent-encode"),
    "two hosts": (variable(TTSQ_DATABASE_URL="postgresql://h1,h2/db"), "settings", "name one"),
    "an asynchronous driver": (variable(TTSQ_DATABASE_URL="sqlite+aiosqlite:///x.db"), "settings", "without a driver"),
    "a store of another kind": (variable(TTSQ_ARTIFACTS_URL="gs://bucket"), "settings", "s3://bucket"),
    "plain http": (
        variable(SEGMIND_BASE_URL="http://api.segmind.com", SEGMIND_API_KEY="SG_" + "e" * 16),
        "settings",
        "write https://",
    ),
    "a redirecting .env": (foreign_env, "settings", "api.example.com, which gets no key"),
    "no database server": (
        lambda one: one.set(TTSQ_DATABASE_URL=f"postgresql://u:{PASSWORD}@127.0.0.1:{free_port()}/x"),
        "database",
        "check TTSQ_DATABASE_URL",
    ),
    "a wrong password of the database": (wrong_password, "database", "TTSQ_DATABASE_URL"),
    "no such database": (another_database, "database", "TTSQ_DATABASE_URL"),
    "a database without tables": (empty, "database", "ttsq migrate"),
    "an earlier revision": (behind, "database", "ttsq migrate"),
    "a later revision": (ahead, "database", "upgrade ttsq"),
    "a read-only database": (read_only, "database", "the primary"),
    "a role without sequences": (without_sequences, "database", "USAGE ON ALL SEQUENCES"),
    "a role that may only read": (reading, "database", "lacks DELETE on "),
    "no SQLite file": (
        lambda one: one.set(TTSQ_DATABASE_URL=f"sqlite:///{one.folder}/absent/x.db"),
        "database",
        "ttsq migrate",
    ),
    "an SQLite file that is none": (corrupt_file, "database", "TTSQ_DATABASE_URL"),
    "an SQLite file without tables": (empty_file, "database", "ttsq migrate"),
    "a file in the database's way": (
        file_in_the_way("TTSQ_DATABASE_URL", "sqlite:///{}/x.db"),
        "database",
        "TTSQ_DATABASE_URL",
    ),
    "no broker": (broker("redis://127.0.0.1:{dead}/0"), "broker", "TTSQ_BROKER_URL"),
    "a wrong password of the broker": (broker(f"redis://no-one:{PASSWORD}@127.0.0.1:{{port}}/0"), "broker", "user:"),
    "a number the broker doesn't have": (broker("redis://127.0.0.1:{port}/99"), "broker", "TTSQ_BROKER_URL"),
    "TLS to a broker without it": (
        broker("rediss://127.0.0.1:{port}/0?ssl_cert_reqs=CERT_REQUIRED"),
        "broker",
        "must speak TLS",
    ),
    "a full broker": (full_broker, "broker", "maxmemory"),
    "a replica": (replica, "broker", "the primary"),
    "a broker's user who may only read": (
        lambda one: one.acl("~*", "+@read", "+@connection", "+@transaction"),
        "broker",
        "ACL SETUSER",
    ),
    "a broker's user of other keys": (lambda one: one.acl("~other", "+@all"), "broker", "ACL SETUSER"),
    "no bucket": (variable(TTSQ_ARTIFACTS_URL="s3://no-such-bucket-here"), "artifacts", "no-such-bucket-here"),
    "no S3 server": (
        lambda one: one.set(AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{free_port()}"),
        "artifacts",
        "AWS_ENDPOINT_URL_S3",
    ),
    "no credentials": (
        without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        "artifacts",
        "credentials",
    ),
    "an S3 endpoint without a scheme": (
        variable(AWS_ENDPOINT_URL_S3="localhost:9000"),
        "artifacts",
        "AWS_ENDPOINT_URL",
    ),
    "a profile that is not there": (variable(AWS_PROFILE="nowhere"), "artifacts", "credentials"),
    "a file in the audio's way": (
        file_in_the_way("TTSQ_ARTIFACTS_URL", "file://{}/audio"),
        "artifacts",
        "TTSQ_ARTIFACTS_URL",
    ),
    "a file in the spool's way": (file_in_the_way("TTSQ_SPOOL_DIR", "{}/spool"), "spool", "TTSQ_SPOOL_DIR"),
    "too little room": (variable(TTSQ_SPOOL_MIN_FREE_MB="999999999"), "spool", "TTSQ_SPOOL_MIN_FREE_MB"),
    "too few open files": (variable(TTSQ_CONCURRENCY="5000"), "process", "TTSQ_CONCURRENCY"),
    "a file in the health check's way": (
        file_in_the_way("TTSQ_ALIVE_FILE", "{}/alive"),
        "process",
        "TTSQ_ALIVE_FILE",
    ),
    "no key": (without("SEGMIND_API_KEY"), "key", "SEGMIND_API_KEY"),
    "a wrong key": (variable(SEGMIND_API_KEY="SG_" + "f" * 16), "key", "SEGMIND_API_KEY"),
    "a key that is no header": (variable(SEGMIND_API_KEY="a key"), "key", "copy it again"),
    "no API": (lambda one: one.set(SEGMIND_BASE_URL=f"http://127.0.0.1:{free_port()}"), "key", "SEGMIND_BASE_URL"),
    "an API below a path": (
        lambda one: one.set(SEGMIND_BASE_URL=f"{one.emulator.base_url}/elsewhere"),
        "key",
        "SEGMIND_BASE_URL",
    ),
}
