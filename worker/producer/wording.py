"""Prepares requests with a tenant's lexicons: the only way in to them for producers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from api_models.hints import did_you_mean
from api_models.speech import JobRequest
from api_models.wording import LEXICON

if TYPE_CHECKING:
    from worker.text.lexicon.lexicon import Lexicon
    from worker.text.preparation import Preparation

Request = TypeVar("Request", bound=JobRequest)


class SpokenTexts:
    """Prepares requests of one tenant, in one transaction.

    It reads the database, so it must not be called while rows are copied into it by the same connection.
    """

    def __init__(self, connection: Connection, tenant: str, max_text_bytes: int | None = None) -> None:
        """`max_text_bytes` is the operator's limit of one call."""
        self._lexicons = StoredLexicons(connection, tenant)
        self._max_text_bytes = max_text_bytes
        self._preparation: Preparation | None = None

    def __call__(self, request: Request) -> Request:
        """Return a request with its text as it is spoken. Raises TextError: it can't be prepared."""
        if not request.is_to_be_prepared:
            return request
        if self._preparation is None:
            from worker.text.preparation import Preparation  # noqa: PLC0415 - most requests need none of it

            self._preparation = Preparation(self._lexicons, self._max_text_bytes)
        return self._preparation.request(request)


@dataclass(slots=True)
class StoredLexicons:
    """The lexicons of a tenant. In one transaction a name means one version."""

    connection: Connection
    tenant: str
    _found: dict[str, Lexicon] = field(default_factory=dict)

    def __call__(self, reference: str) -> Lexicon:
        """Return a lexicon by its name or version. Raises UnknownLexiconError."""
        if (found := self._found.get(reference)) is None:
            found = self._found[reference] = self._read(reference)
        return found

    def _read(self, reference: str) -> Lexicon:
        from worker.store import lexicons  # noqa: PLC0415 - most processes need none of it
        from worker.text.preparation import UnknownLexiconError  # noqa: PLC0415 - likewise

        parts = LEXICON.fullmatch(reference)
        if parts is not None:
            version = int(parts["version"]) if parts["version"] else None
            found = lexicons.find(self.connection, self.tenant, parts["name"], version)
            if found is not None:
                return _ready(found.id, found.label, found.rules)
        known = lexicons.names(self.connection, self.tenant)
        hint = did_you_mean(reference, known) or (f" (known: {', '.join(known[:10])})" if known else "")
        raise UnknownLexiconError(f"no lexicon {reference}{hint}", "create it with `ttsq lexicon import`")


@lru_cache(maxsize=16)
def _ready(_lexicon_id: UUID, label: str, rules: str) -> Lexicon:
    """Make a version ready once in a process: 5,000 rules take 20 ms."""
    import json  # noqa: PLC0415 - most processes need none of it

    from api_models.lexicons import LexiconRule  # noqa: PLC0415 - likewise
    from worker.text.lexicon.lexicon import Lexicon  # noqa: PLC0415 - likewise

    return Lexicon([LexiconRule.model_validate(rule) for rule in json.loads(rules)], label)
