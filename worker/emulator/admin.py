"""A client for the emulator's admin endpoints, usable from any process."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Self

import urllib3
from pydantic import BaseModel

from worker.emulator.account import AccountChange
from worker.emulator.api.refusals import ModelState
from worker.emulator.errors import AdminRefusedError
from worker.emulator.faults import Rule
from worker.emulator.latency import Latency
from worker.emulator.ledger import State
from worker.emulator.limits import Limit


class Admin:
    """Reads and changes a running emulator. A context manager; otherwise call `close`."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(10), retries=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.clear()

    def state(self, *, detail: bool = True) -> State:
        """Return a snapshot. Without `detail` the tables, the bill and the timestamps are empty: cheap to poll."""
        path = f"/_emulator/state?detail={str(detail).lower()}"
        return State.model_validate_json(self._request("GET", path, None))

    def account(
        self,
        *,
        credits: Decimal | None = None,  # noqa: A002  # the API's own word
        free_credits: Decimal | None = None,
        key_valid: bool | None = None,
        spend_limit_reached: bool | None = None,
    ) -> None:
        change = AccountChange(
            credits=credits, free_credits=free_credits, key_valid=key_valid, spend_limit_reached=spend_limit_reached
        )
        self.change_account(change)

    def change_account(self, change: AccountChange) -> None:
        self._change("account", change)

    def rules(self, rules: Iterable[Rule], *, append: bool = False) -> None:
        content = {"rules": [rule.model_dump(mode="json") for rule in rules], "append": append}
        self._request("POST", "/_emulator/rules", content)

    def model(self, slug: str, state: ModelState) -> None:
        """Set how the API responds to requests for a model."""
        self._request("POST", f"/_emulator/models/{slug}", {"state": state.value})

    def limit(self, limit: Limit) -> None:
        self._change("limit", limit)

    def latency(self, latency: Latency) -> None:
        self._change("latency", latency)

    def reset(self) -> None:
        self._request("POST", "/_emulator/reset", {})

    def _change(self, path: str, change: BaseModel) -> None:
        self._request("POST", f"/_emulator/{path}", change.model_dump(mode="json"))

    def _request(self, method: str, path: str, content: dict[str, Any] | None) -> bytes:
        body = None if content is None else json.dumps(content).encode()
        headers = {"content-type": "application/json"}
        answer = self._http.request(method, self._base_url + path, body=body, headers=headers)
        if answer.status >= 300:
            raise AdminRefusedError(path, answer.status, answer.data.decode(errors="replace"))
        return answer.data
