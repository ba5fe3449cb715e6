"""The servers under a cluster, and the place that one cluster has on them: its database, broker and bucket."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import databases
from tests.cluster.shape import DatabaseKind, Shape, StoreKind
from tests.servers.moto import Moto
from tests.servers.postgres import Postgres
from tests.servers.s3 import Bucket, S3Server
from tests.servers.swift import Swift
from tests.servers.valkey import Valkey


@dataclass(frozen=True, slots=True)
class Services:
    """Started servers; None for those that a shape does without."""

    valkey: Valkey
    postgres: Postgres | None = None
    s3: S3Server | None = None


@contextmanager
def own_services(shape: Shape) -> Iterator[Services]:
    """The servers that a shape needs, for as long as the block lasts."""
    with ExitStack() as stack:
        s3: S3Server | None = None
        if shape.store is not StoreKind.FOLDER:
            s3 = stack.enter_context(Swift() if shape.store is StoreKind.SWIFT else Moto())
        postgres = stack.enter_context(Postgres()) if shape.database is DatabaseKind.POSTGRESQL else None
        yield Services(stack.enter_context(Valkey()), postgres, s3)


@dataclass(frozen=True, slots=True)
class Place:
    """What one cluster has to itself."""

    database_url: str
    broker_url: str
    artifacts_url: str
    bucket: Bucket | None
    """None where the audio goes to a folder."""

    def environment(self) -> dict[str, str]:
        """The settings that lead to it."""
        s3 = self.bucket.environment() if self.bucket else {"AWS_CONFIG_FILE": os.devnull}
        return {
            **s3,
            "TTSQ_DATABASE_URL": self.database_url,
            "TTSQ_BROKER_URL": self.broker_url,
            "TTSQ_ARTIFACTS_URL": self.artifacts_url,
        }


@contextmanager
def new_place(services: Services, folder: Path, *, migrated: bool = False) -> Iterator[Place]:
    """A database without rows, an empty broker and an empty bucket; the database is dropped at the end.

    Without `migrated` it has no tables either; a SQLite file never has.
    """
    name = f"cluster_{uuid.uuid4().hex}"
    services.valkey.flush()
    bucket = services.s3.create_bucket(name.replace("_", "-")) if services.s3 else None
    artifacts_url = f"{bucket.url}/audio" if bucket else (folder / "audio").as_uri()
    if services.postgres is None:
        yield Place(f"sqlite:///{folder}/ttsq.db", services.valkey.url, artifacts_url, bucket)
        return
    template = databases.template(services.postgres) if migrated else "template0"
    yield Place(services.postgres.create_database(name, template=template), services.valkey.url, artifacts_url, bucket)
    services.postgres.drop_database(name)
