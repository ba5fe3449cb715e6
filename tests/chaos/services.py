"""The four services that every worker needs, and where its settings name them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit


class Service(StrEnum):
    """What a worker can be cut off from."""

    DATABASE = "database"
    BROKER = "broker"
    STORE = "store"
    API = "API"


SETTINGS: Final[dict[Service, str]] = {
    Service.DATABASE: "TTSQ_DATABASE_URL",
    Service.BROKER: "TTSQ_BROKER_URL",
    Service.STORE: "AWS_ENDPOINT_URL_S3",
    Service.API: "SEGMIND_BASE_URL",
}
"""The setting that names each."""


def port_of(service: Service, environment: Mapping[str, str]) -> int:
    """The port at which these settings find a service."""
    port = urlsplit(environment[SETTINGS[service]]).port
    assert port is not None
    return port


def led_through(environment: Mapping[str, str], ways: Mapping[Service, tuple[str, int]]) -> dict[str, str]:
    """The settings that lead to the same services by other addresses."""
    return {name: _moved(environment[name], *ways[service]) for service, name in SETTINGS.items()}


def _moved(url: str, host: str, port: int) -> str:
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}{host}:{port}").geturl()
