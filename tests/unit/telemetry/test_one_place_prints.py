"""Nothing writes to the terminal but the places that escape and redact."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]

STREAMS: Final = {
    "worker/cli/console/terminal.py": "prints for all commands",
    "worker/telemetry/logs.py": "writes log events and last words",
    "worker/cli/main.py": "sets how unprintable characters are written",
    "worker/cli/console/exits.py": "flushes",
    "worker/process/shutdown.py": "flushes",
    "worker/audio/codec/process.py": "its standard output is a protocol",
    "worker/execution/listening/process.py": "its standard output is a protocol",
}
"""Modules that may name `sys.stdout` or `sys.stderr`, each with its reason."""
CONSOLES: Final = {"worker/cli/console/terminal.py", "worker/cli/console/progress.py"}
"""Modules that may import rich's Console; the second only for its type."""
ECHOES: Final = frozenset({"echo", "secho", "echo_via_pager", "print_json"})


def sources() -> list[Path]:
    """Every module of the product."""
    return sorted([*ROOT.glob("worker/**/*.py"), *ROOT.glob("api_models/**/*.py")])


def writes(tree: ast.Module, name: str) -> Iterator[str]:
    """Ways around the terminal in one module."""
    for node in ast.walk(tree):
        found = _imported(node, name) if isinstance(node, ast.ImportFrom) else _named(node, name) or _called(node)
        if found:
            yield f"{name}:{getattr(node, 'lineno', 0)}: {found}"


def _imported(node: ast.ImportFrom, name: str) -> str | None:
    names = {one.name for one in node.names}
    if node.module == "sys" and {"stdout", "stderr"} & names:
        return "imports a stream"
    if node.module == "rich.console" and "Console" in names and name not in CONSOLES:
        return "a console of its own; use Terminal"
    return None


def _named(node: ast.AST, name: str) -> str | None:
    match node:
        case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" | "__stdout__" | "__stderr__"):
            return None if name in STREAMS else f"sys.{node.attr}; use Terminal, or a log event"
        case _:
            return None


def _called(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id="print")):
            return "print(); use Terminal, or a log event"
        case ast.Call(func=ast.Attribute(attr=attribute)) if attribute in ECHOES:
            return f"{attribute}(); use Terminal"
        case ast.Call(func=ast.Attribute(value=ast.Name(id="sys"), attr="exit"), args=[argument]) if is_text(argument):
            return "sys.exit with a text; use logs.exit_with"
        case ast.Call(func=ast.Name(id="SystemExit"), args=[argument]) if not isinstance(argument, ast.Constant):
            return "SystemExit with a text; use logs.exit_with"
        case _:
            return None


def is_text(node: ast.expr) -> bool:
    """Whether an argument is a text, plain or with values."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_every_module_prints_by_the_terminal_alone() -> None:
    """A new caller can't bypass escaping and redaction by accident."""
    assert [
        one
        for path in sources()
        for one in writes(ast.parse(path.read_text(encoding="utf-8")), str(path.relative_to(ROOT)))
    ] == []


@pytest.mark.parametrize(
    "source",
    [
        "print('x')",
        "import sys; sys.stderr.write('x')",
        "from sys import stdout",
        "import typer; typer.echo('x')",
        "from rich.console import Console",
        "import sys; sys.exit(f'ttsq: {1}')",
        "raise SystemExit(str(error))",
    ],
)
def test_each_way_around_it_is_found(source: str) -> None:
    """The check itself."""
    assert list(writes(ast.parse(source), "worker/elsewhere.py"))
