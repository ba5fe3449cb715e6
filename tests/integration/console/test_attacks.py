"""Hostile content and hostile sites: nothing that others wrote becomes markup, and no other page acts for a visitor."""

from __future__ import annotations

import itertools
from typing import Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest

from api_models.access import Scope
from api_models.status import JobStatus
from tests.console_site import TENANT, Browser, Page, signed_in, signed_in_by_key
from tests.factories import add_batch, add_job, stored
from tests.gateway import Running, running
from worker.gateway.console import formats
from worker.gateway.console.access import COOKIE, csrf_of
from worker.store import operations
from worker.store.database import Database

MARKUP: Final = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<!--<script>alert(1)//-->",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<form action=https://evil.example><input name=csrf>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example>",
    "<style>@import 'https://evil.example'</style>",
    "<details open ontoggle=alert(1)>",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "<div hx-get=/console/keys hx-trigger=load>",
    "<p data-hx-post=/console/logout>",
    "&lt;script&gt;alert(1)&lt;/script&gt;<b>",
    "<ScRiPt\n>alert(1)</ScRiPt >",
    "<x onclick=alert(1)>\x00",
    "\u202e<script>alert(1)</script>\u202c",
    "\x1b]8;;https://evil.example\x07<b>link</b>",
    "\u2066<img src=x>\u2069\u200b\ufeff",
)
ACTIVE: Final = (
    "<script>alert",
    "<img src=x",
    "<svg/onload",
    "<iframe",
    "<form action=https",
    "<base",
    "<style>@",
    "<b>link",
)
INVISIBLE: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\ufeff\x1b\x07\x00"
FOREIGN_PATHS: Final = (
    "/console/jobs/{job}",
    "/console/jobs/{job}/audio",
    "/console/jobs/{job}/peaks",
    "/console/jobs/{job}/takes/1",
    "/console/batches/{batch}",
    "/console/documents/{job}",
    "/console/operations/{operation}",
    "/console/webhooks/deliveries/{job}",
)
FOREIGN_ACTIONS: Final = (
    "/console/jobs/{job}/retry",
    "/console/jobs/{job}/cancel",
    "/console/jobs/{job}/delete",
    "/console/batches/{batch}/pause",
    "/console/batches/{batch}/resume",
    "/console/operations/{operation}/confirm",
    "/console/operations/{operation}/abort",
    "/console/webhooks/deliveries/{job}/redeliver",
    "/console/webhooks/endpoints/{job}/enable",
    "/console/keys/{job}/revoke",
)
REDIRECTS: Final = (
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/console/../../evil",
    "/console@evil.example",
    "/console.evil.example",
    "javascript:alert(1)",
    "/console//evil.example",
    "/console?x=\r\nSet-Cookie: a=b",
    "https:evil.example",
    " /console",
)
OTHER_SITES: Final = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
)


def assert_harmless(page: Page, text: str) -> None:
    """No markup of the text became markup of the page, and nothing invisible is left."""
    assert page.status in {200, 400}, page.text
    assert not [word for word in ACTIVE if word in page.text]
    assert not set(INVISIBLE) & set(page.text), text
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert not attributes.get("href", "").lower().startswith("javascript:")
        assert tag not in {"iframe", "base", "object", "embed"}
        assert tag != "style"
        assert tag != "script" or attributes["src"].startswith("/console/assets/")
    assert "=49" not in page.text
    assert ">49<" not in page.text


@pytest.mark.parametrize("text", MARKUP, ids=range(len(MARKUP)))
def test_text_of_others_stays_text(on_sqlite: Database, text: str) -> None:
    """In every place where a producer, the API or a file can write it, on every page that shows it."""
    clean = text.replace("\x00", "")
    with running(on_sqlite) as site:
        with on_sqlite.begin() as connection:
            batch_id = add_batch(connection, tenant=TENANT, name=clean, total=1)
            job_id = add_job(
                connection,
                tenant=TENANT,
                batch_id=batch_id,
                text=f"a {clean}",
                custom_id=clean,
                tags=f",{clean.replace(',', '')},",
                status=JobStatus.FAILED,
                code="bad_audio",
                message=clean,
                detail=clean,
                uri=f"file:///audio/{clean}",
            )
        browser = signed_in(site)
        paths = [
            "/console",
            "/console/jobs",
            f"/console/jobs/{job_id}",
            "/console/batches",
            f"/console/batches/{batch_id}",
        ]
        for path in paths:
            assert_harmless(browser.get(path), text)
        answer = browser.submit(browser.get("/console/try"), "/console/try", text=clean, voice="Kore")
        shown = answer.text.replace(str(formats.exactly(clean)), "")
        assert not [word for word in ACTIVE if word in shown]


@pytest.mark.parametrize("text", MARKUP, ids=range(len(MARKUP)))
def test_a_filter_is_shown_as_text(on_sqlite: Database, text: str) -> None:
    """In its box, in the error, and in the operation that was made of it."""
    with running(on_sqlite) as site:
        browser = signed_in(site)
        page = browser.send("GET", "/console/jobs?" + urlencode({"filter": text}))
        assert not [word for word in ACTIVE if word in page.text]
        with on_sqlite.begin() as connection:
            record = operations.create(
                connection,
                tenant=TENANT,
                actor=text.replace("\x00", ""),
                action=operations.Action.RETRY,
                filter_text="",
                priority=None,
                now=on_sqlite.now(connection),
            )
        assert_harmless(browser.get(f"/console/operations/{record.id}"), text)


@pytest.fixture
def others(site: Running) -> dict[str, str]:
    """A job, a batch and an operation of another tenant."""
    database = site.gateway.database
    with database.begin() as connection:
        batch_id = add_batch(connection, tenant="globex", total=1)
        job_id = add_job(connection, tenant="globex", batch_id=batch_id, status=JobStatus.FAILED)
        record = operations.create(
            connection,
            tenant="globex",
            actor="eve",
            action=operations.Action.CANCEL,
            filter_text="",
            priority=None,
            now=database.now(connection),
        )
    return {"job": str(job_id), "batch": str(batch_id), "operation": str(record.id)}


def test_another_tenants_objects_do_not_exist(site: Running, operator: Browser, others: dict[str, str]) -> None:
    """Every page answers as for an id that was never given, and every action leaves them unchanged."""
    csrf = dict(operator.get("/console/jobs/" + str(_own_job(site))).form("/retry").fields)["csrf"]
    unknown = dict.fromkeys(others, str(uuid4()))
    for path in FOREIGN_PATHS:
        answers = [operator.get(path.format(**ids)) for ids in (others, unknown)]
        assert [answer.status for answer in answers] == [404, 404], path
    for path in FOREIGN_ACTIONS:
        answers = [operator.send("POST", path.format(**ids), [("csrf", csrf)]) for ids in (others, unknown)]
        assert [answer.status for answer in answers] == [404, 404], path
    with site.gateway.database.read() as connection:
        assert stored(connection, UUID(others["job"])).status == JobStatus.FAILED
    for path in ("/console", "/console/jobs", "/console/batches", "/console/operations", "/console/jobs.csv"):
        page = operator.get(path)
        assert not [one for one in others.values() if one in page.text], path
    refused = operator.get("/console/jobs?filter=tenant:globex")
    assert refused.status == 400
    assert others["job"] not in refused.text


def _own_job(site: Running) -> UUID:
    with site.gateway.database.begin() as connection:
        return add_job(connection, tenant=TENANT, status=JobStatus.FAILED)


@pytest.mark.parametrize("headers", OTHER_SITES, ids=range(len(OTHER_SITES)))
def test_another_site_cannot_act(on_sqlite: Database, headers: dict[str, str]) -> None:
    """Neither with the right token nor without."""
    with running(on_sqlite) as site:
        browser = signed_in(site)
        job_id = _own_job(site)
        form = browser.get(f"/console/jobs/{job_id}").form("/retry")
        for path in (form.action, "/console/logout", "/console/login"):
            answer = browser.send("POST", path, [*form.fields, ("key", "x")], headers=headers)
            assert answer.status == 403, (path, answer.text)
        with on_sqlite.read() as connection:
            assert stored(connection, job_id).status == JobStatus.FAILED
        assert browser.get("/console").status == 200


@pytest.mark.parametrize("token", ["", "0" * 64, "é", "other"])
def test_a_form_needs_its_sessions_token(on_sqlite: Database, token: str) -> None:
    """Another session's token is as good as none."""
    with running(on_sqlite) as site:
        browser, job_id = signed_in(site), _own_job(site)
        if token == "other":
            other = signed_in(site)
            token = dict(other.get(f"/console/jobs/{job_id}").form("/retry").fields)["csrf"]
        answer = browser.send("POST", f"/console/jobs/{job_id}/retry", [("csrf", token)])
        assert (answer.status, "outdated" in answer.text) == (403, True)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_only_forms_of_the_page_are_read(on_sqlite: Database, kind: str) -> None:
    """Other bodies are what foreign pages and scripts send."""
    with running(on_sqlite) as site:
        browser = signed_in(site)
        answer = browser.send("POST", "/console/operations", [("csrf", "x")], headers={"Content-Type": kind})
        assert answer.status == 415


@pytest.mark.parametrize("cookie", ["", "x", "a" * 5_000, "é", "null", "../../x", "' OR 1=1 --"])
def test_forged_sessions_are_none(on_sqlite: Database, cookie: str) -> None:
    """Whatever the cookie holds."""
    with running(on_sqlite) as site:
        signed_in(site)
        headers = {"Cookie": f"ttsq_console={cookie}".encode().decode("latin-1")}
        for path in ("/console", "/console/jobs.csv", "/console/stream", "/console/figures"):
            answer = Browser(site.address).send("GET", path, headers=headers)
            assert answer.status == 303, path
            assert answer.headers["location"].startswith("/console/login")


@pytest.mark.parametrize("wanted", REDIRECTS, ids=range(len(REDIRECTS)))
def test_signing_in_leads_to_this_console_only(on_sqlite: Database, wanted: str) -> None:
    """No address of another site survives, in the form or after it."""
    with running(on_sqlite) as site:
        page = Browser(site.address).send("GET", "/console/login?" + urlencode({"next": wanted}))
        assert dict(page.form("/login").fields)["next"] == "/console"
        key = site.client().key or ""
        answer = Browser(site.address).send("POST", "/console/login", [("key", key), ("next", wanted)])
        assert answer.status == 200
        assert 'content="0; url=/console"' in answer.text


def test_a_read_only_session_changes_nothing(site: Running) -> None:
    """Its pages have no buttons, and a form made by hand is refused."""
    browser = signed_in(site, read_only=True)
    job_id = _own_job(site)
    page = browser.get(f"/console/jobs/{job_id}")
    assert [form.action for form in page.forms if form.method == "post"] == ["/console/logout"]
    csrf = dict(signed_in(site).get(f"/console/jobs/{job_id}").form("/retry").fields)["csrf"]
    for token, path in itertools.product((csrf, ""), FOREIGN_ACTIONS):
        ids = dict.fromkeys(("job", "batch", "operation"), str(job_id))
        assert browser.send("POST", path.format(**ids), [("csrf", token)]).status == 403


@pytest.mark.parametrize("scope", [Scope.SUBMIT, Scope.READ, Scope.ADMIN])
def test_scopes_bound_what_a_session_does(on_sqlite: Database, scope: Scope) -> None:
    """Only `operate` retries, and only `installation` opens gates."""
    with running(on_sqlite) as site:
        job_id = _own_job(site)
        browser, _ = signed_in_by_key(site, *{scope, Scope.READ})
        csrf = _csrf(browser)
        for path in (f"/console/jobs/{job_id}/retry", "/console/gates/account/open", "/console/operations"):
            answer = browser.send("POST", path, [("csrf", csrf)])
            assert (answer.status, "requires a session with the scope" in answer.text) == (403, True)


def _csrf(browser: Browser) -> str:
    return csrf_of(browser.cookies[COOKIE])


def test_pages_cannot_be_framed_or_scripted(site: Running, operator: Browser) -> None:
    """Every page, the form for signing in and errors carry the policy; media run nothing when opened."""
    stranger = Browser(site.address)
    pages = [operator.get(path) for path in ("/console", "/console/jobs", "/console/try", f"/console/jobs/{uuid4()}")]
    for page in [*pages, stranger.get("/console/login"), stranger.get("/console/link?token=x")]:
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "same-origin"
        assert not [attributes for _, attributes in page.tags if "style" in attributes]


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "SHA256SUMS", "assets.py", "%2e%2e/secrets", "x.js"])
def test_only_assets_are_served(on_sqlite: Database, name: str) -> None:
    """No name leads out of the folders."""
    with running(on_sqlite) as site:
        assert Browser(site.address).get(f"/console/assets/0/{name}").status == 404
