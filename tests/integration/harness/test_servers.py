"""The servers the other tests stand on: they answer, come back after a kill, leave nothing, and outlive no one."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.servers.errors import PortTakenError, ServerFailedError, ServerNotStartedError
from tests.servers.moto import Moto
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.postgres import Postgres
from tests.servers.s3 import Bucket
from tests.servers.server import Server
from tests.servers.swift import Swift
from tests.servers.valkey import Valkey

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
pytestmark = pytest.mark.servers

ROOT: Final = Path(__file__).parents[3]
GONE_SECONDS: Final = 20.0

KINDS: Final = [
    Valkey,
    Postgres,
    Moto,
    pytest.param(Swift, marks=pytest.mark.skipif(sys.platform != "linux", reason="Swift runs on Linux only")),
]

HOLDER: Final = """
import importlib, sys
server = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])()
server.start()
print(server.process.pid, server.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def s3_client(s3: Bucket) -> Iterator[S3Client]:
    """A client for the server of the `s3` bucket."""
    with closing(s3.client()) as client:
        yield client


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_answers_and_leaves_nothing_behind(kind: type[Server]) -> None:
    """Once started, it answers a real client; once stopped, its processes, folder and address are removed."""
    server = kind()
    server.start()
    folder, pid, port = server.folder, server.process.pid, server.port
    server.greet()
    server.stop()
    assert not folder.exists()
    assert not _exists(pid)
    with socket.socket() as client:
        assert client.connect_ex((LOOPBACK, port)) != 0
    with pytest.raises(ServerNotStartedError):
        _ = server.port


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_server_comes_back_at_the_same_address(kind: type[Server]) -> None:
    """After a kill it is gone until `restart`, which brings it back on its port, as another process."""
    with kind() as server:
        port, pid = server.port, server.process.pid
        server.kill()
        assert not _exists(pid)
        server.restart()
        assert server.port == port
        assert server.process.pid != pid
        server.greet()
        server.restart()
        server.greet()


def test_valkey_keeps_acknowledged_writes_through_a_kill() -> None:
    """What was written before a SIGKILL is there after the restart, and `flush` alone removes it."""
    with Valkey() as server, closing(server.client()) as client:
        client.set("key", "value")
        server.kill()
        server.restart()
        assert client.get("key") == "value"
        server.flush()
        assert client.dbsize() == 0


def test_postgres_keeps_committed_rows_through_a_kill() -> None:
    """A committed row survives a SIGKILL of the server in the middle of another transaction, which does not."""
    with Postgres() as server:
        address = _libpq(server.create_database("kept"))
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CREATE TABLE rows (n int)")
            connection.execute("INSERT INTO rows VALUES (1)")
        with closing(psycopg.connect(address)) as connection:
            connection.execute("INSERT INTO rows VALUES (2)")
            server.kill()
            with pytest.raises(psycopg.OperationalError):
                connection.commit()
        server.restart()
        with psycopg.connect(address) as connection:
            assert connection.execute("SELECT n FROM rows").fetchall() == [(1,)]


def test_postgres_copies_and_drops_databases(postgres: Postgres) -> None:
    """A database made from a template has its rows; a drop takes it away even while someone is connected."""
    with psycopg.connect(_libpq(postgres.create_database("model")), autocommit=True) as connection:
        connection.execute("CREATE TABLE rows AS SELECT 7 AS n")
    copy = _libpq(postgres.create_database("copy", template="model"))
    with psycopg.connect(copy) as connection:
        assert connection.execute("SELECT n FROM rows").fetchall() == [(7,)]
        postgres.drop_database("copy")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    postgres.drop_database("model")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(copy)


def test_postgres_takes_many_connections(postgres: Postgres) -> None:
    """Several worker processes with a pool each fit in: the limit is 300."""
    with psycopg.connect(_libpq(postgres.url())) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("300",)


def test_the_database_fixture_is_empty(postgres_database: str) -> None:
    """A test begins with no table."""
    with psycopg.connect(_libpq(postgres_database)) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_the_redis_fixture_is_empty(valkey: Valkey, request: pytest.FixtureRequest) -> None:
    """A test begins with no key, whatever the test before it left."""
    with closing(valkey.client()) as client:
        client.set("left", "over")
        assert request.getfixturevalue("redis_url") == valkey.url
        assert client.dbsize() == 0


def test_s3_gives_back_what_was_put(s3: Bucket, s3_client: S3Client) -> None:
    """An object comes back with its bytes, content type and metadata, and can be copied and listed."""
    body = bytes(range(256)) * 1000
    s3_client.put_object(Bucket=s3.name, Key="a/b.wav", Body=body, ContentType="audio/wav", Metadata={"cost": "0.01"})
    s3_client.copy_object(Bucket=s3.name, Key="copy.wav", CopySource={"Bucket": s3.name, "Key": "a/b.wav"})
    answer = s3_client.get_object(Bucket=s3.name, Key="copy.wav")
    assert answer["Body"].read() == body
    assert (answer["ContentType"], answer["Metadata"]) == ("audio/wav", {"cost": "0.01"})
    assert [entry["Key"] for entry in s3_client.list_objects_v2(Bucket=s3.name)["Contents"]] == ["a/b.wav", "copy.wav"]


def test_s3_environment_is_all_boto3_needs(s3: Bucket) -> None:
    """A process with nothing but these variables finds the server and the bucket."""
    script = "import boto3, sys; boto3.client('s3').head_bucket(Bucket=sys.argv[1])"
    command = [sys.executable, "-c", script, s3.name]
    subprocess.run(command, env={"PATH": os.defpath, **s3.environment()}, check=True, timeout=60)


def test_swift_refuses_a_wrong_secret(swift: Swift) -> None:
    """A request signed with another secret is refused."""
    with closing(swift.client(secret_key="wrong")) as client, pytest.raises(ClientError) as refusal:
        client.list_buckets()
    assert refusal.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


@pytest.mark.parametrize("wrong", [{"ChecksumCRC32": "AAAAAA=="}, {"ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}])
def test_swift_refuses_a_bad_checksum(swift: Swift, wrong: dict[str, str]) -> None:
    """An object whose bytes don't match the checksum sent with them is refused, and not stored."""
    bucket = swift.create_bucket(f"checksums-{next(iter(wrong)).lower()}")
    with closing(swift.client()) as client:
        with pytest.raises(ClientError) as refusal:
            client.put_object(Bucket=bucket.name, Key="audio", Body=b"audio", **wrong)  # type: ignore[arg-type]
        assert refusal.value.response["Error"]["Code"] == "BadDigest"
        assert client.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 0


def test_swift_keeps_objects_through_a_kill() -> None:
    """An object that was acknowledged before a SIGKILL can be read after the restart."""
    with Swift() as server, closing(server.client()) as client:
        bucket = server.create_bucket("kept")
        client.put_object(Bucket=bucket.name, Key="audio", Body=b"audio")
        server.kill()
        server.restart()
        assert client.get_object(Bucket=bucket.name, Key="audio")["Body"].read() == b"audio"


@linux_only
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_dies_with_the_process_that_started_it(kind: type[Server]) -> None:
    """After a SIGKILL of its holder the server, its children and its leash leave, and its folder with them."""
    with _holder(kind) as (holder, pid, folder), _watched([pid, _parent(pid), *_children(pid)]) as processes:
        holder.kill()
        assert _all_left(processes)
    assert not folder.exists()


@linux_only
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_dies_with_its_leash(kind: type[Server]) -> None:
    """Not even a SIGKILL of the process in between leaves a server without someone who ends it."""
    with kind() as server, _watched([server.process.pid, *_children(server.process.pid)]) as processes:
        os.kill(_parent(server.process.pid), signal.SIGKILL)
        assert _all_left(processes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_taken_port_is_given_up_for_another(kind: type[Server]) -> None:
    """A server that finds its port taken by a stranger starts on the next one."""
    with socket.create_server((LOOPBACK, free_port())) as stranger:
        taken, free = stranger.getsockname()[1], free_port()
        with kind(choose_port=iter([taken, free]).__next__) as server:
            assert server.port == free


def test_a_restart_says_when_its_port_is_taken() -> None:
    """A restart must come back at the same address; if a stranger has it, the error says so and shows the log."""
    with Valkey() as server:
        server.kill()
        with socket.create_server((LOOPBACK, server.port)), pytest.raises(PortTakenError, match="already in use"):
            server.restart()
        server.restart()
        server.greet()


def test_a_server_that_cannot_start_shows_its_log() -> None:
    """The error has the server's own words, and nothing is left of the attempt."""

    class Misconfigured(Valkey):
        def command(self) -> list[str]:
            return [*super().command(), "--no-such-setting", "1"]

    server = Misconfigured()
    with pytest.raises(ServerFailedError, match="no-such-setting"):
        server.start()
    with pytest.raises(ServerNotStartedError):
        _ = server.folder


def test_tests_see_nothing_of_the_developers_environment(tmp_path: Path) -> None:
    """Settings, credentials and dot files of the checkout are out of reach."""
    options = ["-q", "-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider", "-p", "tests.conftest"]
    leaks = {"TTSQ_CONCURRENCY": "7", "SEGMIND_API_KEY": "SG_0123456789abcdef", "AWS_PROFILE": "developer"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(_inner_test(tmp_path))],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **leaks},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _inner_test(folder: Path) -> Path:
    path = folder / "test_inner.py"
    path.write_text(
        "import os, pathlib\n"
        "def test_inner(tmp_path):\n"
        "    assert not {'TTSQ_CONCURRENCY', 'SEGMIND_API_KEY', 'AWS_PROFILE'} & set(os.environ)\n"
        "    assert pathlib.Path.cwd() == tmp_path\n"
    )
    return path


@contextmanager
def _holder(kind: type[Server]) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A separate process that holds a server of this kind; with the server's process id and folder."""
    command = [sys.executable, "-c", HOLDER, kind.__module__, kind.__name__]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            pid, folder = holder.stdout.readline().split()
            yield holder, int(pid), Path(folder)
        finally:
            holder.kill()


@contextmanager
def _watched(pids: list[int]) -> Iterator[list[int]]:
    """File descriptors of processes, each of which turns readable when its process has left."""
    descriptors = [os.pidfd_open(pid) for pid in pids]
    try:
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _all_left(descriptors: list[int]) -> bool:
    return all(select.select([descriptor], [], [], GONE_SECONDS)[0] for descriptor in descriptors)


def _parent(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("PPid:"))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _libpq(url: str) -> str:
    return url.replace("+psycopg", "", 1)
