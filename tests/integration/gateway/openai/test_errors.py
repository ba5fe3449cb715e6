"""Errors of every route below `/openai/v1`: OpenAI's form, the client's own field, and nothing spent."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from api_models.access import Scope
from api_models.openai import ErrorOut
from api_models.verdict import GateScope
from tests.factories import a_gate, add_gate, add_job
from tests.gateway import Client, Reply, Running, running
from tests.speaking import SPEECH
from worker.gateway.openai.requests import Dialect
from worker.store.database import Database
from worker.store.money import budgets

ASKED = {"model": "tts-1", "voice": "alloy", "input": "The ferry leaves at ten."}


@pytest.fixture
def gateway(on_sqlite: Database) -> Iterator[Running]:
    """A gateway that asks for keys, and has no worker."""
    with running(on_sqlite, TTSQ_OPENAI_HOLD_SECONDS="0.05") as started:
        yield started


@pytest.fixture
def client(gateway: Running) -> Client:
    """A client of the tenant `acme` with every permission."""
    return gateway.client()


def error(reply: Reply) -> dict[str, Any]:
    """The error, which must be in OpenAI's form and say whether to repeat the request."""
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-should-retry"] in {"true", "false"}
    assert reply.headers["x-request-id"]
    return ErrorOut.model_validate_json(reply.body).error.model_dump()


@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"voice": "aloy"}, "voice", 'did you mean "alloy"?'),
        ({"model": "tts-2"}, "model", 'did you mean "tts-1"?'),
        ({"speed": 2.5}, "speed", "limits of 0.5 to 2"),
        ({"speed": 0.25}, "speed", "limits of 0.5 to 2"),
        ({"speed": True}, "speed", "number"),
        ({"response_format": "mp4"}, "response_format", "mp3, opus, aac, flac, wav, pcm"),
        ({"stream_format": "chunks"}, "stream_format", "'audio' or 'sse'"),
        ({"input": "w " * 1_000, "instructions": "x" * 3_700}, "instructions", "of a request for the text"),
        ({"instructions": "x" * 4_097}, "instructions", "4096"),
        ({"input": "..."}, "input", "no letter or digit"),
        ({"input": None}, "input", "must be text"),
        ({"voice": {"name": "alloy"}}, "voice", '{"id": "alloy"}'),
        ({"voice_style": "x"}, "voice_style", "is not a known field"),
        ({"language": "en"}, "language", "is not a known field"),
        ({"instructions": "a\x00b"}, "instructions", "NUL"),
        ({"variant": -1}, "variant", "at least 0"),
    ],
)
def test_what_cannot_be_served_names_its_field(client: Client, change: dict[str, Any], param: str, words: str) -> None:
    """400, with the limit or a suggestion; no option is ignored; nothing was queued."""
    reply = client.post(SPEECH, {**ASKED, **change})
    assert reply.status == 400
    found = error(reply)
    assert (found["type"], found["param"]) == ("invalid_request_error", param)
    assert words in found["message"]
    assert reply.headers["x-should-retry"] == "false"
    assert client.get("/v1/jobs").json["jobs"] == []


def test_every_fault_is_said_at_once(client: Client) -> None:
    """One message for all; `param` is the first."""
    found = error(client.post(SPEECH, {"model": "x", "voice": "y", "input": ""}))
    assert all(f"{field}: " in found["message"] for field in ("model", "voice", "input"))


def test_other_errors_keep_the_form(gateway: Running, client: Client) -> None:
    """Whatever part of the gateway refuses the request."""
    large = {"input_file_id": "x" * 300_000}
    replies = {
        401: gateway.stranger.post(SPEECH, ASKED),
        403: gateway.client("acme", Scope.READ).post(SPEECH, ASKED),
        404: client.get("/openai/v1/audio/speeches"),
        405: client.get(SPEECH),
        413: client.post("/openai/v1/batches", large),
        415: client("POST", SPEECH, b"input=a", headers={"Content-Type": "application/x-www-form-urlencoded"}),
    }
    for status, reply in replies.items():
        assert (reply.status, error(reply)["type"]) == (status, "invalid_request_error")
    for body in (b"{", b"[]", b'{"input": NaN}', b'{"input": "a", "input": "b"}', b"\xff"):
        reply = client("POST", SPEECH, body, headers={"Content-Type": "application/json"})
        assert (reply.status, error(reply)["type"]) == (400, "invalid_request_error"), body
    assert error(client.get("/openai/v1/models?api-version=1"))["param"] == "api-version"
    assert error(client.get("/openai/v1/models/tts-9"))["code"] == "model_not_found"
    assert error(client.get("/openai/v2/models"))["code"] == "not_found"


def test_a_rate_is_kept_in_this_form(gateway: Running) -> None:
    """429 that may be repeated, after the time it names."""
    slow = gateway.client("acme", rate=1)
    slow.get("/openai/v1/models")
    refused = slow.get("/openai/v1/models")
    assert (refused.status, error(refused)["code"]) == (429, "rate_limit_exceeded")
    assert refused.headers["x-should-retry"] == "true"
    assert int(refused.headers["retry-after"]) >= 1


def test_a_database_that_fails_is_said_in_this_form(gateway: Running, client: Client) -> None:
    """503, to be repeated."""
    client.get("/openai/v1/models")
    with gateway.gateway.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE joined_requests")
    reply = client.post(SPEECH, ASKED)
    assert (reply.status, error(reply)["type"], reply.headers["x-should-retry"]) == (503, "server_error", "true")


def test_a_request_that_takes_too_long_is_asked_to_come_back(client: Client) -> None:
    """503 with `Retry-After`; the repeated request joins the same job."""
    first, second = client.post(SPEECH, ASKED), client.post(SPEECH, ASKED)
    for reply in (first, second):
        assert (reply.status, error(reply)["code"], reply.headers["x-should-retry"]) == (503, "not_ready", "true")
        assert int(reply.headers["retry-after"]) >= 1
    assert first.headers["x-ttsq-job-id"] == second.headers["x-ttsq-job-id"]
    assert len(client.get("/v1/jobs").json["jobs"]) == 1


def test_the_budget_of_a_key_is_a_quota(gateway: Running) -> None:
    """429 that must not be repeated, as OpenAI says it; nothing is queued."""
    poor = gateway.client("acme", budget=Decimal(0))
    reply = poor.post(SPEECH, ASKED)
    assert (reply.status, error(reply)["code"]) == (429, "insufficient_quota")
    assert reply.headers["x-should-retry"] == "false"
    assert poor.get("/v1/jobs").json["jobs"] == []


@pytest.fixture
def patient(on_sqlite: Database) -> Iterator[Client]:
    """A client of a gateway that would hold requests for minutes."""
    with running(on_sqlite) as started:
        yield started.client()


def test_a_month_that_is_used_up_is_a_quota(patient: Client, on_sqlite: Database) -> None:
    """The tenant's budget holds the job: it is cancelled unpaid, and its client told at once."""
    with on_sqlite.begin() as connection:
        budgets.limit_month(connection, "acme", Decimal("0.0001"))
    reply = patient.post(SPEECH, ASKED)
    assert (reply.status, error(reply)["code"], reply.headers["x-should-retry"]) == (429, "insufficient_quota", "false")
    assert [job["status"] for job in patient.get("/v1/jobs").json["jobs"]] == ["cancelled"]


@pytest.mark.parametrize(
    ("scope", "code", "answer"),
    [
        (GateScope.ACCOUNT, "insufficient_credits", (429, "insufficient_quota")),
        (GateScope.ACCOUNT, "spend_limit", (429, "insufficient_quota")),
        (GateScope.ACCOUNT, "bad_key", (503, "bad_key")),
        (GateScope.MODEL, "model_retired", (503, "model_retired")),
    ],
)
def test_an_account_that_cannot_pay_is_said_before_anything_is_queued(
    patient: Client, on_sqlite: Database, scope: GateScope, code: str, answer: tuple[int, str]
) -> None:
    """Waiting would not help, and neither would repeating the request."""
    model = "gemini-2.5-flash-tts" if scope is GateScope.MODEL else None
    name = f"model:{model}" if model else "account"
    with on_sqlite.begin() as connection:
        add_gate(connection, a_gate(name=name, scope=scope, model=model, code=code))
    reply = patient.post(SPEECH, ASKED)
    assert ((reply.status, error(reply)["code"]), reply.headers["x-should-retry"]) == (answer, "false")
    assert patient.get("/v1/jobs").json["jobs"] == []


def test_aac_without_its_extra_names_it(gateway: Running, client: Client) -> None:
    """Where the package is missing, the format is refused before anything is bought."""
    known = gateway.gateway.dialect
    gateway.gateway.dialect = Dialect(known.models, known.voices, has_aac=False, max_text_bytes=None)
    found = error(client.post(SPEECH, {**ASKED, "response_format": "aac"}))
    assert found["param"] == "response_format"
    assert "pip install 'ttsq[m4b]'" in found["message"]


def test_names_are_open_and_the_same_for_everybody(gateway: Running, client: Client) -> None:
    """Open WebUI reads them without its key; the models of the SDK ask for one."""
    voices = gateway.stranger.get("/openai/v1/audio/voices").json["voices"]
    assert {"id": "alloy", "name": "alloy"} in voices
    assert {"id": "Kore", "name": "Kore"} in voices
    assert {"id": "tts-1", "name": "tts-1"} in gateway.stranger.get("/openai/v1/audio/models").json["models"]
    assert gateway.stranger.get("/openai/v1/models").status == 401
    listed = client.get("/openai/v1/models").json
    assert listed["object"] == "list"
    assert all(client.get(f"/openai/v1/models/{model['id']}").json == model for model in listed["data"])


def test_another_tenants_audio_is_no_hit(gateway: Running, on_sqlite: Database) -> None:
    """A stranger's purchase is neither found nor joined."""
    with on_sqlite.begin() as connection:
        add_job(connection, tenant="globex")
    mine = gateway.client("acme").post(SPEECH, ASKED).headers["x-ttsq-job-id"]
    theirs = gateway.client("globex").post(SPEECH, ASKED).headers["x-ttsq-job-id"]
    assert mine != theirs
