"""`/openapi.json`, and `/docs`: the same as a page, rendered here. No scripts, and nothing from elsewhere.

A page that sends requests would need scripts and the key of its reader; instead each operation has a command to copy.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic_core import to_json
from starlette.responses import Response

router = APIRouter(include_in_schema=False)

STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8886; border-radius: .3rem; }
details { border: 1px solid #8886; border-radius: .3rem; margin: .5rem 0; padding: .5rem .75rem; }
summary { cursor: pointer; }
summary b { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #8884; padding: .3rem .6rem .3rem 0; text-align: left; vertical-align: top; }
""".strip()
POLICY: Final = (
    "default-src 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)


@router.get("/openapi.json")
async def get_schema(request: Request) -> Response:
    return Response(_rendered(request, "schema", to_json), media_type="application/json")


@router.get("/docs")
async def get_docs(request: Request) -> Response:
    content = _rendered(request, "docs", lambda schema: page(schema).encode())
    return Response(content, headers={"content-security-policy": POLICY}, media_type="text/html")


def _rendered(request: Request, name: str, render: Callable[[dict[str, Any]], bytes]) -> bytes:
    """Render once: these need no key, so they must cost nothing."""
    kept: dict[str, bytes] = request.app.state.rendered
    if name not in kept:
        kept[name] = render(request.app.openapi())
    return kept[name]


def page(schema: Mapping[str, Any]) -> str:
    info = schema["info"]
    contents = "".join(_section(schema, tag) for tag in schema["tags"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])} API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{_text(info['description'])}</p>"
        "<p>Send a key as <code>Authorization: Bearer …</code>. Errors are problems (RFC 9457). The same for programs"
        ' is at <a href="openapi.json">openapi.json</a>.</p>'
        f"{contents}</body></html>"
    )


def _section(schema: Mapping[str, Any], tag: Mapping[str, str]) -> str:
    operations = "".join(
        _operation(schema, method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if tag["name"] in operation.get("tags", ())
    )
    return f"<h2>{escape(tag['name'])}</h2><p>{_text(tag['description'])}</p>{operations}"


def _operation(schema: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    name = operation["operationId"]
    description = operation.get("description", "")
    title = f"<summary><b>{method.upper()}</b> <code>{escape(path)}</code> — {escape(name)}</summary>"
    parts = [
        f'<details id="{escape(name)}">{title}<p>{_text(description)}</p>',
        _table("Parameter", _parameters(operation)),
        _body(schema, operation),
        _command(schema, method, path, operation),
        _table("Response", _responses(operation)),
        "</details>",
    ]
    return "".join(parts)


def _parameters(operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for parameter in operation.get("parameters", ()):
        needed = "required, " if parameter.get("required") else ""
        kind = f"{needed}{parameter['in']}, {_type(parameter['schema'])}"
        said = parameter.get("description") or parameter["schema"].get("description", "")
        yield parameter["name"], f"{kind}. {said}"


def _responses(operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for status, answer in operation["responses"].items():
        yield status, answer["description"]


def _body(schema: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return ""
    types = ", ".join(f"<code>{escape(media)}</code>" for media in content)
    model = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    fields = schema["components"]["schemas"].get(model, {})
    return f"<p>Body: {types}</p>" + _table("Field", _fields(fields))


def _fields(model: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    required = model.get("required", ())
    for name, field in model.get("properties", {}).items():
        needed = "required, " if name in required else ""
        yield name, f"{needed}{_type(field)}. {field.get('description', '')}"


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"] if one.get("type") != "null")
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("$ref", "").rpartition("/")[2] or schema.get("format") or schema.get("type") or "any")


def _command(schema: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    server = schema["servers"][0]["url"].rstrip("/") or "http://127.0.0.1:8000"
    words = ["curl", *([] if method == "get" else ["-X", method.upper()]), f"'{server}{path}'"]
    if operation.get("security"):
        words.append('-H "Authorization: Bearer $TTSQ_KEY"')
    example = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    if example is not None:
        body = json.dumps(example, ensure_ascii=False).replace("'", "'\\''")
        words += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
    return f"<pre>{escape(' '.join(words))}</pre>"


def _table(title: str, rows: Iterator[tuple[str, str]]) -> str:
    found = "".join(f"<tr><td><code>{escape(name)}</code></td><td>{_text(said)}</td></tr>" for name, said in rows)
    return f"<table><tr><th>{title}</th><th></th></tr>{found}</table>" if found else ""


def _text(text: str) -> str:
    """Return Markdown's code marks as HTML; the rest as it is."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
