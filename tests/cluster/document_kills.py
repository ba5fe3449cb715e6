"""Documents on workers that are all killed (SIGKILL) at a random moment: while parts are spoken, joined or stored.

`python -m tests.cluster.document_kills 100` runs the long form and prints what it found; with a third argument,
`python -m tests.cluster.document_kills 100 v2 scripts`, the documents are scripts of three speakers.
"""

from __future__ import annotations

import hashlib
import io
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import soundfile
from sqlalchemy import select

from api_models.speech import LONG_TEXTS, JobRequest
from tests.cluster.cluster import Cluster
from tests.cluster.killing import replaced
from tests.cluster.services import own_services
from tests.cluster.shape import Shape
from tests.long_texts import paragraphs, sentence
from worker.documents.stored_plan import JoinStyle, Sidecar
from worker.emulator.config import EmulatorConfig
from worker.intake.validation import Row
from worker.producer.documents import Source
from worker.scripts.cast.cast import assign, cast_of
from worker.scripts.plan import plan as plan_script
from worker.scripts.script import Scene, Script, Turn
from worker.store import documents
from worker.store.tables.jobs import Job

DONE_SECONDS: Final = 180.0
SPAN_SECONDS: Final = 5.0
"""From the submission of a document to the end of its recording, about."""
PARAGRAPHS: Final = 10
TURNS_EACH: Final = 6
"""Of each speaker of a script."""
CLOSE_MS: Final = 10
MIN_SHARE: Final = 0.7
"""Of the takes' length: their edges are trimmed."""


@dataclass(slots=True)
class DocumentToll:
    cycles: int = 0
    while_joining: int = 0
    """Kills that hit the join: the document had more than one attempt."""
    faults: list[str] = field(default_factory=list)


def shape(api: str = "v2") -> Shape:
    """The cluster that it needs."""
    return Shape(
        workers=2,
        slots=6,
        latency_seconds=0.5,
        emulator=EmulatorConfig(jitter=0.4, seed=18),
        settings={"SEGMIND_API": api, "TTSQ_MAX_ATTEMPTS": "20"},
    )


def killed_documents(
    cluster: Cluster,
    cycles: int,
    *,
    seed: int = 18,
    say: Callable[[str], None] = lambda _: None,
    scripts: bool = False,
) -> DocumentToll:
    """Speak a document in each cycle, and kill every worker once while it is under way."""
    rng, toll = random.Random(seed), DocumentToll()
    workers = [worker for worker in cluster.workers if worker.alive]
    for number in range(1, cycles + 1):
        batch = _submitted_script(cluster, number) if scripts else cluster.submit([_row(number)])
        time.sleep(rng.uniform(0, SPAN_SECONDS))
        workers = replaced(cluster, workers)
        cluster.wait_until_done(batch, DONE_SECONDS)
        toll.cycles += 1
        faults = [f"cycle {number}: {fault}" for fault in _faults(cluster, batch, toll)]
        toll.faults += faults
        say(f"{number} of {cycles}; {toll.while_joining} kills hit a join; {len(toll.faults)} faults {faults}")
    again = [text for text, times in cluster.emulator.state.billed_texts.items() if times > 1]
    toll.faults += [f"{len(again)} texts were bought twice"] if again else []
    return toll


def _row(number: int) -> Row:
    fields = {"text": paragraphs(PARAGRAPHS, first=number * 1_000), "custom_id": f"book-{number}"}
    return Row(number, JobRequest.model_validate(fields, context={LONG_TEXTS: True}))


def _submitted_script(cluster: Cluster, number: int) -> UUID:
    """Submit a script whose turns no other one has, with overlaps, pauses and tracks."""
    turns = [
        Turn(name, f"{sentence(1_000 * number + index)} --", index, pause=0.4 if index % 7 == 0 else None)
        for index, name in enumerate(("Anna", "Ben", "Cora") * TURNS_EACH, 1)
    ]
    cast = cast_of({"Anna": "Kore", "Ben": "Puck", "Cora": "Leda"}, "cast")
    plan = plan_script(assign(Script((Scene("", tuple(turns)),)), cast, "script"))
    fields = {"text": plan.document.text, "custom_id": f"script-{number}"}
    row = Row(number, JobRequest.model_validate(fields, context={LONG_TEXTS: True}))
    source = Source(plan.document, JoinStyle(sidecars=(Sidecar.VTT, Sidecar.STEMS)), plan)
    return cluster.submit([row], sources={f"script-{number}": source})


def _faults(cluster: Cluster, batch: UUID, toll: DocumentToll) -> Sequence[str]:
    with cluster.database.read() as connection:
        job: Any = connection.execute(select(Job).where(Job.batch_id == batch, Job.parts.is_not(None))).one()
        parts = documents.chosen(connection, job.id)
    toll.while_joining += job.attempt > 1
    if job.status != "succeeded":
        return [f"{job.status}: {job.code}: {job.message}"]
    if job.cost != sum(part.cost for part in parts):
        return [f"it costs {job.cost}, its parts {sum(part.cost for part in parts)}"]
    return _recording_faults(cluster, job, sum(part.duration_ms or 0 for part in parts))


def _recording_faults(cluster: Cluster, job: Any, spoken_ms: int) -> Sequence[str]:  # noqa: ANN401 - a row
    (record,) = cluster.seen.jobs(job.batch_id)
    content = cluster.seen.audio(record)
    milliseconds = 1_000 * soundfile.info(io.BytesIO(content)).duration
    is_stored = hashlib.sha256(content).hexdigest() == job.sha256
    is_whole = abs(milliseconds - job.duration_ms) < CLOSE_MS and milliseconds > MIN_SHARE * spoken_ms
    return [] if is_stored and is_whole else [f"{milliseconds:.0f} ms of {spoken_ms} ms were joined"]


def main(arguments: Sequence[str]) -> int:
    """The long form."""
    cycles = int(arguments[0]) if arguments else 100
    own = shape(*arguments[1:2])
    with own_services(own) as services, Cluster(own, services) as cluster:
        toll = killed_documents(cluster, cycles, say=print, scripts="scripts" in arguments)
    print(f"{toll.cycles} cycles, {toll.while_joining} kills while joining, {len(toll.faults)} faults")
    return 1 if toll.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
