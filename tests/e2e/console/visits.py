"""What the tests with a browser share: a page that is signed in, and everything that the browser complains about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page

from tests.console_site import link_token
from tests.gateway import Running

AXE: Final = Path(__file__).parents[2] / "data/axe/axe-core-4.14.1.min.js"
WIDTHS: Final = (360, 768, 1440)
SERIOUS: Final = ("serious", "critical")
_OVERFLOW: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_AXE: Final = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"


@dataclass
class Visit:
    """A tab, and what its console says."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Open a page of the console."""
        self.page.goto(self.base + path, wait_until="load")

    @property
    def overflow(self) -> int:
        """Pixels that the page is wider than the window."""
        found: int = self.page.evaluate(_OVERFLOW)
        return found

    def findings(self) -> list[str]:
        """Serious findings of axe on the page as it stands."""
        # Evaluated through the debugger, which the page's policy does not bind.
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: dict[str, Any] = self.page.evaluate(_AXE)
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes']][:3]}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
        ]


@contextmanager
def visit(chrome: Browser, site: Running, *, tenant: str = "default", **options: Any) -> Iterator[Visit]:  # noqa: ANN401 - Playwright's
    """A tab that signed in by a link. `options` are the browser context's."""
    context = chrome.new_context(reduced_motion="reduce", **options)
    try:
        found = Visit(context.new_page(), site.address)
        found.page.on("console", lambda message: _note(found, message.type, message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        token = link_token(site.gateway.database, tenant=tenant)
        found.page.goto(f"{site.address}/console/link?token={token}")
        found.page.wait_for_url(f"{site.address}/console")
        yield found
    finally:
        context.close()


def _note(found: Visit, kind: str, text: str) -> None:
    if kind in {"error", "warning"}:
        found.complaints.append(text)
