"""Run by an installation's own interpreter: imports all of the product, and what is reached by names alone.

Every line of its output is one fault. It must import nothing but the standard library before it begins.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator


def modules(*packages: str) -> Iterator[str]:
    """Each module of these packages. Programs and migrations do something when they are imported."""
    for package in packages:
        yield package
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not found.name.endswith(".__main__") and ".migrations" not in found.name:
                yield found.name


def transports() -> None:
    """kombu's, by the first word of a broker's address."""
    from kombu.transport import resolve_transport

    for scheme in ("memory", "redis", "rediss", "sentinel"):
        resolve_transport(scheme)


def pools() -> None:
    """Celery's, and what its command loads by name."""
    from celery.app.backends import by_name
    from celery.concurrency import get_implementation

    for name in ("threads", "solo", "prefork"):
        get_implementation(name)
    by_name("disabled")
    for name in ("celery.bin.celery", "celery.loaders.app", "celery.fixups.django", "celery.apps.worker"):
        importlib.import_module(name)


def dialects() -> None:
    """SQLAlchemy's, by the first word of a database's address, in both manners of calling; and psycopg's fast half."""
    import psycopg
    from sqlalchemy import create_engine
    from sqlalchemy.ext.asyncio import create_async_engine

    for address in ("sqlite://", "postgresql+psycopg://host/name"):
        create_engine(address)
    create_async_engine("postgresql+psycopg://host/name")
    assert psycopg.pq.__impl__ == "binary", f"psycopg works by {psycopg.pq.__impl__}"


def servers() -> None:
    """uvicorn's parts, which it loads by name."""
    import uvicorn

    uvicorn.Config(app=lambda: None, lifespan="on").load()


def sounds() -> None:
    """What libsndfile was built with."""
    import soundfile

    missing = {"WAV", "FLAC", "OGG", "MP3"} - soundfile.available_formats().keys()
    assert not missing, f"libsndfile has no {missing}"


def time_zones() -> None:
    """Where the system has none."""
    import zoneinfo

    zoneinfo.reset_tzpath(())
    zoneinfo.ZoneInfo("Europe/Berlin")


def dialogues() -> None:
    """Amazon's, which boto3 loads by name."""
    import boto3

    boto3.client("s3", region_name="eu-central-1")
    boto3.client("sts", region_name="eu-central-1")


def attempt(name: str, step: Callable[[], object]) -> bool:
    """Whether it went well; what went wrong is printed."""
    try:
        step()
    except BaseException as error:  # noqa: BLE001 - a module may also end the process
        print(f"{name}: {type(error).__name__}: {error}")
        return False
    return True


def main() -> int:
    """All of it; the exit status is 1 where something is missing."""
    well = [attempt(name, lambda name=name: importlib.import_module(name)) for name in modules("api_models", "worker")]  # type: ignore[misc]
    steps = (transports, pools, dialects, servers, sounds, time_zones, dialogues)
    well += [attempt(step.__name__, step) for step in steps]
    print(f"{len(well)} imports", file=sys.stderr)
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
