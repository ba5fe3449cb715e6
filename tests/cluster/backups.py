"""Backups of a cluster's database, taken while it works: with `pg_dump`, or by SQLite's own backup of a live file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url

from tests.cluster.cluster import Cluster
from tests.servers.installation import programs

SECONDS: Final = 120


def back_up(cluster: Cluster, file: Path) -> None:
    """One consistent state of the database, in a file."""
    url = cluster.database.url
    if cluster.database.is_sqlite:
        _copy(str(url.database), str(file))
        return
    _run("pg_dump", url, "--format=custom", f"--file={file}", str(url.database))


def restore(cluster: Cluster, file: Path) -> None:
    """Put the database back as it was; no process of the cluster may run."""
    url = cluster.database.url
    cluster.database.engine.dispose()
    if cluster.database.is_sqlite:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{url.database}{suffix}").unlink(missing_ok=True)
        _copy(str(file), str(url.database))
        return
    postgres = cluster.services.postgres
    assert postgres is not None
    postgres.drop_database(str(url.database))
    postgres.create_database(str(url.database))
    _run("pg_restore", url, "--no-owner", f"--dbname={url.database}", str(file))


def _copy(source: str, target: str) -> None:
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


def _run(program: str, url: URL, *arguments: str) -> None:
    url = make_url(url)
    where = {"PGHOST": str(url.host), "PGPORT": str(url.port), "PGUSER": str(url.username), "PGPASSWORD": url.password}
    subprocess.run(
        [str(programs() / program), *arguments],
        env={"PATH": os.environ["PATH"], **{name: str(value) for name, value in where.items()}},
        check=True,
        capture_output=True,
        timeout=SECONDS,
    )
