"""Signing in and out: links that work once, keys, sessions that end, and what is stored of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from api_models.access import Scope
from tests.console_site import Browser, link_token, signed_in, signed_in_by_key
from tests.gateway import Running
from worker.store.access import api_keys
from worker.store.tables.console import ConsoleAction, ConsoleLink, ConsoleSession


def test_a_link_signs_in_once(site: Running) -> None:
    """The second browser is refused, and the first stays signed in."""
    token = link_token(site.gateway.database)
    first, second = Browser(site.address), Browser(site.address)
    assert first.get(f"/console/link?token={token}").status == 200
    refused = second.get(f"/console/link?token={token}")
    assert (refused.status, second.cookies) == (403, {})
    assert "was used or has expired" in refused.text
    assert first.get("/console").status == 200
    assert second.get("/console").headers["location"] == "/console/login"


def test_an_expired_link_signs_nobody_in(site: Running) -> None:
    """Fifteen minutes are its life."""
    database = site.gateway.database
    token = link_token(database)
    with database.begin() as connection:
        connection.execute(update(ConsoleLink).values(expires_at=database.now(connection) - timedelta(seconds=1)))
    assert Browser(site.address).get(f"/console/link?token={token}").status == 403


@pytest.mark.parametrize("header", ["sec_purpose", "purpose"])
def test_a_prefetch_leaves_the_link_unused(site: Running, header: str) -> None:
    """A browser that guesses the next page must not spend it."""
    token = link_token(site.gateway.database)
    browser = Browser(site.address)
    assert browser.get(f"/console/link?token={token}", **{header: "prefetch"}).status == 503
    assert browser.get(f"/console/link?token={token}").status == 200


def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Running) -> None:
    """HttpOnly, SameSite=Strict, the console's path, twelve hours; Secure behind https."""
    token = link_token(site.gateway.database)
    cookie = Browser(site.address).get(f"/console/link?token={token}").headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/console", "max-age=43200"} <= {
        part.strip() for part in cookie.split(";")
    }
    assert "secure" not in cookie


def test_tokens_are_stored_as_hashes_only(site: Running) -> None:
    """Neither the link's token nor the cookie can be read from the database."""
    database = site.gateway.database
    token = link_token(database)
    browser = signed_in(site)
    with database.read() as connection:
        rows = [
            str(row)
            for table in (ConsoleLink, ConsoleSession)
            for row in connection.execute(select(*table.__table__.c))
        ]
    assert len(rows) == 2
    assert not any(secret in row for row in rows for secret in (token, *browser.cookies.values()))


def test_a_key_signs_in_with_its_scopes(site: Running) -> None:
    """Sections it has no scope for are neither shown nor served."""
    browser, key = signed_in_by_key(site, Scope.READ)
    page = browser.get("/console")
    assert "/console/jobs" in page.links
    assert not {"/console/keys", "/console/webhooks", "/console/try"} & set(page.links)
    for path in ("/console/keys", "/console/webhooks", "/console/try"):
        assert browser.get(path).status == 403
    assert key not in page.text


def test_a_wrong_key_is_refused(site: Running) -> None:
    """And never repeated on the page."""
    browser = Browser(site.address)
    answer = browser.submit(browser.get("/console/login"), "/login", key="ttsq_wrong\x1bé")
    assert (answer.status, browser.cookies) == (403, {})
    assert "ttsq_wrong" not in answer.text


def test_revoking_the_key_ends_its_sessions(site: Running) -> None:
    """At the next request."""
    browser, key = signed_in_by_key(site, Scope.READ)
    database = site.gateway.database
    with database.begin() as connection:
        record = api_keys.by_key(connection, key)
        assert record is not None
        api_keys.revoke(connection, record.id, now=database.now(connection))
    assert browser.get("/console").status == 303


def test_an_expired_session_leads_back_to_its_page(site: Running) -> None:
    """A page redirects to the form and returns; a form that was posted changes nothing; a fragment says where to go."""
    browser = signed_in(site)
    page = browser.get("/console/jobs")
    with site.gateway.database.begin() as connection:
        connection.execute(text("DELETE FROM console_sessions"))
    assert browser.get("/console/jobs?filter=state:failed").headers["location"] == (
        "/console/login?next=%2Fconsole%2Fjobs%3Ffilter%3Dstate%3Afailed"
    )
    fragment = browser.get("/console/jobs", HX_Request="true")
    assert (fragment.status, fragment.headers["hx-redirect"]) == (401, "/console/login?next=%2Fconsole%2Fjobs")
    answer = browser.send("POST", "/console/logout", page.form("/logout").fields)
    assert answer.status == 401
    assert "nothing was changed" in answer.text


def test_signing_out_ends_the_session(site: Running) -> None:
    """A copy of the cookie is worthless afterwards."""
    browser = signed_in(site)
    copy = Browser(site.address, dict(browser.cookies))
    browser.submit(browser.get("/console"), "/logout")
    assert (browser.cookies, copy.get("/console").status) == ({}, 303)


def test_signing_in_and_out_is_logged(site: Running) -> None:
    """With who it was."""
    browser = signed_in(site)
    browser.submit(browser.get("/console"), "/logout")
    with site.gateway.database.read() as connection:
        rows = connection.execute(select(ConsoleAction.actor, ConsoleAction.action).order_by(ConsoleAction.id)).all()
    assert [tuple(row) for row in rows] == [("ada@studio", "sign in"), ("ada@studio", "sign out")]


def test_browsers_that_open_the_root_come_to_the_console(site: Running) -> None:
    """Programs get the same answer as before."""
    browser = Browser(site.address)
    assert browser.get("/").headers["location"] == "/console"
    assert site.stranger.get("/").status == 404
