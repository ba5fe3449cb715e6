"""Fetches audio that an answer only links to. Never sends the API key, follows a redirect, or asks an inside host."""

from __future__ import annotations

import ipaddress
from contextlib import closing
from typing import Final

from urllib3 import Timeout
from urllib3.exceptions import HTTPError, LocationValueError
from urllib3.util import Url

from worker.segmind.errors import BrokenBodyError, UnusableAddressError
from worker.segmind.spool import Draft
from worker.segmind.transport import NO_RETRIES, USER_AGENT, address, pieces, pool

TRIES: Final = 3
"""How often a paid file is asked for before the take is given up."""


class Downloads:
    """Fetches files into drafts, within the same bounds as the API's own bodies."""

    def __init__(self, *, api: Url, timeout: Timeout, body_seconds: float, max_bytes: int) -> None:
        self._api = api
        self._timeout = timeout
        self._body_seconds = body_seconds
        self._max_bytes = max_bytes

    def fetch(self, url: str, draft: Draft) -> str | None:
        """Write the file behind `url` into `draft`; None for done, else why it couldn't be had."""
        try:
            source = address(url)
        except UnusableAddressError:
            return "its audio has an address that can't be read"
        if not permitted(source, self._api):
            return f"its audio lies at an address that is not fetched: {_shown(source)}"
        why = ""
        for _ in range(TRIES):
            draft.restart()
            why = self._try(source, draft)
            if not why:
                return None
        return f"its audio at {_shown(source)} can't be had: {why}"

    def _try(self, source: Url, draft: Draft) -> str:
        """One go; "" for done."""
        origin = pool(source)
        try:
            response = origin.urlopen(
                "GET",
                source.request_uri,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                timeout=self._timeout,
                retries=NO_RETRIES,
                redirect=False,
                preload_content=False,
            )
            with closing(response):
                if response.status != 200:
                    return f"status {response.status}"
                for piece in pieces(response, limit_bytes=self._max_bytes, seconds=self._body_seconds):
                    draft.write(piece)
        except BrokenBodyError as error:
            return error.failure.value
        except (HTTPError, LocationValueError) as error:
            return type(error).__name__
        finally:
            origin.close()
        return ""


def permitted(source: Url, api: Url) -> bool:
    """https to a public host; anything else only at the API's own host, where a rehearsal keeps its files."""
    if source.auth or not source.host:
        return False
    if source.host == api.host:
        return source.scheme in {"https", api.scheme}
    return source.scheme == "https" and _public(source.host)


def _public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".localhost"))


def _shown(source: Url) -> str:
    """The address without its query, which may hold a signature."""
    return f"{source.scheme}://{source.host}{source.path or ''}"
