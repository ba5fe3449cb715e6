"""Reads raw queue entries. Only what this module has rebuilt reaches Celery, which trusts every field of a message.

Another application's list, a foreign Celery client or a cut write may leave anything in the queue. Nothing is
unpickled, no coding can expand without bound, and no field of an entry is passed on unread.
"""

from __future__ import annotations

import binascii
import bz2
import itertools
import json
import zlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kombu.utils import json as kombu_json

from worker.broker.messages import SUBMIT, InvalidArgumentsError, Message, decode
from worker.process.dropped_messages import UnusableMessageError

MAX_BYTES: Final = 1 << 20
"""Of an entry, and of its body once decompressed. A request of the longest text takes a quarter of it."""
MAX_ID_CHARACTERS: Final = 255
MAX_RETRIES: Final = 1_000_000
INSTALLATION: Final = "ttsq-installation"
"""Header with the id of the installation that a message is meant for."""
OTHER_INSTALLATION: Final = "other_installation"
"""Reason of a message that its own installation must answer for."""
DECODED: Final = "ttsq-decoded"
"""Property with the decoded message, for the consumer in this process."""

_TEXT_ENCODINGS: Final = frozenset({None, "", "utf-8", "utf8", "us-ascii", "ascii", "binary"})
_FOLLOW_UPS: Final = ("callbacks", "errbacks", "chain", "chord")
_NUMBERS: Final = itertools.count(1)

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One readable entry."""

    task: str
    id: str
    args: list[Any]
    kwargs: dict[str, Any]
    retries: int
    message: Message | None
    """None for a producer's request, which its task checks."""

    def for_celery(self, queue: str) -> dict[str, Any]:
        """The entry in kombu's form, with fields of our own making and a delivery tag that no other has."""
        arguments = f"{self.args!r}"[:MAX_ID_CHARACTERS]
        headers = {
            "lang": "py",
            "task": self.task,
            "id": self.id,
            "root_id": self.id,
            "parent_id": None,
            "group": None,
            "retries": self.retries,
            "eta": None,
            "expires": None,
            "timelimit": [None, None],
            "argsrepr": arguments,
            "kwargsrepr": "{}",
            "ignore_result": True,
        }
        properties = {
            "delivery_tag": f"ttsq-{next(_NUMBERS)}",
            "delivery_info": {"exchange": "", "routing_key": queue},
            "correlation_id": self.id,
            DECODED: self.message,
        }
        return {
            "body": kombu_json.dumps([self.args, self.kwargs, {}]),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": headers,
            "properties": properties,
        }


def read(raw: bytes, *, installation: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Entry:
    """Read an entry of this installation's queue.

    Raises:
        UnusableMessageError: it can never be served.
    """
    document = _document(raw)
    try:
        return _entry(document, installation, now)
    except UnusableMessageError as error:
        submission = None if error.reason == OTHER_INSTALLATION else _submission(document)
        raise UnusableMessageError(error.reason, error.detail, submission=submission) from None


def _entry(document: Fields, installation: str | None, now: Callable[[], datetime]) -> Entry:
    headers, properties = _mapping(document, "headers"), _mapping(document, "properties")
    meant_for = headers.get(INSTALLATION)
    if installation is not None and meant_for is not None and meant_for != installation:
        raise UnusableMessageError(OTHER_INSTALLATION, "it is meant for another installation")
    content = _content(document, headers, properties)
    if "task" in headers:
        known, (args, kwargs, extra) = headers, _three(content)
    else:
        known, (args, kwargs, extra) = _first_protocol(content)
    task = _task(known)
    _refuse_delays({**extra, **{name: known.get(name) for name in ("eta", "expires")}}, now)
    arguments, named = _arguments(args, kwargs)
    return Entry(task, _id(known), arguments, named, _retries(known), _message(task, arguments, named))


def _document(raw: bytes) -> Fields:
    if len(raw) > MAX_BYTES:
        raise UnusableMessageError("too_large", f"{len(raw):,} bytes; {MAX_BYTES:,} is the limit")
    document = _parsed(raw, json.loads)
    if not isinstance(document, dict):
        raise UnusableMessageError("no_envelope", f"it is a {_kind(document)}, and no message of Celery's")
    return document


def _content(document: Fields, headers: Fields, properties: Fields) -> Any:  # noqa: ANN401 - any JSON
    """The decoded body."""
    kind = document.get("content-type")
    if kind != "application/json":
        raise UnusableMessageError("content_type", f"its content type is {_shown(kind)}; send application/json")
    encoding = document.get("content-encoding")
    if encoding is not None and (not isinstance(encoding, str) or encoding.lower() not in _TEXT_ENCODINGS):
        raise UnusableMessageError("content_encoding", f"its encoding is {_shown(encoding)}; send utf-8")
    body = document.get("body")
    if not isinstance(body, str):
        raise UnusableMessageError("body", f"its body is a {_kind(body)}, and no text")
    data = _plain(_transported(body, properties.get("body_encoding")), headers.get("compression"))
    return _parsed(data, kombu_json.loads)  # as Celery reads it later


def _transported(body: str, encoding: object) -> bytes:
    if encoding is None:
        return body.encode("utf-8", "surrogatepass")
    if encoding != "base64":
        raise UnusableMessageError("body_encoding", f"its body is encoded as {_shown(encoding)}; send base64")
    try:
        return b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnusableMessageError("body_encoding", f"its body is no base64: {error}") from None


def _plain(data: bytes, compression: object) -> bytes:
    """Decompress at most `MAX_BYTES`: a few kilobytes may stand for gigabytes."""
    if compression is None:
        return data
    try:
        if compression in {"application/x-gzip", "application/gzip", "gzip", "zlib"}:
            data = zlib.decompressobj(zlib.MAX_WBITS + 32).decompress(data, MAX_BYTES + 1)
        elif compression in {"application/x-bz2", "bzip2", "bzip"}:
            data = bz2.BZ2Decompressor().decompress(data, MAX_BYTES + 1)
        else:
            raise UnusableMessageError("compression", f"its compression is {_shown(compression)}; send gzip or none")
    except (zlib.error, OSError, EOFError, TypeError) as error:
        raise UnusableMessageError("compression", f"its body can't be decompressed: {error}") from None
    if len(data) > MAX_BYTES:
        raise UnusableMessageError("too_large", f"its body exceeds {MAX_BYTES:,} bytes once decompressed")
    return data


def _parsed(data: bytes, loads: Callable[[str], Any]) -> Any:  # noqa: ANN401 - any JSON
    try:
        return loads(data.decode())
    except UnicodeDecodeError:
        raise UnusableMessageError("not_json", "it is no UTF-8") from None
    except RecursionError:
        raise UnusableMessageError("not_json", "it is nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - kombu's decoders of tagged values raise anything
        raise UnusableMessageError("not_json", f"it is no JSON: {_shown(error)}") from None


def _three(content: object) -> tuple[object, object, Fields]:
    """The body of Celery's second protocol."""
    match content:
        case [args, kwargs, dict() as embedded]:
            return args, kwargs, embedded
        case [args, kwargs, None]:
            return args, kwargs, {}
    raise UnusableMessageError("body", "its body is not [arguments, keywords, options]")


def _first_protocol(content: object) -> tuple[Fields, tuple[object, object, Fields]]:
    """A body of Celery's first protocol, which names its task itself."""
    if not isinstance(content, dict) or "task" not in content:
        raise UnusableMessageError("no_task", "it names no task")
    return content, (content.get("args", []), content.get("kwargs", {}), content)


def _refuse_delays(fields: Fields, now: Callable[[], datetime]) -> None:
    """Celery would hold a delayed message in memory, and send follow-ups to queues that nothing reads."""
    if found := next((name for name in _FOLLOW_UPS if fields.get(name)), None):
        raise UnusableMessageError("follow_up", f"{found} is not supported: nothing is published after a task")
    if fields.get("eta"):
        raise UnusableMessageError("eta", "eta and countdown are not supported; set not_before in the request")
    expires = fields.get("expires")
    if expires and _moment(expires) <= now():
        raise UnusableMessageError("expired", f"it expired at {_shown(expires)}")


def _moment(expires: object) -> datetime:
    try:
        moment = datetime.fromisoformat(expires) if isinstance(expires, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise UnusableMessageError("expires", f"expires is {_shown(expires)}; send a time in ISO 8601")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _task(known: Fields) -> str:
    task = known.get("task")
    if not isinstance(task, str):
        raise UnusableMessageError("no_task", f"its task is {_shown(task)}")
    return task


def _id(known: Fields) -> str:
    found = known.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= MAX_ID_CHARACTERS or not found.isprintable():
        raise UnusableMessageError("id", f"its id is {_shown(found)}; send 1 to {MAX_ID_CHARACTERS} characters")
    return found


def _retries(known: Fields) -> int:
    found = known.get("retries")
    return found if isinstance(found, int) and 0 <= found <= MAX_RETRIES else 0


def _arguments(args: object, kwargs: object) -> tuple[list[Any], dict[str, Any]]:
    args, kwargs = [] if args is None else args, {} if kwargs is None else kwargs
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        found = f"{_kind(args)} and {_kind(kwargs)}"
        raise UnusableMessageError("arguments", f"its arguments are a {found}; send an array and an object")
    return args, kwargs


def _message(task: str, args: list[Any], kwargs: dict[str, Any]) -> Message | None:
    if task == SUBMIT:
        return None
    try:
        return decode(task, args, kwargs)
    except InvalidArgumentsError as error:
        raise UnusableMessageError(error.reason, str(error)) from None


def _submission(document: Fields) -> str | None:
    """The id of a producer's request, where the entry contains it."""
    headers = document.get("headers")
    if not isinstance(headers, dict) or headers.get("task") != SUBMIT:
        return None
    found = headers.get("id")
    return found[:MAX_ID_CHARACTERS] if isinstance(found, str) and found else None


def _mapping(document: Fields, name: str) -> Fields:
    found = document.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UnusableMessageError(name, f"its {name} are a {_kind(found)}, and no object")
    return found


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _shown(value: object) -> str:
    """For a log line or an event: short, and escaped."""
    text = repr(value) if not isinstance(value, Exception) else repr(str(value))
    return ascii(text[:80])[1:-1]
