"""Saved views of the list of jobs, and texts that a tenant hides."""

from __future__ import annotations

import re

from tests.console_site import TENANT, Browser, signed_in
from tests.factories import add_batch, add_job
from tests.gateway import Running, running
from worker.store.access.console_views import MAX_VIEWS
from worker.store.database import Database


def saved(operator: Browser, name: str, filter_text: str = "state:failed") -> str:
    """Save a view; the page that follows."""
    page = operator.get(f"/console/jobs?filter={filter_text}")
    return operator.submit(page, "/jobs/views", name=name).text


def test_a_view_is_saved_opened_and_removed(site: Running, operator: Browser) -> None:
    """Under its name, for every session of the tenant and of no other; whatever its filter and name contain."""
    page = operator.get("/console/jobs?filter=state%3Afailed+%22%3Cb%3E%26amp%3B%22")
    name = "<script>Nightly</script> \u202efailures"
    assert "The view is saved." in operator.submit(page, "/jobs/views", name=name).text
    other = signed_in(site).get("/console/jobs")
    link = next(link for link in other.links if "%22%3Cb%3E%26amp%3B%22" in link)
    assert "&lt;script&gt;Nightly" in other.text
    assert "\u202e" not in re.sub('value="[^"]*"', "", other.text)
    assert "<script>Nightly" not in other.text
    assert operator.get(link).status == 200
    assert "Nightly" not in signed_in(site, tenant="globex").get("/console/jobs").text
    assert (
        "The view is removed." in operator.submit(operator.get("/console/jobs"), "/jobs/views/remove", name=name).text
    )
    assert "Nightly" not in operator.get("/console/jobs").text


def test_a_view_of_the_same_name_is_replaced(operator: Browser) -> None:
    """So a filter can be mended."""
    saved(operator, "Mine", "state:failed")
    page = saved(operator, " Mine ", "state:queued")
    assert page.count("<bdi>Mine</bdi></a>") == 1
    assert "filter=state%3Aqueued" in page


def test_views_that_cannot_be_saved_are_refused(site: Running, operator: Browser) -> None:
    """A name that is empty or too long, a filter that is none, one view too many, and a session that only reads."""
    page = operator.get("/console/jobs?filter=state:failed")
    for name, filter_text in (("", "state:failed"), ("n" * 41, "state:failed"), ("n", "state:lost")):
        assert operator.submit(page, "/jobs/views", name=name, filter=filter_text).status == 422
    for number in range(MAX_VIEWS):
        assert operator.submit(page, "/jobs/views", name=f"View {number}").status == 200
    assert operator.submit(page, "/jobs/views", name="One too many").status == 422
    assert operator.submit(page, "/jobs/views", name="View 1").status == 200
    reader = signed_in(site, read_only=True)
    shown = reader.get("/console/jobs?filter=state:failed")
    assert "View 7" in shown.text
    assert not [form for form in shown.forms if "/views" in form.action]
    assert reader.send("POST", "/console/jobs/views", page.form("/jobs/views").fields).status == 403


def test_hidden_texts_are_on_no_page(database: Database) -> None:
    """Nor in the export, nor found by a search; other tenants' texts are shown as before."""
    with database.begin() as connection:
        for tenant in (TENANT, "globex"):
            batch = add_batch(connection, tenant=tenant, name="list.csv")
            job = add_job(
                connection, tenant=tenant, batch_id=batch, text="Our secret plan", status="failed", code="bad"
            )
    with running(database, TTSQ_CONSOLE_HIDE_TEXTS=f"quiet, {TENANT}") as site:
        hiding, showing = signed_in(site), signed_in(site, tenant="globex")
        pages = [hiding.get(path).text for path in ("/console", "/console/jobs", "/console/jobs.csv")]
        pages += [hiding.get(link).text for link in hiding.get("/console/jobs").links if "/jobs/" in link]
        pages += [hiding.get(link).text for link in hiding.get("/console/batches").links if "/batches/" in link]
        assert len(pages) >= 5
        assert all("Hidden (15 characters)" in page for page in pages)
        assert not [page for page in pages if "secret" in page]
        assert "cannot be searched" in hiding.get("/console/jobs?filter=secret").text
        assert hiding.get("/console/jobs.csv?filter=secret").status == 422
        assert "Our secret plan" in showing.get("/console/jobs").text
        assert "Our secret plan" in showing.get(f"/console/jobs/{job}").text
