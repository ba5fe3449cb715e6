"""Scripts as HTTP clients submit them: read and cast, with every fault named by its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from api_models.casts import REFERENCE
from api_models.documents import DocumentIn
from api_models.hints import did_you_mean
from api_models.problems import Fault, InvalidInputError
from api_models.registry import DEFAULT_MODEL
from worker.documents.document import Document
from worker.documents.plan.plan import Part, Plan
from worker.gateway import views
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, invalid
from worker.scripts.cast.cast import Cast, assign, cast_of
from worker.scripts.cast.kept import kept_cast
from worker.scripts.plan import plan as plan_script
from worker.scripts.plan import price
from worker.scripts.readers.files import read_script
from worker.scripts.script import ALWAYS
from worker.store import casts

_CAST, _CONTENT = "cast", "content"


def is_script(wanted: DocumentIn) -> bool:
    return wanted.cast is not None or Path(wanted.name).suffix.lower() in ALWAYS | {".json"}


def planned(
    gateway: Gateway, tenant: str, wanted: DocumentIn, path: Path, reworded: Callable[[Document], Document]
) -> Plan:
    """Read a script from a file and divide it among its voices. Raises ProblemError."""
    model = str(wanted.job.get("model") or DEFAULT_MODEL)
    try:
        cast = _cast(gateway, tenant, wanted, model)
        script = read_script(path, known=cast.names() if cast is not None else ())
    except InvalidInputError as error:
        raise _refused(error, _CONTENT) from None
    try:
        if cast is None and script.cast:
            cast = cast_of(script.cast, wanted.name, model)
        if cast is None:
            raise invalid([Fault(field=_CAST, message="is missing: a script needs the voices of its speakers")])
        assigned = assign(script, cast, wanted.name)
    except InvalidInputError as error:
        raise _refused(error, _CAST) from None
    return plan_script(assigned, gateway.settings.max_text_bytes, reworded)


def _cast(gateway: Gateway, tenant: str, wanted: DocumentIn, model: str) -> Cast | None:
    if isinstance(wanted.cast, Mapping):
        try:
            return cast_of(wanted.cast, wanted.name, model)
        except InvalidInputError as error:
            raise _refused(error, _CAST) from None
    return None if wanted.cast is None else _kept(gateway, tenant, wanted.cast, model)


def _kept(gateway: Gateway, tenant: str, name: str, model: str) -> Cast:
    found = REFERENCE.fullmatch(name)
    version = int(found["version"]) if found and found["version"] else None
    with gateway.database.read() as connection:
        record = casts.find(connection, tenant, found["name"], version) if found else None
        known = [one.name for one in casts.latest(connection, tenant)] if record is None else []
    if record is None:
        message = f"is no cast that is kept{did_you_mean(name, known)}; name one of /v1/casts, or give its roles"
        raise invalid([Fault(field=_CAST, message=message)])
    try:
        return kept_cast(record, model)
    except InvalidInputError as error:
        raise _refused(error, _CAST) from None


def _refused(error: InvalidInputError, field: str) -> ProblemError:
    faults = [Fault(field=field, message=str(fault).removeprefix(f"{field}: ")) for fault in error.faults]
    return invalid(faults, error.total)


def speakers(plan: Plan) -> list[dict[str, Any]]:
    """Return what each speaker says and costs, in the order of appearance; empty for a text without speakers."""
    found: dict[str, list[Part]] = {}
    for part in plan.parts:
        if part.delivery is not None:
            found.setdefault(part.delivery.speaker, []).append(part)
    return [_speaker(name, parts) for name, parts in found.items()]


def _speaker(name: str, parts: Sequence[Part]) -> dict[str, Any]:
    by = parts[0].delivery
    return {
        "name": name,
        "voice": "" if by is None else by.voice,
        "model": "" if by is None else by.model,
        "parts": len(parts),
        "seconds": round(sum(part.seconds for part in parts), 1),
        "cost": views.amount(price(parts)),
    }
