"""The console in a browser: at three widths, light and dark, by keyboard, without JavaScript, and heard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select, text

from api_models.status import JobStatus
from tests.e2e.console.conftest import TENANT
from tests.e2e.console.scene import DELIVERY
from tests.e2e.console.visits import WIDTHS, visit
from tests.factories import add_job
from tests.speaking import Speaking, speaking
from worker.store.database import Database
from worker.store.tables.console import Operation
from worker.store.tables.jobs import Batch, Job

PICTURES: Final = os.environ.get("CONSOLE_PICTURES")
"""A folder for pictures of the pages, such as `docs/console`."""
PAGES: Final = (
    "now",
    "jobs",
    "job",
    "batches",
    "batch",
    "operations",
    "operation",
    "money",
    "webhooks",
    "delivery",
    "schedules",
    "keys",
    "try",
)

PLAYED: Final = """() => new Promise((done) => {
  const audio = document.querySelector("#audio");
  const look = () => { if (audio.currentTime > 0) done(); };
  audio.addEventListener("timeupdate", look);
  look();
})"""


def addresses(site: Speaking) -> dict[str, str]:
    """The address of each page, with the objects of the scene."""
    with site.gateway.gateway.database.read() as connection:
        job = (
            connection.execute(select(Job.id).where(Job.status == "failed", Job.code == "bad_audio")).scalars().first()
        )
        batch = connection.execute(select(Batch.id)).scalars().first()
        operation = connection.execute(select(Operation.id)).scalars().first()
    plain = {name: f"/console/{name}" for name in PAGES}
    return plain | {
        "now": "/console",
        "job": f"/console/jobs/{job}",
        "batch": f"/console/batches/{batch}",
        "operation": f"/console/operations/{operation}",
        "delivery": f"/console/webhooks/deliveries/{DELIVERY}",
        "login": "/console/login",
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_sound_at_every_width(chrome: Browser, filled: Speaking, theme: str) -> None:
    """Nothing overflows, nothing offends the policy or fails in a script, and axe finds nothing serious."""
    faults: dict[str, object] = {}
    with visit(chrome, filled.gateway, color_scheme=theme) as tab:
        for name, path in addresses(filled).items():
            for width in WIDTHS:
                tab.page.set_viewport_size({"width": width, "height": 900})
                tab.open(path)
                if name == "now":
                    tab.page.wait_for_selector(".u-wrap")
                if tab.overflow > 0:
                    faults[f"{name} {width}"] = f"{tab.overflow} px too wide"
                if PICTURES:
                    picture(tab.page, Path(PICTURES), f"{name}-{theme}-{width}")
            if found := tab.findings():
                faults[name] = found
        assert (faults, tab.complaints) == ({}, [])


def picture(page: object, folder: Path, name: str) -> None:
    """Write a picture of the whole page."""
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)  # type: ignore[attr-defined]


@pytest.mark.timeout(120)
def test_a_text_is_tried_and_heard(chrome: Browser, on_sqlite: Database, tmp_path: Path) -> None:
    """From the link to sound: price, confirmation, the page that comes alive by itself, waveform and playback."""
    with speaking(on_sqlite, tmp_path) as site, visit(chrome, site.gateway) as tab:
        page = tab.page
        page.get_by_role("link", name="Try a text").click()
        page.get_by_role("button", name="Show the price").click()
        page.get_by_role("button", name="Speak it for $").click()
        expect(page.locator("#wave")).to_be_attached(timeout=30_000)
        expect(page.locator("#live .state").first).to_have_text("succeeded")
        expect(page.locator("#wave > *").first).to_be_attached()
        page.keyboard.press("p")
        page.evaluate(PLAYED)
        assert tab.complaints == []


def test_the_list_changes_by_itself(chrome: Browser, on_sqlite: Database, tmp_path: Path) -> None:
    """A job that is submitted appears without a reload, and what is typed meanwhile stays."""
    with speaking(on_sqlite, tmp_path, with_worker=False) as site, visit(chrome, site.gateway) as tab:
        tab.open("/console/jobs")
        tab.page.locator("#filter").fill("half a fil")
        expect(tab.page.locator("#live-state")).to_have_text("Live")
        with on_sqlite.begin() as connection:
            add_job(connection, tenant=TENANT, text="It appears.")
        expect(tab.page.get_by_role("link", name="It appears.")).to_be_visible(timeout=20_000)
        expect(tab.page.locator("#filter")).to_have_value("half a fil")
        assert tab.complaints == []


def test_tabs_share_one_stream(chrome: Browser, on_sqlite: Database, tmp_path: Path) -> None:
    """The second tab gets the signals of the first, and has a stream of its own once the first is closed."""
    streams: list[str] = []
    with speaking(on_sqlite, tmp_path, with_worker=False) as site, visit(chrome, site.gateway) as tab:
        context = tab.page.context
        context.on("request", lambda request: streams.append(request.url) if "/console/stream" in request.url else None)
        tab.open("/console/jobs")
        expect(tab.page.locator("#live-state")).to_have_text("Live")
        second = context.new_page()
        second.goto(f"{site.gateway.address}/console/jobs")
        expect(second.locator("#live-state")).to_have_text("Live")
        with on_sqlite.begin() as connection:
            add_job(connection, tenant=TENANT, text="Both show it.")
        for page in (tab.page, second):
            expect(page.get_by_role("link", name="Both show it.")).to_be_visible(timeout=20_000)
        assert len(streams) == 1
        tab.page.close()
        with on_sqlite.begin() as connection:
            add_job(connection, tenant=TENANT, text="One is left.")
        expect(second.get_by_role("link", name="One is left.")).to_be_visible(timeout=20_000)
        assert len(streams) == 2


def test_a_session_that_ends_leads_to_the_form(chrome: Browser, on_sqlite: Database, tmp_path: Path) -> None:
    """In the middle of a page that is open."""
    with speaking(on_sqlite, tmp_path, with_worker=False) as site, visit(chrome, site.gateway) as tab:
        tab.open("/console/jobs")
        expect(tab.page.locator("#live-state")).to_have_text("Live")
        with on_sqlite.begin() as connection:
            connection.execute(text("DELETE FROM console_sessions"))
        expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=20_000)
        tab.page.wait_for_url("**/console/login?next=%2Fconsole%2Fjobs")


def test_everything_works_without_javascript(chrome: Browser, on_sqlite: Database, tmp_path: Path) -> None:
    """Filter, confirm, retry."""
    with speaking(on_sqlite, tmp_path, with_worker=False) as site:
        with on_sqlite.begin() as connection:
            job_id = add_job(connection, tenant=TENANT, text="It failed.", status=JobStatus.FAILED)
        with visit(chrome, site.gateway, java_script_enabled=False) as tab:
            page = tab.page
            page.get_by_role("link", name="Jobs", exact=True).click()
            page.get_by_label("Filter", exact=True).fill("state:failed")
            page.get_by_role("button", name="Filter").click()
            page.get_by_role("button", name="Count and price").click()
            expect(page.get_by_text("1 job would be queued again")).to_be_visible()
            page.get_by_role("button", name="Discard").click()
            expect(page.get_by_text("Nothing was changed.").first).to_be_visible()
            tab.open(f"/console/jobs/{job_id}")
            page.get_by_role("button", name="Retry").click()
            expect(page.get_by_text("The job is queued again.")).to_be_visible()
            page.get_by_text("Cancel…").click()
            page.get_by_role("button", name="Cancel").click()
            expect(page.get_by_text("Cancelled.")).to_be_visible()


def test_the_keyboard_is_enough(chrome: Browser, filled: Speaking) -> None:
    """Shortcuts, the list of them, the skip link, and a filter."""
    with visit(chrome, filled.gateway) as tab:
        page = tab.page
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Shortcuts")).to_be_visible()
        assert tab.findings() == []
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("j")
        page.wait_for_url("**/console/jobs")
        page.keyboard.press("/")
        expect(page.locator("#filter")).to_be_focused()
        page.keyboard.type("code:bad_audio")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/jobs?filter=code%3Abad_audio")
        expect(page.locator("table.jobs tbody tr")).to_have_count(1)
        assert tab.complaints == []
