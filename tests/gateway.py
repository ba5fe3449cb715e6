"""A gateway for tests: the real server on a port of loopback, in this process, and a plain client for it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from api_models.access import EVERYTHING, Scope
from tests.factories import NOW
from tests.servers import forked
from worker.gateway.parts import Gateway, assemble
from worker.gateway.server import Server
from worker.settings import load
from worker.store.access import api_keys
from worker.store.database import Database


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        """The body, understood."""
        return json.loads(self.body)

    @property
    def trouble(self) -> str:
        """The word of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self
        return str(self.json["type"]).removeprefix("urn:ttsq:problem:")


@dataclass(frozen=True, slots=True)
class Client:
    """Asks one gateway, with one key or none."""

    address: str
    key: str | None = None

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - JSON, or bytes as they are
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Reply:
        """One request on a new connection."""
        place = urlsplit(self.address)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=timeout)
        given = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        content = body
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode()
            given["Content-Type"] = "application/json"
        try:
            connection.request(method, path, content, given | dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        """A GET."""
        return self("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:  # noqa: ANN401 - as above
        """A POST of JSON."""
        return self("POST", path, body, headers={name.replace("_", "-"): value for name, value in headers.items()})


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that serves."""

    gateway: Gateway
    address: str

    def client(self, tenant: str = "acme", *scopes: Scope, **limits: Any) -> Client:  # noqa: ANN401 - rate, budget
        """A client with a new key of this tenant, with all scopes unless some are named."""
        with self.gateway.database.begin() as connection:
            _, key = api_keys.make(
                connection,
                tenant=tenant,
                name="test",
                scopes=scopes or EVERYTHING,
                rate=limits.get("rate"),
                budget=limits.get("budget"),
                now=NOW,
            )
        return Client(self.address, key)

    @property
    def stranger(self) -> Client:
        """A client without a key."""
        return Client(self.address)


@contextmanager
def running(
    database: Database, *, open_door: bool = False, written: Callable[[], None] = lambda: None, **settings: str
) -> Iterator[Running]:
    """A gateway over this database, for the time of the block. Settings are by their environment name."""
    configuration = load(TTSQ_DATABASE_URL=database.url.render_as_string(hide_password=False), **settings)
    gateway = assemble(configuration, database, without_auth=open_door, on_new_jobs=written)
    server = Server(gateway, "127.0.0.1", 0)
    ready = threading.Event()
    # uvicorn takes signals in the main thread alone; in another thread it needs `should_exit`.
    thread = threading.Thread(target=server.work, kwargs={"ready": ready.set}, daemon=True)
    thread.start()
    try:
        assert ready.wait(20)
        yield Running(gateway, server.address)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def served(folder: Path, *options: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a separate process, and its address."""
    command = [sys.executable, "-m", "worker.cli", "serve", "--port", "0", *options]
    with (
        (folder / "log").open("w") as log,
        forked.start(
            command, cwd=folder, env=os.environ | settings, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"http://\S+:\d+", said)
            assert found, (said, (folder / "log").read_text())
            yield process, found[0]
        finally:
            if process.poll() is None:
                process.kill()
