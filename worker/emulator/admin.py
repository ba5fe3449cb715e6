"""A client for the admin endpoints, for tests and tools in any process. It only asks; it decides nothing."""

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
    """Reads and changes a running emulator. Use as a context manager, or call `close`."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(10), retries=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.clear()

    def state(self, *, detail: bool = True) -> State:
        """A snapshot; without `detail` the tables by text, the bill and the times stay empty: cheap to poll."""
        path = f"/_emulator/state?detail={str(detail).lower()}"
        return State.model_validate_json(self._ask("GET", path, None))

    def account(
        self,
        *,
        credits: Decimal | None = None,  # noqa: A002  # the API's own word
        free_credits: Decimal | None = None,
        key_valid: bool | None = None,
        spend_limit_reached: bool | None = None,
    ) -> None:
        """Changes what is given."""
        change = AccountChange(
            credits=credits, free_credits=free_credits, key_valid=key_valid, spend_limit_reached=spend_limit_reached
        )
        self.change_account(change)

    def change_account(self, change: AccountChange) -> None:
        """The same as a value."""
        self._change("account", change)

    def rules(self, rules: Iterable[Rule], *, append: bool = False) -> None:
        """Replaces the faults, or adds behind them."""
        content = {"rules": [rule.model_dump(mode="json") for rule in rules], "append": append}
        self._ask("POST", "/_emulator/rules", content)

    def model(self, slug: str, state: ModelState) -> None:
        """What the API says about a model from now on."""
        self._ask("POST", f"/_emulator/models/{slug}", {"state": state.value})

    def limit(self, limit: Limit) -> None:
        """Another rate limit, with nothing counted yet."""
        self._change("limit", limit)

    def latency(self, latency: Latency) -> None:
        """Another latency, from the next call on."""
        self._change("latency", latency)

    def reset(self) -> None:
        """Everything as it was at the start, the ledger empty."""
        self._ask("POST", "/_emulator/reset", {})

    def _change(self, path: str, change: BaseModel) -> None:
        self._ask("POST", f"/_emulator/{path}", change.model_dump(mode="json"))

    def _ask(self, method: str, path: str, content: dict[str, Any] | None) -> bytes:
        body = None if content is None else json.dumps(content).encode()
        headers = {"content-type": "application/json"}
        answer = self._http.request(method, self._base_url + path, body=body, headers=headers)
        if answer.status >= 300:
            raise AdminRefusedError(path, answer.status, answer.data.decode(errors="replace"))
        return answer.data
