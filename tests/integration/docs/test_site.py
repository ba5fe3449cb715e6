"""The documentation's site: complete, without a dead link or anything from elsewhere, and its search finds answers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright

from api_models.http_problems import Trouble
from tests.distribution.uv import alone
from tests.servers import chromium
from tests.site.build import DOCS, ROOT
from tests.site.questions import QUESTIONS, SHOWN
from tests.thorough import thorough
from worker import settings
from worker.cli.console.exits import Exit
from worker.cli.main import COMMANDS

SECONDS: Final = 240

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once for all test processes of a run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "site"
    with alone(folder):
        if not (folder / "warnings.txt").exists():
            command = [sys.executable, "-m", "tests.site", str(folder)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
            (folder / "warnings.txt").write_text(done.stderr, encoding="utf-8")
    return folder


@dataclass(slots=True)
class Page(HTMLParser):
    """The links, anchors and resources of a page."""

    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    resources: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.anchors |= {given["id"]} if "id" in given else set()
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in {"script", "img"} and "src" in given:
            self.resources.append(given["src"])
        if tag == "link" and "stylesheet" in given.get("rel", ""):
            self.resources.append(given["href"])


def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def test_every_page_is_built_without_a_warning(site: Path) -> None:
    """Sphinx warns of links, anchors and pages that lead nowhere."""
    assert (site / "warnings.txt").read_text(encoding="utf-8") == ""
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert [str(page) for page in pages if not (site / page).exists()] == []


def test_no_link_is_dead_and_nothing_comes_from_elsewhere(site: Path) -> None:
    """Every relative link leads to a file, and to an anchor of it."""
    pages = {path.resolve(): read(path) for path in site.rglob("*.html")}
    dead = []
    for path, page in pages.items():
        assert [one for one in page.resources if urlsplit(one).scheme in {"http", "https"}] == []
        for link in [*page.links, *page.resources]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            found = pages.get(target)
            if not target.exists() or (found is not None and parts.fragment and parts.fragment not in found.anchors):
                dead.append(f"{path.name}: {link}")
    assert dead == []


def test_the_reference_has_everything_that_the_program_has(site: Path) -> None:
    """Commands, settings, problems, exit codes, routes."""
    text = {name: (site / name).read_text(encoding="utf-8") for name in ("settings.html", "gateway.html")}
    text |= {path.name: path.read_text(encoding="utf-8") for path in (site / "reference").glob("*.html")}
    assert [one.name for one in COMMANDS if f"ttsq {one.name}" not in _plain(text["commands.html"])] == []
    assert [name for name in settings.names() if name not in text["settings.html"]] == []
    assert [one for one in (*Trouble, *(code.name for code in Exit)) if str(one) not in text["errors.html"]] == []
    assert "--max-cost" in text["commands.html"]
    for route in ("POST /v1/jobs", "GET /v1/jobs/{job_id}", "POST /v1/batches"):
        assert route in _plain(text["http.html"])


def _plain(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


@pytest.fixture
def browser() -> Iterator[Browser]:
    path, environment = chromium.program()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=str(path), args=list(chromium.ARGUMENTS), env={**os.environ, **environment}
        )
        yield started
        started.close()


def test_new_users_find_answers_by_search(site: Path, browser: Browser) -> None:
    """From a folder, without a server and without a network."""
    context = browser.new_context(offline=True)
    missed = {}
    for words, page in thorough(QUESTIONS, QUESTIONS[::5]):
        tab = context.new_page()
        tab.goto(f"{(site / 'search.html').as_uri()}?q={words.replace(' ', '+')}")
        tab.wait_for_selector("#search-results > p", state="visible")
        tab.wait_for_function("document.querySelector('.search-summary')?.textContent.match(/found|matching/)")
        links = tab.eval_on_selector_all("ul.search li > a", "all => all.map(one => one.getAttribute('href'))")
        found = [link.partition("#")[0].partition("?")[0].removesuffix(".html") for link in links]
        answers = list(dict.fromkeys(found))[:SHOWN]
        if page not in answers:
            missed[words] = answers
        tab.close()
    assert not missed, "; ".join(f"{words}: {found}" for words, found in missed.items())
