"""A browser without JavaScript for tests of the console: keeps cookies, reads forms, and posts them as they stand."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from api_models.access import Scope
from tests.factories import NOW
from tests.gateway import Running
from worker.store.access import api_keys, console_sessions
from worker.store.database import Database

TENANT = "acme"


@dataclass(slots=True)
class Form:
    """One form of a page."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """What came back, with its forms and links."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    forms: list[Form] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The page as it was sent."""
        return self.body.decode()

    def form(self, action: str) -> Form:
        """The form whose address ends so."""
        return next(form for form in self.forms if form.action.endswith(action))


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note forms, their fields, and links."""
        given = {name: value or "" for name, value in attributes}
        self._page.tags.append((tag, given))
        if tag == "form":
            self._page.forms.append(Form(given.get("action", ""), given.get("method", "get")))
        elif tag == "a" and "href" in given:
            self._page.links.append(given["href"])
        elif tag == "input" and self._page.forms and "name" in given:
            is_left_out = given.get("type") == "checkbox" and "checked" not in given
            if not is_left_out:
                self._page.forms[-1].fields.append((given["name"], given.get("value", "")))


@dataclass(slots=True)
class Browser:
    """One browser, signed in or not."""

    address: str
    cookies: dict[str, str] = field(default_factory=dict)

    def send(
        self,
        method: str,
        path: str,
        body: Iterable[tuple[str, str]] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """One request, without following where it leads."""
        place = urlsplit(self.address)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        given = {"Accept": "text/html"}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        content = None
        if body is not None:
            content = urlencode(list(body)).encode()
            given |= {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
            given["Origin"] = self.address
        try:
            connection.request(method, path, content, {**given, **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            page = Page(answer.status, found, answer.read())
        finally:
            connection.close()
        self._keep(found.get("set-cookie"))
        if found.get("content-type", "").startswith("text/html"):
            _Reader(page).feed(page.text)
        return page

    def _keep(self, given: str | None) -> None:
        for name, morsel in SimpleCookie(given or "").items():
            self.cookies[name] = morsel.value
            if morsel["max-age"] == "0":
                del self.cookies[name]

    def get(self, path: str, **headers: str) -> Page:
        """Open a page."""
        return self.send("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def submit(self, page: Page, address: str, /, **changes: str) -> Page:
        """Post a form of a page, and follow where it leads."""
        form = page.form(address)
        fields = [(name, value) for name, value in form.fields if name not in changes] + list(changes.items())
        answer = self.send("POST", form.action, fields)
        return self.get(answer.headers["location"]) if answer.status == 303 else answer


def link_token(database: Database, *, tenant: str = TENANT, read_only: bool = False, name: str = "ada@studio") -> str:
    """The token of a fresh link, as `ttsq console` makes it."""
    with database.begin() as connection:
        return console_sessions.make_link(
            connection,
            tenant=tenant,
            name=name,
            scopes=frozenset(Scope),
            read_only=read_only,
            now=database.now(connection),
        )


def signed_in(site: Running, *, tenant: str = TENANT, read_only: bool = False) -> Browser:
    """A browser that used a link."""
    browser = Browser(site.address)
    token = link_token(site.gateway.database, tenant=tenant, read_only=read_only)
    assert browser.get(f"/console/link?token={token}").status == 200
    return browser


def signed_in_by_key(site: Running, *scopes: Scope, tenant: str = TENANT) -> tuple[Browser, str]:
    """A browser that signed in with a new key of these scopes, and the key."""
    database, browser = site.gateway.database, Browser(site.address)
    with database.begin() as connection:
        _, key = api_keys.make(connection, tenant=tenant, name="radio", scopes=scopes, rate=None, budget=None, now=NOW)
    answer = browser.submit(browser.get("/console/login"), "/login", key=key)
    assert answer.status == 200, answer.text
    return browser, key
