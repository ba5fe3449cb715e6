"""Applies a scenario's changes to a running emulator through its admin endpoints."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from urllib3.exceptions import HTTPError

from worker.emulator.admin import Admin
from worker.emulator.config import EmulatorConfig
from worker.emulator.scenario import Change, Scenario


def run_scenario(
    scenario: Scenario,
    admin: Admin,
    wait: Callable[[float], object],
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Apply each change at its time. `wait` sleeps the seconds passed in; a true result ends the scenario early."""
    began = monotonic()
    for change in scenario.timeline():
        if wait(max(0.0, began + change.at_seconds - monotonic())):
            return
        apply(change, admin)


def apply(change: Change, admin: Admin) -> None:
    if change.account is not None:
        admin.change_account(change.account)
    if change.limit is not None:
        admin.limit(change.limit)
    if change.latency is not None:
        admin.latency(change.latency)
    if change.rules is not None:
        admin.rules(change.rules)
    if change.model is not None:
        admin.model(change.model.slug, change.model.state)


class Timetable:
    """Plays the configuration's changes, if any, in a background thread."""

    def __init__(self, config: EmulatorConfig, base_url: str) -> None:
        self._scenario = config if isinstance(config, Scenario) else Scenario()
        self._base_url = base_url
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emulator-timetable", daemon=True)

    def start(self) -> None:
        if self._scenario.changes:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        # The emulator may have stopped in the meantime.
        with Admin(self._base_url) as admin, suppress(HTTPError):
            run_scenario(self._scenario, admin, self._stopping.wait)
