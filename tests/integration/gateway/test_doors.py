"""Who may do what: proxies, the first key, revoked keys, and what concerns the whole installation."""

from __future__ import annotations

import difflib
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update

from api_models.access import EVERYTHING, Scope
from tests.factories import NOW
from tests.gateway import Client, Running, running
from worker.gateway.middleware.api_keys import CACHE_SECONDS, Keyring
from worker.gateway.problems import ProblemError
from worker.store.access import api_keys
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.tables.access import ApiKey

PROXIED = [
    {"Forwarded": "for=203.0.113.9"},
    {"X-Forwarded-For": "203.0.113.9"},
    {"x-forwarded-proto": "https"},
    {"X-FORWARDED-HOST": "speech.example.org"},
    {"X_Forwarded_For": "203.0.113.9"},
    {"X-Forwarded": "203.0.113.9"},
    {"Via": "1.1 proxy"},
    {"vIA": ""},
    {"X-Real-IP": "203.0.113.9"},
    {"CF-Ray": "8f"},
    {"True-Client-IP": "203.0.113.9"},
    {"X-Envoy-External-Address": "203.0.113.9"},
]


@pytest.fixture
def open_gateway(on_sqlite: Database) -> Iterator[Running]:
    """A gateway on loopback that asks for no key."""
    with running(on_sqlite, open_door=True) as started:
        yield started


@pytest.fixture
def gateway(on_sqlite: Database) -> Iterator[Running]:
    """A gateway that asks for keys."""
    with running(on_sqlite) as started:
        yield started


@pytest.mark.parametrize("headers", PROXIED)
def test_what_a_proxy_passed_on_needs_a_key(open_gateway: Running, headers: dict[str, str]) -> None:
    """The proxy is on this machine; its clients need not be. Health checks are answered."""
    assert open_gateway.stranger.get("/v1/jobs").status == 200
    for path in ("/v1/jobs", "/metrics"):
        reply = open_gateway.stranger("GET", path, headers=headers)
        assert (reply.status, reply.trouble) == (403, "not-permitted")
        assert "ttsq keys add" in reply.json["detail"]
    assert open_gateway.stranger("GET", "/healthz", headers=headers).status == 200
    assert open_gateway.client()("GET", "/v1/jobs", headers=headers).status == 200


def test_the_protocol_of_a_silent_proxy_needs_a_key(open_gateway: Running) -> None:
    """nginx speaks HTTP/1.0 to the server behind it, and adds no header by default."""
    place = urlsplit(open_gateway.address)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
    connection.request("GET", "/v1/jobs")
    assert connection.getresponse().status == 403
    connection.close()


class Clock:
    """Time as data."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_key_ends_what_needs_none_and_revoking_it_changes_nothing(on_sqlite: Database) -> None:
    """Within the seconds that every key is remembered for."""
    clock = Clock()
    keyring = Keyring(on_sqlite, without_auth=True, clock=clock)
    assert keyring.authenticate(None).key is None
    with on_sqlite.begin() as connection:
        record, _ = api_keys.make(
            connection, tenant="acme", name="first", scopes=EVERYTHING, rate=None, budget=None, now=NOW
        )
    clock.now += CACHE_SECONDS + 1
    assert keyring.cached(None) is None
    with pytest.raises(ProblemError):
        keyring.authenticate(None)
    with on_sqlite.begin() as connection:
        api_keys.revoke(connection, record.id, now=NOW)
    clock.now += CACHE_SECONDS + 1
    with pytest.raises(ProblemError):
        keyring.authenticate(None)
    with pytest.raises(ProblemError):
        Keyring(on_sqlite, without_auth=True).authenticate(None)


def test_a_revoked_keys_stream_ends(gateway: Running) -> None:
    """It is open, gets an event, and after the key was revoked it gets no other one and is closed."""
    client = gateway.client()
    place = urlsplit(gateway.address)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=40)
    connection.request("GET", "/v1/events/stream", headers={"Authorization": f"Bearer {client.key}"})
    answer = connection.getresponse()
    assert answer.status == 200
    record_event(gateway.gateway.database, "before")
    while b"before" not in answer.readline():
        pass
    with gateway.gateway.database.begin() as opened:
        opened.execute(update(ApiKey).values(revoked_at=NOW))
    rest = b""
    while block := answer.read1():
        rest += block
        if rest.count(b": quiet") == 1 and b"after" not in rest:
            record_event(gateway.gateway.database, "after")
    assert b"data:" not in rest
    answer.close()
    connection.close()
    assert client.get("/v1/jobs").status == 401


def record_event(database: Database, subject: str) -> None:
    """An event of `acme`."""
    with database.begin() as connection:
        events.record(connection, "job.failed", subject, {"id": subject}, tenant="acme", now=NOW)


def test_one_tenants_admin_holds_nobody_elses_jobs(gateway: Running) -> None:
    """Gates are for a scope of their own, which no key has unless it is named."""
    assert Scope.INSTALLATION not in EVERYTHING
    for name in ("account", "storage", "model:gemini-3.1-flash-tts", "nothing"):
        reply = gateway.client("acme")("PUT", f"/v1/gates/{name}", {"closed": True})
        assert (reply.status, reply.trouble) == (403, "not-permitted")
    operator = gateway.client("acme", Scope.INSTALLATION)
    assert operator("PUT", "/v1/gates/account", {"closed": True}).json["closed"]
    assert operator("GET", "/v1/jobs").status == 403, "it includes no other scope"
    assert operator("PUT", "/v1/gates/account", {"closed": False}).json["changed"]


def test_invented_methods_are_counted_together(gateway: Running) -> None:
    """Each label value is kept for as long as the process runs."""
    for number in range(20):
        assert gateway.stranger(f"METHOD{number}", "/healthz").status == 405
        assert gateway.stranger(f"METHOD{number}", "/v1/jobs").status in {401, 405}
    text = gateway.client().get("/metrics").body.decode()
    assert "METHOD" not in text
    assert 'method="other"' in text


TEMPLATES = [
    "globex/{batch}/{custom_id}.{ext}",
    "{custom_id}/{batch}/{line:04}-a.{ext}",
    "{tenant}-2/{batch}/{custom_id}.{ext}",
    "x{tenant}/{batch}/{custom_id}.{ext}",
    "{model}/{batch}/{custom_id}.{ext}",
    "{voice_1}/{batch}/{custom_id}.{ext}",
    "audio/{tenant}/{batch}/{custom_id}.{ext}",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_template_leads_into_another_tenants_folder(gateway: Running, template: str) -> None:
    """Tenants share a store: over HTTP the first folder is the tenant's own, or named by the batch."""
    client = gateway.client("acme")
    as_json = client.post("/v1/batches", {"jobs": [{"text": "Hello."}], "key_template": template})
    sheet = client(
        "POST",
        f"/v1/batches?key_template={template.replace('{', '%7B').replace('}', '%7D')}",
        b"text\nHello.\n",
        headers={"Content-Type": "text/csv"},
    )
    for reply in (as_json, sheet):
        assert (reply.status, reply.trouble) == (422, "invalid-input")
        assert "{tenant}" in reply.json["faults"][0]["message"]


@pytest.mark.parametrize("template", ["{tenant}/{batch}/{custom_id}.{ext}", "{batch}/{custom_id}.{ext}", "{id}.{ext}"])
def test_templates_within_ones_own_folder_are_accepted(gateway: Running, template: str) -> None:
    """No tenant's folder has the name of a batch's id or a job's id."""
    body = {"jobs": [{"text": "Hello."}], "key_template": template}
    assert gateway.client("acme").post("/v1/batches", body).status == 202


def an_object(keys: int) -> dict[str, Any]:
    """An object with this many keys, none of which a model has."""
    return {f"texz{number}": number for number in range(keys)}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/batches", "/v1/quote", "/v1/endpoints"])
def test_thousands_of_unknown_keys_are_counted_and_few_are_compared(
    gateway: Running, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing a name with the known ones takes a millisecond; a body has room for thousands of names."""
    compared = comparisons(monkeypatch)
    reply = gateway.client()("POST", path, an_object(9_000))
    assert reply.status == 422
    assert len(reply.json["faults"]) == 100
    assert "errors" in reply.json["detail"]
    assert len(compared) <= 10


def test_unknown_keys_in_every_job_of_a_batch_are_few(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation stops after a thousand errors, however many jobs there are."""
    compared = comparisons(monkeypatch)
    reply = gateway.client().post("/v1/batches", {"jobs": [{"texz": "a"}] * 9_000})
    assert reply.status == 422
    assert reply.json["detail"].startswith("1,000 errors")
    assert len(compared) <= 1_000


def test_thousands_of_query_parameters_are_refused_unread(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known or unknown, once or often."""
    compared = comparisons(monkeypatch)
    client = gateway.client()
    for query in ("&".join(f"x{number}=1" for number in range(2_000)), "limit=1&" * 2_000, "&" * 9_000):
        assert client.get(f"/v1/jobs?{query}").trouble == "malformed"
    few = client.get("/v1/jobs?" + "&".join(f"limix{number}=1" for number in range(150)))
    assert (few.status, len(few.json["faults"])) == (422, 100)
    assert len(compared) <= 10


def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are compared with known ones from now on."""
    found: list[str] = []
    compare = difflib.get_close_matches

    def watched(word: str, *others: Any, **options: Any) -> list[str]:  # noqa: ANN401 - difflib's own
        found.append(word)
        return compare(word, *others, **options)

    monkeypatch.setattr(difflib, "get_close_matches", watched)
    return found


@pytest.mark.parametrize(
    "body",
    [
        b'{"jobs": [' + b"[]," * 60_000 + b"[]]}",
        b'{"jobs": [' + b"{}," * 60_000 + b"{}]}",
        b'{"jobs": [' + b'"",' * 600_000 + b'""]}',
        b'{"jobs": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        b'{"text": "' + b'\\"[' * 1_100_000 + b'"}',
        json.dumps({f"k{number}": 1 for number in range(20_000)}).encode(),
    ],
    ids=["lists", "objects", "strings", "depth", "brackets", "keys"],
)
def test_a_body_that_would_hold_up_the_process_is_refused_by_its_structure(gateway: Running, body: bytes) -> None:
    """Python's parser lets nothing else run while it reads a list of a million empty lists."""
    client: Client = gateway.client()
    reply = client("POST", "/v1/batches", body, headers={"Content-Type": "application/json"})
    assert (reply.status, reply.trouble) == (400, "malformed")
