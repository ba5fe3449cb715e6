"""A log event has a fixed name, which operators search for; what varies stands in its fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
LEVELS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
PASSED_ON: Final = frozenset({"worker/telemetry/outage_log.py", "worker/process/runtime.py"})
"""Modules whose callers name the event."""


def unstructured(tree: ast.Module, name: str) -> Iterator[str]:
    """Log calls whose event is put together, or whose name is no name."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[event, *more]) if (
                level in LEVELS
            ):
                is_name = isinstance(event, ast.Constant) and NAME.fullmatch(str(event.value))
                if more or not (is_name or (isinstance(event, ast.Name) and name in PASSED_ON)):
                    yield f"{name}:{node.lineno}"


def test_every_event_has_a_fixed_name() -> None:
    """And its values are fields, not text."""
    paths = ROOT.glob("worker/**/*.py")
    found = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    assert [one for name, tree in found.items() for one in unstructured(tree, name)] == []


@pytest.mark.parametrize(
    "call", ["log.info(f'x {y}')", "log.error('It failed')", "log.warning('x', y)", "log.info(name)"]
)
def test_each_way_around_it_is_found(call: str) -> None:
    """The check itself."""
    assert list(unstructured(ast.parse(call), "worker/elsewhere.py"))
