"""Which texts of an input must be bought, and how fast. Reads the queue; stores nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from api_models.registry import MODELS
from api_models.speech import JobRequest
from worker.cli.money.estimate import Basis, Estimate, Need, Speed, basis, estimate
from worker.cli.run.input import Input
from worker.dispatch.rate import pace
from worker.intake.name_index import NameIndex
from worker.producer import DEFAULT_TENANT, documents
from worker.settings import Settings
from worker.store import account, workers
from worker.store.database import Database
from worker.store.money import budgets, limits, pricing
from worker.store.money.pricing import Text
from worker.store.queries import holds

ZERO: Final = Decimal(0)
TEXTS_PER_POLL: Final = 1_000


def estimated(database: Database | None, wanted: Input, settings: Settings) -> Estimate:
    """Estimate an input. `database` is None before the first run."""
    if database is None:
        fresh = _texts(wanted, settings.max_text_bytes, None)
        return estimate(_needs(fresh, lambda _: set()), prices(None), _own_speed(settings, None))
    with database.read() as connection:
        known = None if wanted.batch is None else pricing.texts(connection, wanted.batch)
        fresh = _texts(wanted, settings.max_text_bytes, connection)
        texts = fresh if known is None else _to_speak(known, wanted)
        return _estimated(connection, texts, _speed(connection, database, settings), wanted.lost)


def allowance(database: Database | None, wanted: Input, max_cost: Decimal | None) -> Decimal | None:
    """Return what may be spent on the input before a budget holds it, or None without a budget."""
    if database is None:
        return max_cost
    with database.read() as connection:
        found = budgets.standings(connection, now=database.now(connection))
        spent = ZERO if wanted.batch is None else limits.spent_by(connection, wanted.batch)
    own = [one.limit for one in found if one.batch_id is not None and one.batch_id == wanted.batch]
    left = [limit - spent for limit in (own if max_cost is None else [max_cost])]
    left += [one.limit - one.used for one in found if one.month is not None and one.tenant == DEFAULT_TENANT]
    return max(ZERO, min(left)) if left else None


def rest(database: Database, batch: UUID) -> Estimate:
    """Estimate the cost of a batch's unspoken texts; the duration is not estimated."""
    with database.read() as connection:
        return _estimated(connection, pricing.texts(connection, batch), Speed(None, None), frozenset())


def remaining(database: Database, batch: UUID, settings: Settings) -> Estimate:
    """Estimate cost and duration of a batch's unfinished jobs at the current pace and slots."""
    with database.read() as connection:
        texts = pricing.texts(connection, batch, not_over=True)
        return _estimated(connection, texts, _speed(connection, database, settings), ())


def prices(connection: Connection | None) -> dict[str, Basis]:
    return {model: basis(model, None if connection is None else pricing.seen(connection, model)) for model in MODELS}


def _estimated(connection: Connection, texts: Iterable[Text], speed: Speed, lost: Collection[UUID]) -> Estimate:
    def bought(page: Sequence[Text]) -> set[str]:
        return pricing.bought(connection, {text.fingerprint for text in page if text.use_cache and not text.done})

    return estimate(_needs(texts, bought, lost), prices(connection), speed)


def _needs(
    texts: Iterable[Text], bought: Callable[[Sequence[Text]], set[str]], lost: Collection[UUID] = ()
) -> Iterator[Need]:
    """Yield the needs of texts: equal texts are bought once and copied, unless the cache is off.

    `bought` returns the contents of a page that were bought before. Texts are streamed, never listed.
    """
    rest, seen = iter(texts), NameIndex()
    while page := list(islice(rest, TEXTS_PER_POLL)):
        there = bought(page)
        for number, text in enumerate(page, 1):
            came_before = seen.put(text.fingerprint, number) is not None
            copied = text.use_cache and (came_before or text.fingerprint in there)
            yield Need(text.model, text.characters, buy=text.job_id in lost or not (text.done or copied))


def _to_speak(known: Iterable[Text], wanted: Input) -> Iterable[Text]:
    return known if wanted.again else [text for text in known if not text.in_vain]


def _texts(wanted: Input, max_text_bytes: int | None, connection: Connection | None) -> Iterator[Text]:
    """Yield what is bought: long texts by their parts, divided as they will be."""
    for row in wanted.rows:
        request, source = row.request, wanted.sources.get(row.request.custom_id or "")
        if source is None and not documents.is_long(request, max_text_bytes):
            yield _text(request, wanted)
            continue
        previous: Sequence[str] = ()
        if connection is not None:
            previous = documents.previous_shares(connection, DEFAULT_TENANT, request.custom_id, wanted.output_url)
        plan = documents.plan_of(request, max_text_bytes, source, previous)
        yield from (_text(part, wanted) for part in documents.parts_of(request, plan))


def _text(request: JobRequest, wanted: Input) -> Text:
    return Text(
        model=request.model,
        characters=len(request.text),
        fingerprint=request.fingerprint(origin=wanted.origin, audio_format=request.form),
        use_cache=wanted.resume and request.cache == "use",
    )


def _speed(connection: Connection, database: Database, settings: Settings) -> Speed:
    """Return the dispatcher's pace and the slots of live workers."""
    state = account.load_pace(connection)
    rpm = pace.found_rate(state) if state.rpm is None else state.rpm
    if settings.embedded:
        return _own_speed(settings, rpm)
    limit = database.now(connection) - timedelta(seconds=holds.STALE_SECONDS)
    alive = [member for member in workers.present(connection) if member.heartbeat_at >= limit]
    return Speed(rpm, sum(member.slots for member in alive) or None)


def _own_speed(settings: Settings, found: float | None) -> Speed:
    rpm = settings.segmind_rpm
    return Speed(rpm if isinstance(rpm, float) else found, settings.concurrency)
