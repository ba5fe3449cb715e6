"""Downloads audio that an answer links to. Never sends the API key, follows a redirect or connects to an internal
host.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import Final

from urllib3.exceptions import HTTPError
from urllib3.util import Url

from worker.concurrency.futures import run_here
from worker.concurrency.reactor import Reactor
from worker.http_client.addresses import is_public, written
from worker.http_client.client import Exchange
from worker.http_client.reasons import reason
from worker.segmind.answers import Failure
from worker.segmind.errors import BrokenBodyError, UnusableAddressError
from worker.segmind.file_hosts import FileHosts
from worker.segmind.spool import OPENING_BYTES, Draft, is_plain
from worker.segmind.transport import USER_AGENT, address, call_failure, pieces

TRIES: Final = 3
"""Requests for a paid file before the take is given up."""

_GONE: Final = frozenset({400, 401, 403, 404, 410})
"""Permanent errors of a file host."""


@dataclass(frozen=True, slots=True)
class Miss:
    message: str
    failure: Failure = Failure.UNREADABLE
    useless: bool = False
    """The file is invalid or missing: only another take could help."""


class Downloads:
    """Downloads files into drafts, with the same limits as the API's own bodies."""

    def __init__(
        self,
        *,
        api: Url,
        connections: int,
        connect_seconds: float,
        read_seconds: float,
        max_bytes: int,
        reactor: Reactor,
    ) -> None:
        """`read_seconds` is the deadline of a file's head, and again of its body."""
        self._api = api
        self._hosts = FileHosts(connections=connections, reactor=reactor)
        self._connect_seconds, self._read_seconds = connect_seconds, read_seconds
        self._max_bytes = max_bytes

    def fetch(self, url: str, draft: Draft, *, least_bytes: int = 0) -> Miss | None:
        """Write the file to `draft` and return None, or return the error. Under `least_bytes` it counts as cut off."""
        try:
            source = address(url)
        except UnusableAddressError:
            return Miss("its audio has an address that can't be read")
        if not permitted(source, self._api):
            return Miss(f"its audio lies at an address that is not fetched: {_shown(source)}")
        miss = Miss("")
        for _ in range(TRIES):
            draft.restart()
            found = self._try(source, draft)
            if found is None and draft.size >= least_bytes:
                return None
            miss = found or Miss(f"{draft.size} bytes where the API named {least_bytes}", useless=True)
        return replace(miss, message=f"its audio at {_shown(source)} can't be had: {miss.message}")

    def close(self) -> None:
        self._hosts.close()

    def _try(self, source: Url, draft: Draft) -> Miss | None:
        try:
            with self._request(source) as response:
                if response.status != 200:
                    return Miss(f"status {response.status}", useless=response.status in _GONE)
                for piece in pieces(response, limit_bytes=self._max_bytes):
                    draft.write(piece)
                if response.undecoded and not is_plain(draft.read(OPENING_BYTES)):
                    return Miss(f"content-encoding {response.undecoded}", Failure.UNDECODABLE, useless=True)
        except BrokenBodyError as error:
            if error.failure is Failure.TOO_LARGE:
                return Miss(f"over {self._max_bytes:,} bytes", Failure.TOO_LARGE, useless=True)
            return Miss(error.failure.value)
        except HTTPError as error:
            return Miss(f"{call_failure(error)}, {reason(error)}")
        return None

    def _request(self, source: Url) -> Exchange:
        return run_here(
            self._hosts.at(source, public_only=not _of_api(source, self._api)).exchange(
                "GET",
                source.request_uri,
                {"User-Agent": USER_AGENT},
                connect_seconds=self._connect_seconds,
                read_seconds=self._read_seconds,
            )
        )


def permitted(source: Url, api: Url) -> bool:
    """Allow https to public hosts; anything else only at the API's own host, where a rehearsal keeps its files.

    A rehearsal on this machine may use any loopback name. What a name resolves to is checked upon connecting.
    """
    if source.auth or not source.host:
        return False
    if _of_api(source, api):
        return source.scheme in {"https", api.scheme}
    return source.scheme == "https" and _public(source.host)


def _of_api(source: Url, api: Url) -> bool:
    """Whether it is the API's own host, or like it this machine."""
    if source.host == api.host:
        return True
    local = source.scheme == api.scheme == "http"
    return local and _loopback(source.host or "") and _loopback(api.host or "")


def _public(host: str) -> bool:
    address = written(host)
    if address is not None:
        return is_public(address)
    return "." in host and not host.rstrip(".").endswith((".local", ".internal", ".localhost"))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(source: Url) -> str:
    """The URL without its query, which may contain a signature."""
    return f"{source.scheme}://{source.host}{source.path or ''}"
