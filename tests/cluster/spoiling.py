"""A batch of which the API spoils some first takes, text by text so that it is known which: every way of being bad."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy import select

from api_models.registry import DEFAULT_MODEL, MODELS
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.cluster.cluster import Cluster
from tests.cluster.shape import Shape
from worker.emulator.api.responses import Ending
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Take
from worker.emulator.voice.synthesis import Utterance, speak
from worker.emulator.voice.wav import wav
from worker.store.queries.jobs import JobRecord
from worker.store.tables.jobs import Attempt

GOOD: Final = "good"
PROSE: Final = (
    "The ferry leaves at noon, and the bakery behind the harbour opens at six.",
    "No one had told the lighthouse keeper that the gulls would stay for the winter.",
    "Margaret counted forty umbrellas, and then she went home because it rained.",
    "Our little valley is green again; the mountain road stays closed until spring.",
    "Please mind the gap between the platform and the train.",
    "He read the letter twice, folded it slowly, and put it back into the drawer.",
    "What would you have done? I would have opened the window and called for help.",
    "The orchestra tunes, the lamps go out, and somewhere a door falls shut.",
    "Take the second street on the left, walk past the old mill, and ring the bell.",
    "It was a long night, but in the morning the river had gone back to its bed.",
)


@dataclass(frozen=True, slots=True)
class Spoiling:
    """One way of being bad, and the name in whose texts it happens."""

    kind: str
    name: str
    share: float
    """Of all texts."""
    effect: Effect


SPOILINGS: Final = (
    Spoiling("truncated", "Avalon", 0.01, Effect(take=Take.TRUNCATED, share=0.13)),
    Spoiling("truncated", "Brisbane", 0.01, Effect(take=Take.TRUNCATED, share=0.2)),
    Spoiling("truncated", "Cordoba", 0.01, Effect(take=Take.TRUNCATED, share=0.3)),
    Spoiling("truncated", "Dunedin", 0.01, Effect(take=Take.TRUNCATED, share=0.4)),
    Spoiling("truncated", "Esbjerg", 0.01, Effect(take=Take.TRUNCATED, share=0.46)),
    Spoiling("silent", "Fremantle", 0.02, Effect(take=Take.SILENT)),
    Spoiling("empty", "Galway", 0.01, Effect(take=Take.EMPTY)),
    Spoiling("empty", "Hobart", 0.01, Effect(take=Take.HEADER_ONLY)),
    Spoiling("repeated", "Iquique", 0.005, Effect(take=Take.REPEATED, repeats=2)),
    Spoiling("repeated", "Jakarta", 0.005, Effect(take=Take.REPEATED, repeats=4)),
    Spoiling("cut off", "Kilkenny", 0.01, Effect(ending=Ending.CUT, share=0.6)),
)
"""Truncation is spread over what users reported to be left: 13 to 46 %."""


def texts(count: int, seed: int = 1) -> list[str]:
    """`count` distinct texts of one to five sentences, of which the shares above name a name."""
    rng = random.Random(seed)
    names = [spoiling.name for spoiling in SPOILINGS for _ in range(round(spoiling.share * count))]
    names += ["Lisbon"] * (count - len(names))
    rng.shuffle(names)
    return [
        f"Line {number}, from {name}. {' '.join(rng.sample(PROSE, rng.randint(1, 5)))}"
        for number, name in enumerate(names, 1)
    ]


def kind_of(text: str) -> str:
    """What the first take of a text is like."""
    return next((spoiling.kind for spoiling in SPOILINGS if f"from {spoiling.name}." in text), GOOD)


def shape(*, latency_seconds: float = 0.1) -> Shape:
    """A cluster whose API spoils the first take of each of those texts; the next one is good."""
    rules = tuple(
        Rule(effect=spoiling.effect, match=Match(text_contains=f"from {spoiling.name}.", nth_of_text=(1,)))
        for spoiling in SPOILINGS
    )
    return Shape(slots=10, latency_seconds=latency_seconds, emulator=EmulatorConfig(rules=rules))


@dataclass(slots=True)
class Sorted:
    """How the gate told good takes from bad ones."""

    served: Counter[str] = field(default_factory=Counter)
    """Takes by what they were like."""
    refused: Counter[str] = field(default_factory=Counter)
    unfinished: int = 0
    """Jobs that didn't succeed."""
    wrong_files: int = 0
    """Objects of jobs that aren't, byte for byte, what a good take is."""
    unkept: int = 0
    """Refused takes that could have been heard, and aren't where the ledger says."""

    @property
    def bad(self) -> int:
        """Bad takes served."""
        return self.served.total() - self.served[GOOD]

    @property
    def bad_refused(self) -> int:
        """Bad takes refused."""
        return self.refused.total() - self.refused[GOOD]


def sort(cluster: Cluster, batch: UUID) -> Sorted:
    """Sort the takes of a finished batch by their outcome."""
    found, objects = Sorted(), _objects(cluster)
    jobs = {job.id: job for job in cluster.seen.jobs(batch)}
    with cluster.database.read() as connection:
        rows = connection.execute(
            select(Attempt.job_id, Attempt.number, Attempt.verdict, Attempt.take_uri).where(Attempt.batch_id == batch)
        ).all()
    for row in rows:
        kind = kind_of(jobs[row.job_id].text) if row.number == 1 else GOOD
        found.served[kind] += 1
        if row.verdict == VerdictKind.BAD_TAKE:
            found.refused[kind] += 1
            found.unkept += kind in {"truncated", "silent", "repeated"} and row.take_uri not in objects
    found.unfinished = sum(job.status != JobStatus.SUCCEEDED for job in jobs.values())
    found.wrong_files = sum(objects.get(job.uri or "") != _good_sha256(job) for job in jobs.values())
    return found


def _good_sha256(job: JobRecord) -> str:
    """Of the one take that the emulator has of a text."""
    model = MODELS[DEFAULT_MODEL]
    take = wav(speak(Utterance(job.text, model.default_voice, None, model.understands_tags)))
    return hashlib.sha256(take).hexdigest()


def _objects(cluster: Cluster) -> Mapping[str, str]:
    """The SHA-256 of everything that is stored, by address."""
    bucket = cluster.place.bucket
    assert bucket is not None

    def hashes(keys: Sequence[str]) -> dict[str, str]:
        with closing(bucket.client()) as client:
            bodies = ((key, client.get_object(Bucket=bucket.name, Key=key)["Body"].read()) for key in keys)
            return {f"{bucket.url}/{key}": hashlib.sha256(body).hexdigest() for key, body in bodies}

    keys = cluster.seen.keys()
    with ThreadPoolExecutor(2) as readers:
        return {uri: sha256 for part in readers.map(hashes, [keys[::2], keys[1::2]]) for uri, sha256 in part.items()}
