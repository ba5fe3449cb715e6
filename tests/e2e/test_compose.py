"""Every command of docker-compose.yml and of its rehearsal, run on this machine by what the image has in it.

The names of services become addresses of loopback, and ports free ones; all else is as it stands in the files.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.distribution.compose import PRODUCTION, REHEARSAL, Project, here, project
from tests.distribution.image import Image
from tests.distribution.running import SERVES, WORKS, said, started
from tests.servers.installation import programs
from tests.servers.moto import Moto
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.postgres import Postgres
from tests.servers.process import Process
from tests.servers.valkey import Valkey

SECONDS: Final = 60.0
GIVEN: Final = {"SEGMIND_API_KEY": "SG_0123456789abcdef"}
EVERYWHERE: Final = {"0.0.0.0": LOOPBACK}  # noqa: S104 - nothing is bound to it
PROXY: Final = {**dict.fromkeys(("HTTP_PROXY", "http_proxy"), f"http://{LOOPBACK}:9"), "NO_PROXY": "", "no_proxy": ""}
WHOLE: Final = project(PRODUCTION, REHEARSAL)
PRODUCT: Final = project(PRODUCTION)

pytestmark = pytest.mark.timeout(400)


class ComposePostgres(Postgres):
    """The server with the arguments of the file."""

    def command(self) -> Sequence[str]:
        name, *arguments = PRODUCT.command("postgres")
        assert name == "postgres"
        return [*super().command(), *arguments]


class ComposeValkey(Valkey):
    """The same of Redis."""

    def command(self) -> Sequence[str]:
        name, *arguments = PRODUCT.command("redis")
        assert name == "redis-server"
        program = super().command()[0]
        return [program, *arguments, "--bind", LOOPBACK, "--port", str(self.port), "--dir", str(self.folder)]


@pytest.fixture(scope="module")
def database() -> Iterator[ComposePostgres]:
    """PostgreSQL as in the file; the user and the database of the file are still to be made."""
    with ComposePostgres() as server:
        yield server


@pytest.fixture(scope="module")
def broker() -> Iterator[ComposeValkey]:
    """Redis as in the file."""
    with ComposeValkey() as server:
        yield server


def run(words: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """A health check of a server's own image, by the programs of this machine."""
    return subprocess.run(
        words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def postgres_is_healthy(server: Postgres) -> bool:
    """What its container's health check says."""
    password = str(urlsplit(server.url()).password)
    own = {"PGPORT": str(server.port), "PGPASSWORD": password, "PATH": os.defpath}
    name, *words = PRODUCT.check("postgres")
    return run([str(programs() / name), *words], **own).returncode == 0


def make(server: Postgres, *statements: str) -> None:
    """Carry out what the image of PostgreSQL does for POSTGRES_USER and POSTGRES_DB."""
    with psycopg.connect(server.url().replace("+psycopg", "", 1), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_postgres_is_healthy_once_its_database_is_there(database: ComposePostgres) -> None:
    """Not while the server answers and the database is still to be made, and not when the server is gone."""
    password = urlsplit(database.url()).password
    make(database, f"CREATE ROLE ttsq LOGIN PASSWORD '{password}'")
    assert not postgres_is_healthy(database)
    make(database, "CREATE DATABASE ttsq OWNER ttsq")
    assert postgres_is_healthy(database)
    with psycopg.connect(database.url().replace("+psycopg", "", 1)) as connection:
        (most,) = connection.execute("SHOW max_connections").fetchone() or ()
    assert most == "300"
    make(database, "DROP DATABASE ttsq", "DROP ROLE ttsq")


def test_redis_keeps_nothing_and_refuses_what_is_too_much(broker: ComposeValkey) -> None:
    """Its arguments are understood as they are meant."""
    expected = {"save": "", "appendonly": "no", "maxmemory": str(256 << 20), "maxmemory-policy": "noeviction"}
    client = broker.client()
    try:
        found = {
            name: client.config_get(name)[name] for name in ("save", "appendonly", "maxmemory", "maxmemory-policy")
        }
    finally:
        client.close()
    assert found == expected


def test_redis_is_healthy_while_it_answers(broker: ComposeValkey) -> None:
    """By its own client, where this machine has one."""
    name, *words = PRODUCT.check("redis")
    client = shutil.which(name) or shutil.which("valkey-cli")
    if client is None:
        pytest.skip("there is no redis-cli here")
    assert run([client, "-h", LOOPBACK, "-p", str(broker.port), *words]).stdout.strip() == "PONG"


class Health(BaseHTTPRequestHandler):
    """An S3 server's word about itself."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_s3_is_healthy_while_it_says_so() -> None:
    """The words that wget is given; what isn't 200 is not healthy, and neither is silence."""
    name, *words = PRODUCT.check("s3")
    program = shutil.which(name)
    if program is None:
        pytest.skip("there is no wget here")
    with ThreadingHTTPServer((LOOPBACK, 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = {"8333": str(server.server_port)}
        assert run([program, *(here(word, port) for word in words)]).returncode == 0
        assert run([program, "-t", "1", *(here(word, {**port, "healthz": "other"}) for word in words)]).returncode != 0
        server.shutdown()
    assert run([program, "-t", "1", *(here(word, port) for word in words)]).returncode != 0


@pytest.fixture
def places(database: ComposePostgres, broker: ComposeValkey, moto: Moto) -> Iterator[dict[str, str]]:
    """Where on this machine the services are, by what the files call them. The bucket and the database exist."""
    settings = PRODUCT.services["postgres"]["environment"]
    assert (settings["POSTGRES_USER"], settings["POSTGRES_DB"]) == ("ttsq", "ttsq")
    make(database, "CREATE ROLE ttsq LOGIN PASSWORD 'ttsq'", "CREATE DATABASE ttsq OWNER ttsq")
    broker.flush()
    moto.create_bucket("ttsq")
    yield {
        "postgres/ttsq": f"{LOOPBACK}:{database.port}/ttsq",
        "redis:6379": f"{LOOPBACK}:{broker.port}",
        "s3:8333": f"{LOOPBACK}:{moto.port}",
        "emulator:8765": f"{LOOPBACK}:{free_port()}",
        **EVERYWHERE,
    }
    make(database, "DROP DATABASE ttsq WITH (FORCE)", "DROP ROLE ttsq")


class Containers:
    """What Compose would start of the image, on this machine."""

    def __init__(self, image: Image, whole: Project, places: dict[str, str], folder: Path) -> None:
        self.image = image
        self._project = whole
        self._places = places
        self._folder = folder

    def settings(self, service: str) -> dict[str, str]:
        """The environment of a service's containers."""
        declared = self._project.environment(service, GIVEN)
        own = {"TTSQ_SPOOL_DIR": str(self._folder / "spool"), "TTSQ_ALIVE_FILE": str(self._folder / "alive")}
        aws = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        return {**own, **aws, **{name: here(value, self._places) for name, value in declared.items()}}

    def words(self, service: str, **ports: str) -> list[str]:
        """The command of a service, or the image's own."""
        words = self._project.command(service) or self.image.command("CMD")
        return [here(word, {**EVERYWHERE, **ports}) for word in words]

    def run(self, service: str) -> subprocess.CompletedProcess[str]:
        """A service that ends by itself."""
        return self.image.installation.run(self._folder, *self.words(service), settings=self.settings(service))

    def start(self, service: str, ready: str, **ports: str) -> AbstractContextManager[Process]:
        """A service that stays, from the moment that it says what `ready` matches to the end of the block."""
        words, settings = self.words(service, **ports), self.settings(service)
        return started(self.image.installation, self._folder / service, ready, *words, settings=settings)

    def healthy(self, service: str, **ports: str) -> bool:
        """What the health check of a running service says; only 0 and 1 mean anything to Docker.

        A company's proxy, which Docker sets in each container, is not asked for what is in the container itself.
        """
        words = [here(word, ports) for word in self._project.check(service)]
        settings = self.settings(service) | PROXY
        status = self.image.installation.run(self._folder, *words, settings=settings).returncode
        assert status in {0, 1}
        return status == 0


def test_a_rehearsal_in_containers(image: Image, places: dict[str, str], tmp_path: Path) -> None:
    """Migrate, emulator, worker, gateway, `ttsq status`: each command, and each health check up and down."""
    containers = Containers(image, WHOLE, places, tmp_path)
    api = {"8765": places["emulator:8765"].rpartition(":")[2]}
    door = {"8000": str(free_port())}
    migrated, status = containers.run("migrate"), containers.run("ttsq")
    assert migrated.returncode == 0, migrated.stderr
    assert status.returncode == 0, status.stderr
    assert not containers.healthy("emulator", **api)
    assert not containers.healthy("gateway", **door)
    with (
        containers.start("emulator", f":{api['8765']}", **api),
        containers.start("worker", WORKS),
        containers.start("gateway", SERVES, **door) as gateway,
    ):
        assert said(gateway, SERVES).endswith(f":{door['8000']}")
        assert containers.healthy("emulator", **api)
        assert containers.healthy("gateway", **door)
        gateway.signal(signal.SIGSTOP)
        assert not containers.healthy("gateway", **door)
        gateway.signal(signal.SIGCONT)
