"""Which texts of an input have to be bought, and how fast that can go. Read from the queue; nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from api_models.registry import MODELS
from worker import producer
from worker.cli.money.estimate import Basis, Estimate, Need, Speed, basis, estimate
from worker.dispatch.rate import pace
from worker.intake.name_index import NameIndex
from worker.intake.validation import Row
from worker.producer import DEFAULT_TENANT
from worker.settings import Settings
from worker.store import account, batches, workers
from worker.store.database import Database
from worker.store.money import budgets, limits, pricing
from worker.store.money.pricing import Text
from worker.store.queries import holds

ZERO: Final = Decimal(0)
TEXTS_PER_POLL: Final = 1_000


@dataclass(frozen=True, slots=True)
class Input:
    """What `ttsq run` would be given."""

    rows: Collection[Row]
    origin: str
    output_url: str | None
    resume: bool
    key_template: str | None = None
    key: str | None = None
    """What makes the same command find its batch again, once it was worked out."""
    batch: UUID | None = None
    """The batch that the same command made before, and would take up again."""
    lost: frozenset[UUID] = frozenset()
    """Jobs of it that are done, whose audio is gone and is to be bought again."""
    again: bool = True
    """Whether its texts are bought again that ended without audio after paid takes."""


def estimated(database: Database | None, wanted: Input, settings: Settings) -> Estimate:
    """What the input will cost and take. `database` is None where there is no queue yet."""
    if database is None:
        fresh = (_text(row, wanted) for row in wanted.rows)
        return estimate(_needs(fresh, lambda _: set()), prices(None), _own_speed(settings, None))
    with database.read() as connection:
        known = None if wanted.batch is None else pricing.texts(connection, wanted.batch)
        texts = (_text(row, wanted) for row in wanted.rows) if known is None else _to_speak(known, wanted)
        return _estimated(connection, texts, _speed(connection, database, settings), wanted.lost)


def allowance(database: Database | None, wanted: Input, max_cost: Decimal | None) -> Decimal | None:
    """What may be spent on the input before a budget holds the rest; None where none limits it."""
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
    """What the texts of a batch will cost that aren't spoken yet, whatever time they take."""
    with database.read() as connection:
        return _estimated(connection, pricing.texts(connection, batch), Speed(None, None), frozenset())


def remaining(database: Database, batch: UUID, settings: Settings) -> Estimate:
    """What those of its jobs will cost and take that aren't over, at the pace and with the slots there are."""
    with database.read() as connection:
        texts = pricing.texts(connection, batch, not_over=True)
        return _estimated(connection, texts, _speed(connection, database, settings), ())


def prices(connection: Connection | None) -> dict[str, Basis]:
    """What is expected of a call of each model."""
    return {model: basis(model, None if connection is None else pricing.seen(connection, model)) for model in MODELS}


def with_batch(database: Database | None, wanted: Input) -> Input:
    """The same, with the batch that it would take up again."""
    if database is None or not wanted.resume:
        return wanted
    key = producer.resume_key(
        wanted.rows, origin=wanted.origin, output_url=wanted.output_url, key_template=wanted.key_template
    )
    with database.read() as connection:
        found = batches.by_resume_key(connection, DEFAULT_TENANT, key)
    return replace(wanted, key=key, batch=None if found is None else found.id)


def _estimated(connection: Connection, texts: Iterable[Text], speed: Speed, lost: Collection[UUID]) -> Estimate:
    def bought(page: Sequence[Text]) -> set[str]:
        return pricing.bought(connection, {text.fingerprint for text in page if text.use_cache and not text.done})

    return estimate(_needs(texts, bought, lost), prices(connection), speed)


def _needs(
    texts: Iterable[Text], bought: Callable[[Sequence[Text]], set[str]], lost: Collection[UUID] = ()
) -> Iterator[Need]:
    """Of equal texts one is bought and the others are copied, unless each is to be spoken afresh.

    `bought` tells which contents of a page of texts were bought before. No list of all texts is kept.
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


def _text(row: Row, wanted: Input) -> Text:
    request = row.request
    return Text(
        model=request.model,
        characters=len(request.text),
        fingerprint=request.fingerprint(origin=wanted.origin, audio_format=request.form),
        use_cache=wanted.resume and request.cache == "use",
    )


def _speed(connection: Connection, database: Database, settings: Settings) -> Speed:
    """As far as it is known: the pace is the dispatcher's, and slots are those of the workers that are alive."""
    state = account.load_pace(connection)
    rpm = pace.found_rate(state) if state.rpm is None else state.rpm
    if settings.embedded:
        return _own_speed(settings, rpm)
    limit = database.now(connection) - timedelta(seconds=holds.STALE_SECONDS)
    alive = [member for member in workers.present(connection) if member.heartbeat_at >= limit]
    return Speed(rpm, sum(member.slots for member in alive) or None)


def _own_speed(settings: Settings, found: float | None) -> Speed:
    """Of the worker inside this process."""
    rpm = settings.segmind_rpm
    return Speed(rpm if isinstance(rpm, float) else found, settings.concurrency)
