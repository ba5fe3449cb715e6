"""Shell completion of names: voices, models and formats from the registry, the rest from the queue.

A completion never prints an error and never creates a queue: where it can't look, it offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

Offer = tuple[str, str]
"""A name and its description."""

MAX_BATCHES: Final = 200


def voices(incomplete: str) -> list[Offer]:
    from api_models.registry import VOICES  # noqa: PLC0415 - a shell waits for this

    _own_models()
    return _matching(incomplete, VOICES.items())


def models(incomplete: str) -> list[Offer]:
    from api_models.registry import MODELS  # noqa: PLC0415 - as above

    _own_models()
    return _matching(incomplete, ((slug, f"${model.price} a call") for slug, model in MODELS.items()))


def formats(incomplete: str) -> list[Offer]:
    from api_models.formats import AudioFormat  # noqa: PLC0415 - as above

    return _matching(incomplete, ((str(one), one.content_type) for one in AudioFormat))


def batches(incomplete: str) -> list[Offer]:
    return _matching(incomplete, _of_queue(_batches))


def gates(incomplete: str) -> list[Offer]:
    from api_models.registry import MODELS  # noqa: PLC0415 - as above

    _own_models()
    fixed = [("account", "all jobs"), *((slug, "jobs of this model") for slug in MODELS)]
    return _matching(incomplete, [*fixed, *_of_queue(_gates)])


def schedules(incomplete: str) -> list[Offer]:
    return _matching(incomplete, _of_queue(_schedules))


def _own_models() -> None:
    """Add the user's models; an invalid file is reported by commands."""
    from worker.environment import models_file  # noqa: PLC0415 - as above

    with suppress(ValueError):
        models_file.install()


def _matching(incomplete: str, offers: Iterable[Offer]) -> list[Offer]:
    found = {name: note for name, note in offers if name.casefold().startswith(incomplete.casefold())}
    return list(found.items())


def _of_queue(read: Callable[[Any], Iterator[Offer]]) -> list[Offer]:
    try:
        from worker import settings  # noqa: PLC0415 - as above
        from worker.cli import database as cli_database  # noqa: PLC0415 - as above

        with cli_database.queue(settings.load()) as database, database.read() as connection:
            return list(read(connection))
    except Exception:  # noqa: BLE001 - the shell would print it over the command line
        return []


def _batches(connection: Any) -> Iterator[Offer]:  # noqa: ANN401 - SQLAlchemy's, not imported here
    from worker.cli.console.format import number, short  # noqa: PLC0415 - as above
    from worker.store import batches as store_batches  # noqa: PLC0415 - as above

    found = store_batches.latest(connection, most=MAX_BATCHES)
    yield from ((batch.name, number(batch.total, "text")) for batch in found)
    yield from ((short(batch.id), batch.name) for batch in found)


def _gates(connection: Any) -> Iterator[Offer]:  # noqa: ANN401 - as above
    from worker.store import account, lane_takes  # noqa: PLC0415 - as above
    from worker.store.queries import holds  # noqa: PLC0415 - as above

    for gate, closed in account.known_gates(connection):
        yield gate.name, f"closed: {gate.code}" if closed else "open"
    for lane in lane_takes.held(connection):
        yield holds.takes_hold(lane).name, "held by refused takes"


def _schedules(connection: Any) -> Iterator[Offer]:  # noqa: ANN401 - as above
    from worker.store import schedules as store_schedules  # noqa: PLC0415 - as above

    yield from ((one.name, f"{one.cron} {one.timezone}") for one in store_schedules.every(connection))
