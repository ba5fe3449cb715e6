"""A hook that is removed, added again, changed or given a new secret still knows what it has received."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_models.hooks import HookMapping
from api_models.schemes import Scheme
from tests.gateway import Running, running
from tests.integration.gateway.test_hooks import SECRET, a_hook, github, send, texts
from tests.terminal import Ttsq
from worker.gateway import mapping
from worker.store.access import hooks
from worker.store.database import Database
from worker.webhooks import signatures


@pytest.fixture
def gateway(database: Database) -> Iterator[Running]:
    """A gateway that asks for keys, once on each kind of database."""
    with running(database) as started:
        yield started


def test_a_captured_webhook_does_not_work_again_after_its_hook_was_added_anew(
    gateway: Running, database: Database
) -> None:
    """Deliveries are remembered by tenant and name."""
    a_hook(database, "posts", Scheme.GITHUB, {"text": "title"})
    assert send(gateway, "posts", {"title": "A walk"}).status == 202
    with database.begin() as connection:
        assert hooks.remove(connection, "posts")
    assert send(gateway, "posts", {"title": "A walk"}).status == 404
    a_hook(database, "posts", Scheme.GITHUB, {"text": "title"})
    for name in ("d-1", "d-2"):
        assert send(gateway, "posts", {"title": "A walk"}, name=name).json == {"jobs": [], "duplicate": True}
    assert texts(gateway.client("acme")) == ["A walk"]


def test_a_hook_is_changed_and_its_secret_replaced_at_a_terminal(ttsq: Ttsq, queue: Database, tmp_path: Path) -> None:
    """Both secrets are good for a while; what was received before either change stays received."""
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "fresh").write_text("another long secret")
    made = ttsq(
        *("hooks", "add", "posts", "--scheme", "github", "--secret-file", str(tmp_path / "secret")),
        *("--text", "title", "--tags", "labels", "--tenant", "acme"),
    )
    assert made.code == 0, made.err
    with running(queue) as gateway:
        assert send(gateway, "posts", {"title": "A walk"}).status == 202
        assert ttsq("hooks", "change", "posts", "--template", "New: {title}.", "--tags", "").code == 0
        assert ttsq("hooks", "rotate", "posts", "--secret-file", str(tmp_path / "fresh")).code == 0
        assert send(gateway, "posts", {"title": "A walk"}).json["duplicate"]
        assert send(gateway, "posts", {"title": "A rest"}, name="d-2").status == 202
        assert (
            ttsq("hooks", "rotate", "posts", "--secret-file", str(tmp_path / "fresh"), "--overlap-hours", "0").code == 0
        )
        assert send(gateway, "posts", {"title": "A nap"}, name="d-3").trouble == "wrong-signature"
        assert texts(gateway.client("acme")) == ["A walk", "New: A rest."]
    listed = ttsq("hooks", "list", "--json")
    assert listed.data["mapping"] == {"template": "New: {title}."}
    assert "another long secret" not in listed.out
    assert ttsq("hooks", "change", "posts", "--template", "{title").code != 0
    assert ttsq("hooks", "change", "nothing", "--text", "title").code != 0


def test_svix_names_its_headers_otherwise(gateway: Running, database: Database) -> None:
    """The same signature; and the same delivery under the newer names is known."""
    secret = signatures.new_secret()
    a_hook(database, "std", Scheme.STANDARD, {"text": "text"}, secret)
    body = b'{"text": "Hello."}'
    standard = signatures.headers([secret], "msg_1", gateway.gateway.now(), body)
    svix = {name.replace("webhook-", "svix-"): value for name, value in standard.items()}
    assert gateway.stranger("POST", "/v1/hooks/std", body, headers=svix).status == 202
    assert gateway.stranger("POST", "/v1/hooks/std", body, headers=standard).json["duplicate"]
    for wrong in (svix | {"svix-signature": "v1,AAAA"}, svix | {"svix-timestamp": "1"}, {"svix-id": "msg_2"}):
        reply = gateway.stranger("POST", "/v1/hooks/std", body, headers=wrong)
        assert (reply.status, reply.trouble) == (401, "wrong-signature")
        assert "API key" not in reply.body.decode()


EXPRESSIONS: list[tuple[dict[str, str], object]] = [
    ({"text": "sum(a)"}, {"a": ["1", "2"]}),
    ({"text": "sum(a)"}, {"a": 7}),
    ({"text": "join(', ', a)"}, {"a": [1, None]}),
    ({"text": "max(a)"}, {"a": [1, "2", None]}),
    ({"text": "sort(a)"}, {"a": [1, "2"]}),
    ({"text": "sort_by(a, &b)"}, {"a": [{"b": 1}, {"b": None}]}),
    ({"text": "avg(a)"}, {"a": []}),
    ({"text": "avg(a)"}, {"a": [None]}),
    ({"text": "abs(a)"}, {"a": "x"}),
    ({"text": "length(a)"}, {"a": 1}),
    ({"text": "a[::0]"}, {"a": [1]}),
    ({"text": "to_number(a)"}, {"a": "9" * 5_000}),
    ({"text": "to_string(a)"}, {"a": [[]]}),
    ({"text": "a", "when": "a > b"}, {"a": [1], "b": {"c": 1}}),
    ({"text": "a", "when": "starts_with(a, b)"}, {"a": 1, "b": None}),
    ({"text": "a", "each": "map(&b, c)"}, {"c": None}),
    ({"text": "a", "tags": "keys(a)"}, {"a": 1}),
    ({"template": "{merge(a, b)}"}, {"a": 1, "b": 2}),
    ({"template": "{join('', a)} {reverse(b)}"}, {"a": {}, "b": 1}),
]


@pytest.mark.parametrize(("expressions", "payload"), EXPRESSIONS)
def test_no_payload_makes_an_expression_crash(
    gateway: Running, database: Database, expressions: dict[str, str], payload: object
) -> None:
    """It doesn't match, and the sender gets the error; or there is simply nothing to speak."""
    a_hook(database, "posts", Scheme.GITHUB, expressions)
    reply = send(gateway, "posts", payload)
    assert reply.status in {202, 422}, reply
    if reply.status == 422:
        assert reply.json["faults"]
        assert "Traceback" not in reply.body.decode()


def test_an_expression_nested_without_end_is_refused_when_it_is_added() -> None:
    """The parser recurses."""
    found = mapping.parse(HookMapping(text="(" * 1_500 + "a" + ")" * 100))
    assert isinstance(found, list)


@pytest.mark.parametrize("body", [b"[" * 60 + b"]" * 60, b'{"a": ' + b"9" * 390 + b"}", b'"a"', b"7", b"null"])
def test_an_odd_payload_is_a_payload(gateway: Running, database: Database, body: bytes) -> None:
    """Deep, long or plain: no job, and no crash."""
    a_hook(database, "posts", Scheme.GITHUB, {"template": "{a}", "tags": "a"})
    reply = gateway.stranger("POST", "/v1/hooks/posts", body, headers=github(body))
    assert reply.status in {202, 422}, (reply, json.loads(body))
