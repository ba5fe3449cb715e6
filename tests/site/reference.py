"""Pages that are made from the code: commands, errors, and the HTTP API."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import click

from api_models.http_problems import Trouble
from api_models.verdict import VerdictKind
from worker.cli.console.exits import Exit
from worker.cli.lazy import load
from worker.cli.main import COMMANDS
from worker.gateway.app import make_app


def commands() -> str:
    """Every command with its arguments and options."""
    parts = ["# Every command and option\n\nMade from the program; `ttsq COMMAND --help` says the same.\n"]
    for entry in sorted(COMMANDS, key=lambda entry: entry.name):
        parts += _command(f"ttsq {entry.name}", load(entry), 2)
    return "\n".join(parts)


def _command(name: str, command: Any, level: int) -> Iterator[str]:  # noqa: ANN401 - typer does not export its classes
    context = click.Context(command, info_name=name)
    yield f"{'#' * level} `{name}`\n"
    yield _plain(command.help or "") + "\n"
    if hasattr(command, "list_commands"):
        for child in command.list_commands(context):
            yield from _command(f"{name} {child}", command.get_command(context, child), level + 1)
        return
    rows = [row for parameter in command.get_params(context) if (row := _parameter(parameter, context))]
    yield "| argument or option | default | meaning |\n|---|---|---|"
    yield "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _parameter(parameter: Any, context: Any) -> tuple[str, str, str] | None:  # noqa: ANN401 - as above
    if getattr(parameter, "hidden", False):
        return None
    is_option = parameter.param_type_name == "option"
    value = "" if is_option and parameter.is_flag else _value(parameter, context)
    names = ", ".join([*parameter.opts, *parameter.secondary_opts]) if is_option else ""
    default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    shown = "" if callable(default) or default in (None, "", False, (), []) or "UNSET" in str(default) else str(default)
    return (
        f"`{' '.join(filter(None, (names, value)))}`".replace("|", "\\|"),
        _plain(shown),
        _plain(parameter.help or ""),
    )


def _value(parameter: Any, context: Any) -> str:  # noqa: ANN401 - as above
    shown = parameter.metavar or parameter.display_type_rich(context) or parameter.human_readable_name
    return str(shown).strip("<>")


def _plain(text: str) -> str:
    joined = " ".join(line.strip() for line in text.replace("\n\n", " ").splitlines())
    return joined.replace("|", "\\|").replace("<", "&lt;").replace("{", "&#123;")


def errors() -> str:
    """Problem types of the HTTP API, exit codes, verdicts."""
    return "\n".join(
        [
            "# Errors and exit codes\n",
            "Made from the program.\n",
            "## Exit codes\n",
            "| code | name | meaning |\n|---|---|---|",
            *(f"| {member.value} | `{member.name}` | {sentence} |" for member, sentence in _sentences(Exit)),
            "\n## Problems of the HTTP API\n",
            "`type` of an `application/problem+json` answer is `urn:ttsq:problem:` and one of these names.\n",
            "| name | meaning |\n|---|---|",
            *(f"| `{member.value}` | {sentence} |" for member, sentence in _sentences(Trouble)),
            "\n## Verdicts of attempts\n",
            "What an answer of the API meant, as `ttsq jobs show` and the ledger have it.\n",
            "| verdict | meaning |\n|---|---|",
            *(f"| `{member.value}` | {sentence} |" for member, sentence in _sentences(VerdictKind)),
            "",
        ]
    )


def _sentences(kind: type[Enum]) -> Iterator[tuple[Enum, str]]:
    """Each member with the text below it, or the comment beside it."""
    source = inspect.getsource(kind)
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    below: dict[str, str] = {}
    for one, after in pairwise([*body.body, ast.Pass()]):
        if not isinstance(one, ast.Assign) or not isinstance(one.targets[0], ast.Name):
            continue
        beside = source.splitlines()[one.lineno - 1].partition("# ")[2]
        said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else beside
        below[one.targets[0].id] = _plain(str(said))
    for member in kind:
        yield member, below.get(member.name, "")


def http() -> str:
    """Every route with its parameters and answers."""
    schema = make_app(cast("Any", SimpleNamespace(base=""))).openapi()  # the description reads routes alone
    parts = ["# Every route of the HTTP API\n\nMade from the program; a gateway has the same at `/docs`.\n"]
    by_tag: dict[str, list[str]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append(_route(method, path, operation))
    for tag, routes in by_tag.items():
        parts += [f"## {tag.capitalize()}\n", *routes]
    return "\n".join(parts)


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    shown = path.replace("{", "&#123;")
    lines = [
        f"### {method.upper()} {shown}\n",
        _plain(operation.get("description") or operation.get("summary", "")),
        "",
    ]
    if parameters := operation.get("parameters"):
        lines += ["| parameter | in | meaning |\n|---|---|---|"]
        lines += [f"| `{one['name']}` | {one['in']} | {_plain(one.get('description', ''))} |" for one in parameters]
        lines.append("")
    if body := operation.get("requestBody"):
        kinds = ", ".join(f"`{kind}`" for kind in body["content"])
        lines.append(f"Body: {kinds}{_named(body['content'])}\n")
    answers = ", ".join(
        f"`{status}` {_plain(one.get('description', ''))}" for status, one in operation["responses"].items()
    )
    return "\n".join([*lines, f"Answers: {answers}\n"])


def _named(content: dict[str, Any]) -> str:
    names = [one.get("schema", {}).get("$ref", "").rpartition("/")[2] for one in content.values()]
    return f" ({', '.join(filter(None, names))})" if any(names) else ""
