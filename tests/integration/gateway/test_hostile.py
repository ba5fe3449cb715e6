"""A hostile HTTP client gets a problem, and nothing else: no row, no file, no crash, no hang.

The addresses that webhooks may go to, and the signatures of inbound ones, have suites of their own in `tests/unit`.
"""

from __future__ import annotations

import gzip
import json
from typing import Final

import pytest

from tests.gateway import Client
from tests.integration.gateway.hostile_gateway import client, gateway, nothing_gets_in
from worker.gateway.middleware.guard import MAX_BODY_BYTES

__all__ = ["client", "gateway", "nothing_gets_in"]

DEEP: Final = 100_000


MALFORMED: Final[dict[str, bytes]] = {
    "nothing": b"",
    "blank": b"   ",
    "words": b"hello",
    "half": b'{"text": "a',
    "two": b'{"text": "a"}{"text": "b"}',
    "comma": b'{"text": "a",}',
    "comment": b'{"text": "a" /* b */}',
    "single quotes": b"{'text': 'a'}",
    "unquoted": b"{text: 'a'}",
    "twice": b'{"text": "a", "text": "b"}',
    "twice, escaped": b'{"text": "a", "\\u0074ext": "b"}',
    "twice, inside": b'{"text": "a", "x": {"y": 1, "y": 2}}',
    "NaN": b'{"text": "a", "temperature": NaN}',
    "Infinity": b'{"text": "a", "temperature": Infinity}',
    "-Infinity": b'{"text": "a", "temperature": -Infinity}',
    "beyond": b'{"text": "a", "temperature": 1e999}',
    "digits": b'{"text": "a", "priority": ' + b"9" * 5_000 + b"}",
    "latin-1": '{"text": "ä"}'.encode("latin-1"),
    "utf-16": '{"text": "a"}'.encode("utf-16"),
    "utf-32": '{"text": "a"}'.encode("utf-32"),
    "mark": b'\xef\xbb\xbf{"text": "a"}',
    "overlong": b'{"text": "\xc0\xaf"}',
    "surrogate bytes": b'{"text": "\xed\xa0\x80"}',
    "control": b'{"text": "a\x01b"}',
    "newline": b'{"text": "a\nb"}',
    "nul": b'{"text": "a"}\x00',
    "arrays": b"[" * DEEP,
    "objects": b'{"a":' * 20_000,
    "closed arrays": b"[" * 200 + b"]" * 200,
    "deep": b'{"text": ' + b"[" * 100 + b"]" * 100 + b"}",
    "gzip": gzip.compress(b'{"text": "a"}'),
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94",
    "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "yaml": b"!!python/object/apply:os.system ['id']",
}

WRONG: Final[dict[str, object]] = {
    "null": None,
    "true": True,
    "number": 7,
    "text": "text",
    "list": [{"text": "a"}],
    "empty": {},
    "empty text": {"text": ""},
    "blank text": {"text": "   "},
    "punctuation": {"text": "?!"},
    "text of a number": {"text": 7},
    "text of a list": {"text": ["a"]},
    "text of an object": {"text": {"$ne": ""}},
    "long for two speakers": {"text": "a" * 5_000, "voice_1": "Kore", "voice_2": "Puck"},
    "long in bytes for two": {"text": "語" * 2_000, "voice_1": "Kore", "voice_2": "Puck"},
    "nul": {"text": "a\x00b"},
    "half a pair": {"text": "a\ud800b"},
    "model": {"text": "a", "model": "../../v1/other"},
    "model of a list": {"text": "a", "model": ["gemini-3.1-flash-tts"]},
    "voice": {"text": "a", "voice_1": "Kore\r\nX: y"},
    "voice of an object": {"text": "a", "voice_1": {}},
    "temperature": {"text": "a", "temperature": -0.1},
    "temperature of truth": {"text": "a", "temperature": True},
    "temperature of words": {"text": "a", "temperature": "0x1"},
    "priority": {"text": "a", "priority": 10**9},
    "priority of a fraction": {"text": "a", "priority": 0.5},
    "way up": {"text": "a", "custom_id": "../../etc/passwd"},
    "way up, backwards": {"text": "a", "custom_id": "..\\..\\x"},
    "absolute": {"text": "a", "custom_id": "/etc/passwd"},
    "dots": {"text": "a", "custom_id": ".."},
    "hidden": {"text": "a", "custom_id": ".ttsq"},
    "drive": {"text": "a", "custom_id": "C:evil"},
    "stream": {"text": "a", "custom_id": "a:$DATA"},
    "nul in the name": {"text": "a", "custom_id": "a\x00.wav"},
    "line in the name": {"text": "a", "custom_id": "a\nb"},
    "turned name": {"text": "a", "custom_id": "a\u202egnp.exe"},
    "long name": {"text": "a", "custom_id": "a" * 300},
    "name of a pattern": {"text": "a", "custom_id": "*"},
    "name of a list": {"text": "a", "custom_id": ["a"]},
    "tag": {"text": "a", "tags": ["a,b"]},
    "tag of markup": {"text": "a", "tags": ["<script>"]},
    "tags of text": {"text": "a", "tags": "a"},
    "many tags": {"text": "a", "tags": [f"t{number}" for number in range(17)]},
    "tag twice": {"text": "a", "tags": ["a", "a"]},
    "tag with a line": {"text": "a", "tags": ["a\n"]},
    "time": {"text": "a", "not_before": "tomorrow"},
    "time without a zone": {"text": "a", "not_before": "2026-12-01T08:00:00"},
    "time of a number": {"text": "a", "not_before": 1_800_000_000},
    "time beyond": {"text": "a", "deadline": "9999-12-31T23:59:59-23:00"},
    "deadline": {"text": "a", "not_before": "2027-01-02T00:00:00Z", "deadline": "2027-01-01T00:00:00Z"},
    "cache": {"text": "a", "cache": "steal"},
    "stranger": {"text": "a", "tenant": "globex"},
    "stranger id": {"text": "a", "id": "01a1fe2d-0000-7000-8000-000000000000"},
    "stranger status": {"text": "a", "status": "succeeded"},
    "stranger uri": {"text": "a", "uri": "file:///etc/passwd"},
    "stranger cost": {"text": "a", "cost": "-1"},
    "prototype": {"text": "a", "__proto__": {"admin": True}},
    "class": {"text": "a", "__class__": "x"},
    "callback inward": {"text": "a", "callback_url": "http://169.254.169.254/latest/meta-data/"},
    "callback to a file": {"text": "a", "callback_url": "file:///etc/passwd"},
    "callback here": {"text": "a", "callback_url": "https://127.1/"},
    "callback with a name": {"text": "a", "callback_url": "https://a:b@example.org/"},
    "callback with a line": {"text": "a", "callback_url": "https://example.org/\r\nX: y"},
    "callback of a list": {"text": "a", "callback_url": ["https://example.org/"]},
}

PATHS: Final = [
    "/v1/jobs/..",
    "/v1/jobs/../../etc/passwd",
    "/v1/jobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/v1/jobs/..%2f..%2fetc%2fpasswd",
    "/v1/jobs/..%5c..%5cx",
    "/v1/jobs/%252e%252e%252f",
    "/v1/jobs/%00",
    "/v1/jobs/%c0%ae%c0%ae/",
    "/v1/jobs/%ff",
    "/v1/jobs/' OR 1=1 --".replace(" ", "%20"),
    "/v1/jobs/1;DROP%20TABLE%20jobs",
    "/v1/jobs/{{7*7}}",
    "/v1/jobs/$%7Bjndi:ldap://x%7D",
    "/v1/jobs/00000000-0000-0000-0000-00000000000",
    "/v1/jobs/00000000-0000-0000-0000-000000000000/audio/../../x",
    "/v1/jobs/" + "a" * 5_000,
    "/v1/batches/../jobs",
    "/v1/hooks/../jobs",
    "/v1//jobs",
    "//v1/jobs",
    "/V1/jobs",
    "/v1/jobs/",
    "/v1",
    "/",
    "/etc/passwd",
    "/.env",
    "/.git/config",
    "/static/../../etc/passwd",
    "/docs/",
    "/redoc",
    "/admin",
    "/debug/pprof",
    "/actuator",
    "/server-status",
]
QUERIES: Final = [
    "limit=0",
    "limit=-1",
    "limit=999999999999999999999",
    "limit=1e3",
    "limit=NaN",
    "limit=1&limit=x",
    "cursor=x",
    "cursor=%00",
    "status=x",
    "status=queued%00",
    "tag=",
    "tag=%00",
    "tag=%0a",
    "tag=" + "a" * 100,
    "code=%00",
    "since=x",
    "since=2026-01-01",
    "since=0001-01-01T00:00:00%2B23:59",
    "until=9999-12-31T23:59:59-23:59",
    "batch_id=x",
    "x=1",
    "limit[]=1",
    "limit%00=1",
    "__proto__=1",
    "%ff=1",
]


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/batches", "/v1/endpoints", "/v1/quote"])
def test_what_is_no_json_is_refused(client: Client, name: str, path: str) -> None:
    """What any reader could understand differently is read by none."""
    reply = client("POST", path, MALFORMED[name], headers={"Content-Type": "application/json"})
    assert reply.status in {400, 422}, reply
    assert reply.trouble in {"malformed", "invalid-input"}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_job_is_refused(client: Client, name: str) -> None:
    """Alone, and as one of a batch; nothing of the batch is taken then."""
    for path, body in (("/v1/jobs", WRONG[name]), ("/v1/batches", {"jobs": [{"text": "Good."}, WRONG[name]]})):
        reply = client("POST", path, json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        assert (reply.status, reply.trouble) == (422, "invalid-input"), (path, reply)
        assert reply.json["faults"]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_anywhere_else(client: Client, path: str) -> None:
    """There is nothing there, however it is written."""
    reply = client.get(path)
    assert reply.status in {400, 404}, reply
    assert "root:" not in reply.body.decode("utf-8", "replace")


@pytest.mark.parametrize("query", QUERIES)
def test_no_query_means_something_by_accident(client: Client, query: str) -> None:
    """What can't be understood whole is refused whole."""
    reply = client.get(f"/v1/jobs?{query}")
    assert reply.status == 422, reply
    assert reply.json["faults"]


@pytest.mark.parametrize(
    "media", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", "*/*"]
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/quote", "/v1/endpoints"])
def test_json_says_that_it_is_json(client: Client, media: str, path: str) -> None:
    """A form of another site can send bytes, but not this header."""
    reply = client("POST", path, b'{"text": "a"}', headers={"Content-Type": media})
    assert (reply.status, reply.trouble) == (415, "unsupported-type")


@pytest.mark.parametrize("media", ["application/zip", "application/vnd.ms-excel", "multipart/form-data; boundary=x"])
def test_only_sheets_are_uploaded(client: Client, media: str) -> None:
    """Archives and spreadsheets, which unfold to any size, are not read here."""
    assert client("POST", "/v1/batches", b"PK\x03\x04", headers={"Content-Type": media}).trouble == "unsupported-type"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_nothing_is_unpacked(client: Client, coding: str) -> None:
    """A small body that unfolds to a huge one is not unfolded."""
    bomb = gzip.compress(b"a" * 10_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    assert client("POST", "/v1/jobs", bomb, headers=headers).trouble == "unsupported-type"


@pytest.mark.parametrize(
    "sheet",
    [
        b"",
        b"\n\n",
        b"a,b\n1,2\n",
        b"text\n",
        b'text\n"never',
        b"text\n" + b"a" * 200_000,
        b"\x00" * 99,
        b"text,text\na,b\n",
    ],
)
def test_a_broken_sheet_is_refused_whole(client: Client, sheet: bytes) -> None:
    """With the lines at fault."""
    reply = client("POST", "/v1/batches", sheet, headers={"Content-Type": "text/csv"})
    assert (reply.status, reply.trouble) == (422, "invalid-input")


def test_a_body_has_an_end(client: Client) -> None:
    """What is announced as too long isn't waited for, and what turns out to be isn't kept."""
    body = b'{"text": "' + b"a" * MAX_BODY_BYTES + b'"}'
    assert client("POST", "/v1/jobs", body, headers={"Content-Type": "application/json"}).status == 413
