"""The page of settings is the settings."""

from __future__ import annotations

from tests.settings_page import ROOT, page


def test_the_page_lists_every_setting_as_it_is() -> None:
    """After a change: `python -m tests.settings_page > docs/settings.md`."""
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == page()
