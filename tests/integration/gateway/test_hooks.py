"""Other systems' webhooks become jobs: once each, and only those that come from their sender."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks.webhooks import Webhook
from uuid_utils.compat import uuid7

from api_models.schemes import Scheme
from tests.factories import NOW
from tests.gateway import Client, Running, running
from tests.terminal import Ttsq
from worker.store.access import hooks
from worker.store.access.hooks import HookRecord
from worker.store.database import Database
from worker.webhooks import signatures

SECRET: Final = "the sender's secret"
EXAMPLES: Final = Path(__file__).resolve().parents[3] / "examples" / "hooks"


@pytest.fixture
def gateway(database: Database) -> Iterator[Running]:
    """A gateway that asks for keys, once on each kind of database."""
    with running(database) as started:
        yield started


def a_hook(database: Database, name: str, scheme: Scheme, mapping: Mapping[str, str], secret: str = SECRET) -> None:
    """A hook of `acme`."""
    with database.begin() as connection:
        assert hooks.add(connection, HookRecord(uuid7(), "acme", name, scheme, secret, {}, mapping, NOW))


def github(body: bytes, name: str = "d-1") -> dict[str, str]:
    """The headers of a webhook from GitHub."""
    mac = hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
    return {"X-Hub-Signature-256": f"sha256={mac}", "X-GitHub-Delivery": name, "Content-Type": "application/json"}


def texts(client: Client) -> list[str]:
    """Of all jobs, the oldest first."""
    return [job["text"] for job in reversed(client.get("/v1/jobs").json["jobs"])]


def send(gateway: Running, hook: str, payload: Any, *, name: str = "d-1") -> Any:  # noqa: ANN401 - whatever JSON has
    """A webhook from GitHub."""
    body = json.dumps(payload).encode()
    return gateway.stranger("POST", f"/v1/hooks/{hook}", body, headers=github(body, name))


def test_a_webhook_makes_its_job_once(gateway: Running, database: Database) -> None:
    """Sent again, under its name or another, it makes nothing; another one does."""
    a_hook(database, "posts", Scheme.GITHUB, {"template": "New: {title}.", "tags": "labels", "custom_id": "id"})
    post = {"id": 7, "title": "A walk", "labels": ["out & about", "walk"]}
    first = send(gateway, "posts", post)
    assert (first.status, len(first.json["jobs"]), first.json["duplicate"]) == (202, 1, False)
    for name in ("d-1", "d-2"):
        again = send(gateway, "posts", post, name=name)
        assert (again.status, again.json) == (200, {"jobs": [], "duplicate": True})
    assert send(gateway, "posts", post | {"title": "A rest"}, name="d-3").status == 202
    client = gateway.client("acme")
    assert texts(client) == ["New: A walk.", "New: A rest."]
    job = client.get(f"/v1/jobs/{first.json['jobs'][0]}").json
    assert (job["tags"], job["custom_id"]) == (["out-about", "walk"], "7")


def test_a_foreign_webhook_makes_nothing(gateway: Running, database: Database) -> None:
    """A wrong signature, none, and a hook that there is none of."""
    a_hook(database, "posts", Scheme.GITHUB, {"text": "title"})
    body = b'{"title": "A walk"}'
    wrong = github(body) | {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    assert gateway.stranger("POST", "/v1/hooks/posts", body, headers=wrong).trouble == "wrong-signature"
    assert gateway.stranger("POST", "/v1/hooks/posts", body).trouble == "wrong-signature"
    assert gateway.stranger("POST", "/v1/hooks/other", body, headers=github(body)).trouble == "not-found"
    assert texts(gateway.client("acme")) == []


def test_one_job_an_element_or_none(gateway: Running, database: Database) -> None:
    """All of a payload, or nothing of it: the problem names the faulty element, and the sender may try again."""
    a_hook(database, "shop", Scheme.GITHUB, {"when": "published", "each": "products[?new]", "text": "name"})
    products = [{"name": "A pen", "new": True}, {"name": "A cup", "new": False}, {"name": "A hat", "new": True}]
    assert send(gateway, "shop", {"published": False, "products": products}, name="a").json["jobs"] == []
    assert len(send(gateway, "shop", {"published": True, "products": products}, name="b").json["jobs"]) == 2
    broken = send(gateway, "shop", {"published": True, "products": [*products, {"name": "", "new": True}]}, name="c")
    assert (broken.status, broken.json["faults"][0]["field"]) == (422, "text")
    assert send(gateway, "shop", {"published": True, "products": "none"}, name="d").json["jobs"] == []
    assert texts(gateway.client("acme")) == ["A pen", "A hat"]


def test_a_standard_webhook_signed_by_its_own_library_is_taken(gateway: Running, database: Database) -> None:
    """By the specification's library for Python."""
    secret = signatures.new_secret()
    a_hook(database, "std", Scheme.STANDARD, {"text": "data.text"}, secret)
    body = '{"data": {"text": "Hello."}}'
    now = gateway.gateway.now()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, body),
    }
    assert gateway.stranger("POST", "/v1/hooks/std", body.encode(), headers=headers).status == 202


def test_a_form_is_a_payload_too(gateway: Running, database: Database) -> None:
    """Sent as a browser sends it, with basic authentication."""
    a_hook(database, "form", Scheme.BASIC, {"template": "{name} says: {message}"}, "site:password")
    headers = {
        "Authorization": "Basic " + base64.b64encode(b"site:password").decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    reply = gateway.stranger("POST", "/v1/hooks/form", b"name=Ada+L.&message=Guten+Tag%21", headers=headers)
    assert reply.status == 202
    assert texts(gateway.client("acme")) == ["Ada L. says: Guten Tag!"]


@pytest.mark.parametrize("example", ["cms_post", "shop_product", "form"])
def test_the_examples_make_what_they_say(ttsq: Ttsq, queue: Database, tmp_path: Path, example: str) -> None:
    """Each folder of examples has a command, a payload, and the expected jobs."""
    assert queue.url
    (tmp_path / "secret").write_text("whsec_" + base64.b64encode(b"0" * 32).decode())
    command = json.loads((EXAMPLES / example / "hook.json").read_text(encoding="utf-8"))
    made = ttsq("hooks", "add", example, "--secret-file", str(tmp_path / "secret"), *command)
    assert made.code == 0, made.err
    shown = ttsq("hooks", "test", example, str(EXAMPLES / example / "payload.json"))
    assert shown.code == 0, shown.err
    wanted = (EXAMPLES / example / "jobs.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in shown.out.splitlines()[1:]] == [json.loads(line) for line in wanted]
    assert "whsec" not in ttsq("hooks", "list", "--json").out
    assert ttsq("hooks", "remove", example).code == 0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--text", "a["], "JMESPath"),
        (["--text", "a", "--template", "b"], "either"),
        ([], "either"),
        (["--template", "{a[}"], "JMESPath"),
        (["--template", "{title"], "unmatched { at character 1"),
        (["--template", "New: title}"], "unmatched } at character 11"),
    ],
)
def test_a_hook_that_could_not_work_is_not_made(
    ttsq: Ttsq, queue: Database, tmp_path: Path, options: list[str], word: str
) -> None:
    """Every expression is understood before anything is stored."""
    (tmp_path / "secret").write_text("long enough")
    shown = ttsq("hooks", "add", "x", "--scheme", "github", "--secret-file", str(tmp_path / "secret"), *options)
    assert shown.code != 0
    assert word in shown.err
    with queue.read() as connection:
        assert hooks.listed(connection) == []


def test_keys_are_made_shown_and_revoked_at_a_terminal(ttsq: Ttsq, queue: Database) -> None:
    """The key itself is printed once and stored nowhere; revoked, it opens nothing."""
    made = ttsq("keys", "add", "site", "--tenant", "acme", "--scope", "read", "--budget", "0.5", "--json").data
    listed = ttsq("keys", "list", "--json")
    assert made["key"] not in listed.out
    assert (listed.data["scopes"], listed.data["budget"], listed.data["tenant"]) == (["read"], "0.5", "acme")
    with running(queue) as gateway:
        client = Client(gateway.address, made["key"])
        assert client.get("/v1/jobs").status == 200
        assert ttsq("keys", "revoke", "site").code == 0
    with running(queue) as gateway:
        assert Client(gateway.address, made["key"]).get("/v1/jobs").status == 401
    assert ttsq("keys", "revoke", "site").code != 0
