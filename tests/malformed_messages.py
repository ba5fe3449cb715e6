# ruff: noqa: FBT003 - a boolean is a value like any other here
"""Queue entries as no worker of ours would write them: every shape has a name, and any number of examples."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
import random
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

Raw = bytes
Make = Callable[[random.Random], Raw]

WRONG: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 5, 10**400, 1e308, float("nan"), "", "x", "x" * 4_000, "a\x00b", "\ud800", "ä😀",
    [], {}, [[]], {"a": 1}, [1, 2, 3], {"__type__": "datetime", "__value__": 5}, {"__type__": "x", "__value__": None},
)  # fmt: skip
"""Values of every type, and those that are hard to print, store or count with."""


def attempt(**body: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """A message as the dispatcher writes it."""
    args = body.pop("args", [str(uuid4()), 0])
    return message("ttsq.attempt", args=args, **body)


def submit(**body: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """A message as a producer's Celery writes it."""
    args = body.pop("args", [{"text": "Your order is on its way."}])
    return message("ttsq.submit", args=args, **body)


def message(task: str, *, args: Any = (), kwargs: Any = None, embed: Any = None) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """A message of Celery's second protocol, as kombu stores it in Redis."""
    task_id = str(uuid4())
    return {
        "body": packed([args, {} if kwargs is None else kwargs, embed or {"callbacks": None, "chain": None}]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py", "task": task, "id": task_id, "shadow": None, "eta": None, "expires": None, "group": None,
            "retries": 0, "timelimit": [None, None], "root_id": task_id, "parent_id": None, "argsrepr": "()",
            "kwargsrepr": "{}", "origin": "gen1@shop", "ignore_result": True, "stamped_headers": None, "stamps": {},
        },
        "properties": {
            "correlation_id": task_id, "reply_to": str(uuid4()), "delivery_mode": 2, "priority": 0,
            "delivery_info": {"exchange": "", "routing_key": "ttsq"}, "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }  # fmt: skip


def packed(content: Any) -> str:  # noqa: ANN401 - any JSON
    return b64encode(json.dumps(content).encode()).decode()


def raw(document: Any) -> Raw:  # noqa: ANN401 - any JSON
    return json.dumps(document).encode()


@dataclass(frozen=True, slots=True)
class TouchFile:
    """Unpickling it makes a file."""

    path: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def without(document: dict[str, Any], *path: str) -> Raw:
    """The message with one field removed."""
    changed = copy.deepcopy(document)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return raw(changed)


def with_(document: dict[str, Any], *path: str, value: Any) -> Raw:  # noqa: ANN401 - any JSON
    """The message with one field set."""
    changed = copy.deepcopy(document)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return raw(changed)


def _some(*values: Any) -> Callable[[random.Random], Any]:  # noqa: ANN401 - any JSON
    return lambda rng: rng.choice(values)


def _field(*path: str, value: Callable[[random.Random], Any], of: Callable[[], dict[str, Any]] = attempt) -> Make:
    return lambda rng: with_(of(), *path, value=value(rng))


def _args(*values: Any, task: str = "ttsq.attempt") -> Make:  # noqa: ANN401 - any JSON
    return lambda rng: raw(message(task, args=rng.choice(values)))


def _packed_as(data: Callable[[random.Random], bytes], **fields: str) -> Make:
    """A body of any bytes, with other fields of the envelope or `compression` among its headers."""

    def make(rng: random.Random) -> Raw:
        document = attempt()
        document["body"] = b64encode(data(rng)).decode()
        for name, value in fields.items():
            (document["headers"] if name == "compression" else document)[name.replace("_", "-")] = value
        return raw(document)

    return make


def _body(value: Callable[[random.Random], Any]) -> Make:
    return lambda rng: with_(attempt(), "body", value=packed(value(rng)))


def _cut(rng: random.Random) -> Raw:
    whole = raw(attempt())
    return whole[: rng.randrange(1, len(whole) - 1)]


def _extra(name: str, *values: Any, of: str = "ttsq.attempt") -> Make:  # noqa: ANN401 - any JSON
    args = [str(uuid4()), 0] if of == "ttsq.attempt" else [{"text": "Hello there."}]
    return lambda rng: raw(message(of, args=args, embed={name: rng.choice(values)}))


SIGNATURE: Final[dict[str, Any]] = {"task": "shop.paid", "args": [], "kwargs": {}, "options": {}, "subtask_type": None}
ID: Final = "0198a7c2-0000-7000-8000-000000000001"
NO_TEXT: Final = _some(None, 5, True, [], {}, [1], {"a": "b"})
NO_OBJECT: Final = _some(5, True, "x", "", [], [1], "a\x00b", 1.5)
BODY: Final = json.dumps([[ID, 0], {}, {}]).encode()


def shapes(mark: Path) -> dict[str, Make]:
    """Every shape of entries that can never be served. A pickled one makes the file `mark` if it is ever loaded."""
    pickled = pickle.dumps([TouchFile(mark), {}, {}])
    found: dict[str, Make] = {
        "nothing": lambda _: b"",
        "number": _json(5, 0, -1.5, 10**400), "null": _json(None), "boolean": _json(True, False),
        "text": _json("x", "", "ttsq.attempt"), "array": _json([], [[]], [1, 2]), "empty object": _json({}),
        "other object": _json({"a": 1}, {"task": "x"}, {"body": ""}, {"queue": "resque", "class": "Job", "args": [1]}),
        "no JSON": lambda rng: rng.choice([b"hello", b"{", b"[1,", b"{'a': 1}", b"nan", b"<xml/>"]),
        "no UTF-8": lambda rng: b"\xff\xfe" + rng.randbytes(rng.randrange(1, 200)),
        "UTF-16": lambda _: json.dumps(attempt()).encode("utf-16"),
        "byte order mark": lambda _: b"\xef\xbb\xbf" + raw(attempt()),
        "cut off": _cut,
        "two at once": lambda _: raw(attempt()) * 2,
        "bytes": lambda rng: b"\x80" + rng.randbytes(rng.randrange(1, 2_000)),
        "pickle outside": lambda _: pickled,
        "nested arrays": lambda rng: b"[" * rng.randrange(10_000, 200_000),
        "nested objects": lambda rng: b'{"a":' * rng.randrange(10_000, 100_000),
        "huge": lambda rng: with_(attempt(), "body", value="A" * rng.randrange(2 << 20, 5 << 20)),
        "huge text": lambda _: b'"' + b"x" * (3 << 20) + b'"',
        "headers of a wrong type": _field("headers", value=NO_OBJECT),
        "properties of a wrong type": _field("properties", value=NO_OBJECT),
        "no headers": lambda _: without(attempt(), "headers"),
        "no body": lambda _: without(attempt(), "body"),
        "body of a wrong type": _field("body", value=NO_TEXT),
        "body no base64": _field("body", value=_some("A", "%%%", "ä", "AAA=A", "A\x00")),
        "empty body": _field("body", value=_some("")),
        "body encoding": _field("properties", "body_encoding", value=_some("hex", 5, [], {}, True, "base64 ", "rot13")),
        "no body encoding": lambda _: without(attempt(), "properties", "body_encoding"),
        "content type": _field("content-type", value=_some("text/plain", "", 5, None, [], {}, "application/x-yaml")),
        "no content type": lambda _: without(attempt(), "content-type"),
        "pickled": _packed_as(lambda _: pickled, content_type="application/x-python-serialize"),
        "pickled as binary": _packed_as(lambda _: pickled, content_type="application/data", content_encoding="binary"),
        "pickled as JSON": _packed_as(lambda _: pickled),
        "yaml": _packed_as(lambda _: b"!!python/object/apply:os.getcwd []", content_type="application/x-yaml"),
        "msgpack": _packed_as(lambda _: b"\x93\x90\x80\x80", content_type="application/x-msgpack"),
        "content encoding": _field("content-encoding", value=_some("utf-16", "latin-1", 5, [], {}, True, "rot13")),
        "body in UTF-16": _packed_as(lambda _: BODY.decode().encode("utf-16"), content_encoding="utf-8"),
        "body no UTF-8": _packed_as(lambda rng: b"\xff" + rng.randbytes(50)),
        "body no JSON": _packed_as(lambda rng: rng.choice([b"", b"x", b"[", BODY[:-1], b"\x00"])),
        "unknown compression": _packed_as(lambda _: BODY, compression="application/x-lzma"),
        "compression that isn't": _packed_as(lambda _: BODY, compression="application/x-gzip"),
        "compression of a wrong type": _field("headers", "compression", value=_some(5, [], {}, True)),
        "compression bomb": _packed_as(lambda _: zlib.compress(b" " * (64 << 20)), compression="application/x-gzip"),
        "gzip bomb": _packed_as(lambda _: gzip.compress(b" " * (32 << 20)), compression="application/x-gzip"),
        "body of one value": _body(_some(None, 5, True, "x", "ttsq.attempt")),
        "body of too few": _body(_some([], [[]], [[], {}])),
        "body of too many": _body(_some([[ID, 0], {}, {}, {}], [[], [], [], [], []])),
        "body an object": _body(_some({}, {"args": [], "kwargs": {}}, {"0": []})),
        "body nested": _packed_as(lambda rng: b"[" * rng.randrange(5_000, 50_000)),
        "tagged value": _body(_some(*([[{"__type__": name, "__value__": value}], {}, {}] for name, value in TAGGED))),
        "arguments of a wrong type": _args(5, "x", True, {"a": 1}, 1.5),
        "no arguments": _args([], None),
        "job of a wrong type": _args([5, 0], [None, 0], [[ID], 0], [{"id": ID}, 0], [True, 0], [1.5, 0]),
        "job no id": _args(["", 0], ["x", 0], ["no-job", 0], [ID[:-1], 0], [ID + "0", 0], ["a\x00b", 0], ["\ud800", 0]),
        "number of a wrong type": _args([ID, "0"], [ID, None], [ID, []], [ID, {}], [ID, 0.5], [ID, True]),
        "number out of range": _args([ID, -1], [ID, 2**31], [ID, 2**63], [ID, 10**400]),
        "one argument too many": _args([ID, 0, 1], [ID, 0, None], [ID, 0, [], {}]),
        "one argument too few": _args([ID], [0]),
        "keywords of a wrong type": lambda rng: raw(attempt(kwargs=rng.choice([5, "x", [1], True]))),
        "unknown keyword": lambda rng: raw(attempt(kwargs={rng.choice(["x", "", "job", "a\x00b"]): 1})),
        "keyword twice": lambda _: raw(attempt(kwargs={"job_id": ID})),
        "options of a wrong type": _body(_some([[ID, 0], {}, 5], [[ID, 0], {}, "x"], [[ID, 0], {}, [1]])),
        "no task": lambda _: without(attempt(), "headers", "task"),
        "task of a wrong type": _field("headers", "task", value=_some(None, 5, True, [], {}, ["ttsq.attempt"])),
        "unknown task": _field("headers", "task", value=_some("", "x", "shop.paid", "ttsq.Attempt", "\x00b", "\ud800")),
        "task of Celery's": _field("headers", "task", value=_some("celery.chord", "celery.group", "celery.accumulate")),
        "no id": lambda _: without(attempt(), "headers", "id"),
        "id of a wrong type": _field("headers", "id", value=NO_TEXT),
        "id unprintable": _field("headers", "id", value=_some("", "a\x00b", "a\nb", "\x1b[2J", "\ud800", "x" * 5_000)),
        "eta": _field("headers", "eta", value=_some("2030-01-01T00:00:00+00:00", "x", 5, [1], {"a": 1}, True)),
        "expired": _field("headers", "expires", value=_some("2020-01-01T00:00:00+00:00", "2020-01-01")),
        "expires of a wrong type": _field("headers", "expires", value=_some("soon", 5, [1], {"a": 1}, True)),
        "callbacks": _extra("callbacks", [SIGNATURE], "x", 5), "errbacks": _extra("errbacks", [SIGNATURE], {"a": 1}),
        "chain": _extra("chain", [SIGNATURE], [5]), "chord": _extra("chord", SIGNATURE, "x"),
        "producer's eta": _field("headers", "eta", value=_some("2030-01-01T00:00:00+00:00"), of=submit),
        "producer's chain": _extra("chain", [SIGNATURE], of="ttsq.submit"),
        "producer's callbacks": _extra("callbacks", [SIGNATURE], of="ttsq.submit"),
        "producer's pickle": lambda _: with_(
            {**submit(), "body": b64encode(pickled).decode()}, "content-type", value="application/x-python-serialize"
        ),
        "delivery": _args([ID], [ID, -1], [5, 5], ["x", 0], task="ttsq.deliver"),
        "finish": _args([], [5], ["x"], [ID, 0], task="ttsq.finish"),
        "schedule": _args(["a", "b", "now"], ["a", "b", "2026-01-01"], ["a", 5, "x"], [], task="ttsq.schedule"),
        "schedule of no name": _args(["", "b", TIME], ["\x00", "b", TIME], ["a", "\ud800", TIME], task="ttsq.schedule"),
        "first protocol": lambda rng: raw({**attempt(), "headers": {}, "body": packed(rng.choice(FIRST_PROTOCOL))}),
    }  # fmt: skip
    return found


TIME: Final = "2026-01-01T00:00:00+00:00"
TAGGED: Final[tuple[Any, ...]] = (
    ("datetime", "x"),
    ("uuid", {"hex": "x"}),
    ("decimal", "x"),
    ("os.system", "x"),
    ("base64", "%"),
    ([], 1),
)
FIRST_PROTOCOL: Final[tuple[Any, ...]] = (
    {"task": 5, "id": ID, "args": [], "kwargs": {}},
    {"task": "ttsq.attempt", "args": [ID, 0]},
    {"task": "ttsq.attempt", "id": ID, "args": 5},
    {"task": "ttsq.attempt", "id": ID, "args": [ID, 0], "kwargs": []},
    {"task": "ttsq.attempt", "id": ID, "args": [ID, 0], "eta": TIME},
    {"task": "ttsq.attempt", "id": ID, "args": [ID, 0], "callbacks": [SIGNATURE]},
    {"task": "shop.paid", "id": ID, "args": [], "kwargs": {}},
)


def _json(*values: Any) -> Make:  # noqa: ANN401 - any JSON
    return lambda rng: raw(rng.choice(values))


def mutations() -> Iterator[tuple[str, Raw]]:
    """Every field of good messages, at every level, missing or with a value of another type. Some stay usable."""
    for document in (attempt(), submit(), message("ttsq.deliver", args=[ID, 0]), message("ttsq.finish", args=[ID])):
        for path in _paths(document):
            name = f"{document['headers']['task']} {'.'.join(path)}"
            yield f"{name} missing", without(document, *path)
            for number, value in enumerate(WRONG):
                yield f"{name} #{number}", with_(document, *path, value=value)
        for number, value in enumerate(WRONG):
            yield f"body #{number}", with_(document, "body", value=packed(value))
            for part in range(3):
                content: list[Any] = [[ID, 0], {}, {}]
                content[part] = value
                yield f"body.{part} #{number}", with_(document, "body", value=packed(content))


def _paths(document: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in document.items():
        yield (*before, name)
        if isinstance(value, dict):
            yield from _paths(value, (*before, name))
