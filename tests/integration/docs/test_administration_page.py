"""The statements of docs/administration.md, run as they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.servers.moto import Moto
from tests.servers.valkey import Valkey
from worker.cli.main import main
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store import scaling
from worker.store.database import Database

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs/administration.md").read_text(encoding="utf-8")
FILE: Final = (ROOT / "deploy/postgresql/roles.sql").read_text(encoding="utf-8")
AUTOSCALER: Final = (ROOT / "deploy/postgresql/autoscaler.sql").read_text(encoding="utf-8")
BLOCKS: Final = [FILE, *re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
ROLES: Final = ("ttsq_a", "ttsq_b", "ttsq_app", "ttsq_owner")
POLICY: Final = json.loads((ROOT / "deploy/s3/policy.json").read_text(encoding="utf-8"))
OF_MOTO: Final = {"s3:GetObject": "s3:HeadObject", "s3:ListBucket": "s3:HeadBucket"}
"""Actions that moto asks for, where S3 has only the former: it has none for HEAD."""


def statements(text: str) -> list[str]:
    """Without comments."""
    return [one for one in re.sub(r"^--.*$", "", text, flags=re.MULTILINE).split(";\n") if one.strip()]


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

    run([one for block in BLOCKS for one in statements(block)])
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
    users = (ROOT / "deploy/redis/users.acl").read_text(encoding="utf-8")
    (rules,) = re.findall(r"^user (ttsq .*)$", users, re.MULTILINE)
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


def test_an_autoscaler_reads_one_view_and_nothing_else(on_postgresql: Database) -> None:
    """Its role may be known to another team."""
    with on_postgresql.begin() as connection:
        for statement in statements(AUTOSCALER):
            connection.execute(text(statement))
    url = on_postgresql.url.set(username="ttsq_autoscaler", password="choose-a-fourth")
    reader = Database(url.render_as_string(hide_password=False))
    try:
        with reader.read() as connection:
            assert scaling.useful_slots(connection) == 0
        for table in ("jobs", "tallies", "api_keys"):
            with pytest.raises(DBAPIError, match="permission denied"), reader.read() as connection:
                connection.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - the names above
    finally:
        reader.close()
        with on_postgresql.begin() as connection:
            connection.execute(text("DROP OWNED BY ttsq_autoscaler"))
            connection.execute(text("DROP ROLE ttsq_autoscaler"))


def test_the_acl_file_is_taken_by_a_server(tmp_path: Path) -> None:
    """With it, the default user is off."""
    file = tmp_path / "users.acl"
    file.write_bytes((ROOT / "deploy/redis/users.acl").read_bytes())
    with GuardedValkey(file) as server, closing(server.client()) as client:
        assert client.set("ttsq.one", "1")
        with pytest.raises(NoPermissionError):
            client.set("another", "1")
        with pytest.raises(NoPermissionError):
            client.flushall()
        stranger = Redis(port=server.port)
        with closing(stranger), pytest.raises(AuthenticationError):
            stranger.ping()


class GuardedValkey(Valkey):
    """With an ACL file."""

    def __init__(self, users: Path) -> None:
        super().__init__()
        self._users = users

    @property
    def url(self) -> str:
        return super().url.replace("://", "://ttsq:choose-one@")

    def command(self) -> Sequence[str]:
        return [*super().command(), "--aclfile", str(self._users)]


def test_the_policy_of_the_bucket_suffices_and_no_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A text is spoken and stored with its rights; other buckets and the bucket itself are out of reach."""
    with Moto() as server, Emulator(EmulatorConfig()) as emulator:
        for bucket in ("ttsq", "other"):
            server.create_bucket(bucket)
        key = limited_key(server)
        for name, value in {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_REGION": server.region,
            "AWS_ENDPOINT_URL_S3": server.endpoint_url,
            "TTSQ_ARTIFACTS_URL": "s3://ttsq",
            "SEGMIND_BASE_URL": emulator.base_url,
            "SEGMIND_API_KEY": emulator.key,
        }.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "texts.txt").write_text("Hello there.\n", encoding="utf-8")
        assert done("doctor") == 0
        assert done("run", "texts.txt", "--yes") == 0
        client = boto3.client(
            "s3",
            endpoint_url=server.endpoint_url,
            region_name=server.region,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )
        assert [one for one in client.list_objects_v2(Bucket="ttsq")["Contents"] if one["Key"].endswith(".wav")]
        for refused in (
            lambda: client.put_object(Bucket="other", Key="a", Body=b"x"),
            lambda: client.delete_bucket(Bucket="ttsq"),
            lambda: client.get_bucket_policy(Bucket="ttsq"),
            client.list_buckets,
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                refused()


def limited_key(server: Moto) -> dict[str, str]:
    """A key with the policy's rights; from then on the server enforces rights."""
    iam = boto3.client(
        "iam",
        endpoint_url=server.endpoint_url,
        region_name=server.region,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )
    for statement in POLICY["Statement"]:
        statement["Action"] += [extra for action, extra in OF_MOTO.items() if action in statement["Action"]]
    iam.create_user(UserName="ttsq")
    iam.put_user_policy(UserName="ttsq", PolicyName="ttsq", PolicyDocument=json.dumps(POLICY))
    key: dict[str, str] = iam.create_access_key(UserName="ttsq")["AccessKey"]
    enforce = Request(
        f"{server.endpoint_url}/moto-api/reset-auth", data=b"0", method="POST", headers={"Content-Type": "text/plain"}
    )
    urlopen(enforce).close()
    return key


def test_every_command_that_is_named_exists() -> None:
    """A name copied from the page must be valid."""
    for command in set(re.findall(r"`ttsq ([a-z-]+(?: [a-z-]+)?)", PAGE)):
        words = [word for word in command.split() if not word.startswith("-")]
        assert done(*words, "--help") == 0, command
