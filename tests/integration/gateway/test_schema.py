"""schemathesis against the running gateway: whatever is sent, no 5xx, and no answer that the description doesn't have.

`FUZZ_EXAMPLES` is how many requests are made for each operation; `make fuzz` asks for many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.factories import NOW
from tests.gateway import Running, running
from worker.store.access import hooks
from worker.store.access.hooks import HookRecord
from worker.store.database import Database

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "6"))
ENDLESS: Final = frozenset({"/v1/events/stream"})
"""It answers until the client leaves; `test_gateway_streams` follows it."""
SECRET: Final = "a long secret"
CHECKS: Final = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
)


@pytest.fixture
def gateway(on_sqlite: Database, tmp_path: Path) -> Iterator[Running]:
    """A gateway with a hook, whose audio lies in a folder."""
    with on_sqlite.begin() as connection:
        mapping = {"text": "text", "tags": "tags"}
        hooks.add(connection, HookRecord(UUID(int=7), "acme", "form", "bearer", SECRET, {}, mapping, NOW))
    with running(on_sqlite, TTSQ_ARTIFACTS_URL=(tmp_path / "audio").as_uri()) as started:
        yield started


@pytest.mark.timeout(3_600)
def test_every_answer_is_as_described(gateway: Running) -> None:
    """Good requests and bad ones, made from the description itself; every operation gets its share."""
    key = gateway.client().key
    schema = schemathesis.openapi.from_url(f"{gateway.address}/openapi.json")
    failures, made = [], 0

    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # a broken description fails here
        if operation.path in ENDLESS:
            continue
        modes = (
            (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            if _takes_anything(operation)
            else (GenerationMode.POSITIVE,)
        )
        for mode in modes:

            @settings(
                max_examples=max(1, EXAMPLES // len(modes)),
                deadline=None,
                derandomize=EXAMPLES < 50,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:  # noqa: ANN401 - its library names no type for it
                nonlocal made
                made += 1
                bearer = SECRET if "/hooks/" in case.path else key
                headers = {"Authorization": f"Bearer {bearer}"}
                if any(name.lower() == "prefer" for name in case.headers or {}):
                    headers["Prefer"] = "wait=0"
                case.call_and_validate(
                    base_url=gateway.address, headers=headers, checks=CHECKS, timeout=20, session=session
                )

            with requests.Session() as session:
                try:
                    ask()
                except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - one operation's fault must not hide another's
                    failures.append(f"{operation.label} ({mode}): {error}")

    print(f"{made:,} requests")
    assert made >= EXAMPLES * 20
    assert failures == []


def _takes_anything(operation: Any) -> bool:  # noqa: ANN401 - as above
    """Whether there is anything about a request that could be wrong."""
    return any((operation.body, operation.query, operation.path_parameters, operation.headers))
