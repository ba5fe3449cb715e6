"""Rows and values for tests, every field optional. What a state demands of its row is filled in, nothing else is."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, insert, select
from uuid_utils.compat import uuid7

from api_models.encodings import form_of
from api_models.formats import AudioFormat
from api_models.registry import DEFAULT_MODEL
from api_models.speech import JobRequest, Speech
from api_models.status import TERMINAL, JobStatus
from api_models.verdict import GateScope, VerdictKind
from worker.intake.validation import Row
from worker.segmind.answers import Answer
from worker.segmind.verdicts import Verdict
from worker.store.account import Gate, gate_name
from worker.store.queries.attempts import Ended
from worker.store.tables.account import GateRow
from worker.store.tables.base import NO_LANE
from worker.store.tables.jobs import Attempt, Batch, Job
from worker.store.tables.workers import Lease, Worker
from worker.store.transitions.claims import Claim
from worker.store.transitions.dispatches import Lane, Waiting
from worker.store.transitions.settlement import Settlement, StoredAudio

NOW: Final = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
"""The time by which tests go that have no database clock to mind."""
ORIGIN: Final = "https://api.example"
MODEL: Final = DEFAULT_MODEL
OTHER_MODEL: Final = "gemini-2.5-flash-tts"
SHA256: Final = hashlib.sha256(b"some audio").hexdigest()

Values = dict[str, Any]
"""The columns of one row."""


def a_speech(**fields: Any) -> Speech:  # noqa: ANN401 - any field of it
    """A text that was never synthesized before."""
    return Speech.model_validate({"text": f"Good evening, visitor {uuid7()}."} | fields)


def a_request(**fields: Any) -> JobRequest:  # noqa: ANN401 - any field of it
    """A producer's request for a text that was never synthesized before."""
    return JobRequest.model_validate({"text": f"Good evening, visitor {uuid7()}."} | fields)


def input_rows(count: int, *, words: str = "Line", **fields: Any) -> list[Row]:  # noqa: ANN401 - any field of it
    """The rows of an input; equal arguments make equal rows."""
    return [
        Row(line, a_request(text=f"{words} {line}.", custom_id=f"{line:03}", **fields)) for line in range(1, count + 1)
    ]


def job_row(**columns: Any) -> Values:  # noqa: ANN401 - any column of it
    """A job, queued unless said otherwise; the columns that its state can't do without are set."""
    speech = a_speech(**{name: columns.pop(name) for name in tuple(columns) if name in Speech.model_fields})
    batch_id = columns.get("batch_id")
    plain: Values = {
        "id": uuid7(),
        "tenant": "default",
        "batch_id": None,
        "lane": batch_id or NO_LANE,
        "status": JobStatus.QUEUED,
        "priority": 0,
        **speech.model_dump(),
        "fingerprint": speech.fingerprint(origin=ORIGIN, audio_format=_form(columns)),
        "use_cache": True,
        "attempt": 0,
        "attempts_used": 0,
        "takes_used": 0,
        "recover": False,
        "created_at": NOW,
        "cost": Decimal(0),
        "cached": False,
    }
    return plain | _demanded(JobStatus(columns.get("status", JobStatus.QUEUED))) | columns


def _form(columns: Values) -> str:
    """As `JobRequest.form` has it."""
    kind = AudioFormat(columns.get("audio_format") or "wav")
    return form_of(kind, columns.get("target_lufs"), columns.get("mp3_bitrate"), columns.get("sample_rate"))


def _demanded(status: JobStatus) -> Values:
    """What the constraints demand of a row in this state."""
    ended: Values = {"finished_at": NOW} if status in TERMINAL else {}
    match status:
        case JobStatus.SCHEDULED:
            return {"not_before": NOW}
        case JobStatus.DISPATCHED:
            return {"dispatched_at": NOW}
        case JobStatus.RUNNING:
            return {"worker_id": uuid7(), "started_at": NOW, "attempt": 1, "attempts_used": 1}
        case JobStatus.SUCCEEDED:
            sound = {"uri": "file:///audio/1.wav", "sha256": SHA256, "content_type": "audio/wav"}
            return ended | sound | {"audio_bytes": 48_044, "duration_ms": 1_000, "attempt": 1}
        case JobStatus.FAILED:
            return ended | {"code": "invalid_request", "message": "It was refused."}
        case _:
            return ended


def add_job(connection: Connection, **columns: Any) -> UUID:  # noqa: ANN401 - any column of it
    """Insert one job, past all statements; its id."""
    return add_jobs(connection, job_row(**columns))[0]


def add_jobs(connection: Connection, *rows: Values) -> list[UUID]:
    """Insert jobs, past all statements; their ids."""
    names = {name for row in rows for name in row}
    connection.execute(insert(Job), [dict.fromkeys(names) | row for row in rows])
    return [row["id"] for row in rows]


def stored(connection: Connection, job_id: UUID) -> Any:  # noqa: ANN401 - a row, its columns as attributes
    row = connection.execute(select(*Job.__table__.c).where(Job.id == job_id)).one()
    return SimpleNamespace(**row._mapping)


def ledger(connection: Connection, job_id: UUID) -> list[Any]:
    """The job's attempts, in order."""
    columns = Attempt.__table__.c
    rows = connection.execute(select(*columns).where(Attempt.job_id == job_id).order_by(Attempt.number))
    return [SimpleNamespace(**row._mapping) for row in rows]


def attempt_row(**columns: Any) -> Values:  # noqa: ANN401 - any column of it
    """A recorded attempt, a success unless said otherwise."""
    plain: Values = {
        "job_id": uuid7(),
        "number": 1,
        "tenant": "default",
        "model": MODEL,
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=8),
        "verdict": VerdictKind.SUCCESS,
        "cost": Decimal("0.0067"),
        "cost_estimated": False,
        "possibly_billed": False,
        "noted": False,
    }
    return plain | columns


def add_attempt(connection: Connection, **columns: Any) -> None:  # noqa: ANN401 - any column of it
    """Insert one row of the ledger."""
    connection.execute(insert(Attempt).values(attempt_row(**columns)))


def add_batch(connection: Connection, **columns: Any) -> UUID:  # noqa: ANN401 - any column of it
    """Insert one batch, without jobs; its id."""
    row: Values = {"id": uuid7(), "tenant": "default", "name": "welcome.csv", "total": 0, "created_at": NOW} | columns
    connection.execute(insert(Batch).values(row))
    batch_id: UUID = row["id"]
    return batch_id


def add_worker(connection: Connection, **columns: Any) -> UUID:  # noqa: ANN401 - any column of it
    """Insert one worker that is there and well; its id."""
    plain: Values = {
        "id": uuid7(),
        "host": "studio",
        "pid": 4711,
        "queue": "ttsq",
        "slots": 10,
        "started_at": NOW,
        "heartbeat_at": NOW,
        "stopping": False,
    }
    row = plain | columns
    connection.execute(insert(Worker).values(row))
    worker_id: UUID = row["id"]
    return worker_id


def add_lease(connection: Connection, **columns: Any) -> UUID:  # noqa: ANN401 - any column of it
    """Insert one lease that someone holds; the holder."""
    row: Values = {"name": "dispatcher", "holder": uuid7(), "expires_at": NOW + timedelta(seconds=4)} | columns
    connection.execute(insert(Lease).values(row))
    holder: UUID = row["holder"]
    return holder


def a_gate(**fields: Any) -> Gate:  # noqa: ANN401 - any field of it
    """A closed gate, the account's for want of credit unless said otherwise."""
    scope = fields.get("scope", GateScope.MODEL if fields.get("model") else GateScope.ACCOUNT)
    gate = Gate(
        name=gate_name(scope, fields.get("model")),
        scope=scope,
        model=None,
        code="insufficient_credits",
        message="The account is out of credit.",
        since=NOW,
        next_probe_at=NOW + timedelta(seconds=30),
        probes=0,
    )
    return replace(gate, **fields)


def add_gate(connection: Connection, gate: Gate, *, closed: bool = True) -> Gate:
    """Insert a gate."""
    names = ("name", "scope", "model", "code", "message", "since", "next_probe_at", "probes")
    connection.execute(insert(GateRow).values({name: getattr(gate, name) for name in names} | {"closed": closed}))
    return gate


def a_claim(**fields: Any) -> Claim:  # noqa: ANN401 - any field of it
    """A first claim of a job without a batch."""
    speech = fields.get("speech", a_speech())
    claim = Claim(
        job_id=uuid7(),
        attempt=1,
        tenant="default",
        batch_id=None,
        custom_id=None,
        line=None,
        speech=speech,
        fingerprint=speech.fingerprint(origin=ORIGIN, audio_format="wav"),
        use_cache=True,
        recover=False,
        attempts_used=1,
        takes_used=0,
        worker_id=uuid7(),
        started_at=NOW,
        twin=None,
    )
    return replace(claim, **fields)


def some_audio(**fields: Any) -> StoredAudio:  # noqa: ANN401 - any field of it
    """A second of audio, stored."""
    audio = StoredAudio("file:///audio/1.wav", "audio/wav", audio_bytes=48_044, sha256=SHA256, duration_ms=1_000)
    return replace(audio, **fields)


def a_settlement(status: JobStatus = JobStatus.SUCCEEDED, **fields: Any) -> Settlement:  # noqa: ANN401 - any field of it
    """A settlement that leads to `status`, and is complete for it."""
    match status:
        case JobStatus.SUCCEEDED:
            plain = Settlement(status, VerdictKind.SUCCESS, cost=Decimal("0.0067"), audio=some_audio())
        case JobStatus.FAILED:
            plain = Settlement(status, VerdictKind.REFUSED, code="invalid_request", message="It was refused.")
        case JobStatus.SCHEDULED:
            plain = Settlement(status, VerdictKind.RETRY, code="server_error", not_before=NOW + timedelta(seconds=9))
        case _:
            plain = Settlement(status, VerdictKind.GATE, counts=False, scope=GateScope.ACCOUNT, code="bad_key")
    return replace(plain, **fields)


def an_ended(**fields: Any) -> Ended:  # noqa: ANN401 - any field of it
    """An attempt as the dispatcher reads it, a success unless said otherwise."""
    ended = Ended(
        job_id=uuid7(),
        tenant="default",
        batch_id=None,
        model=MODEL,
        verdict=VerdictKind.SUCCESS,
        scope=None,
        code=None,
        message=None,
        reset_at=None,
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=8),
        cost=Decimal("0.0067"),
        possibly_billed=False,
        remaining_credits=None,
    )
    return replace(ended, **fields)


def a_verdict(kind: VerdictKind, **fields: Any) -> Verdict:  # noqa: ANN401 - any field of it
    """A verdict of this kind, with the attempt counted as the verdict table has it."""
    free = kind in {VerdictKind.GATE, VerdictKind.PACE}
    return replace(Verdict(kind, code=str(kind), message="So it went.", counts=not free), **fields)


def an_answer(**fields: Any) -> Answer:  # noqa: ANN401 - any field of it
    """An answer of the API, a 200 that cost what the model costs unless said otherwise."""
    answer = Answer(
        status=200, sent=True, cost=Decimal("0.0067"), request_id="req-1", remaining_credits=Decimal("9.99")
    )
    return replace(answer, **fields)


def a_lane(**fields: Any) -> Lane:  # noqa: ANN401 - any field of it
    """A lane of the default tenant, without a batch."""
    return replace(Lane(priority=0, tenant="default", lane=NO_LANE, model=MODEL), **fields)


def waiting_jobs(count: int) -> list[Waiting]:
    """Jobs at the head of some lane, none tried before."""
    return [Waiting(uuid7(), 0) for _ in range(count)]
