"""The rules of v2 as pure functions: verdicts, stages, waits, and what a poll's error means."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from api_models.verdict import VerdictKind
from worker.concurrency.reactor import Reactor
from worker.segmind.answers import Answer, Failure
from worker.segmind.api import Api
from worker.segmind.documents import Inline, Link, find_audio, is_blank
from worker.segmind.downloads import permitted
from worker.segmind.polling import FAILURE_CAP_SECONDS, Cadence
from worker.segmind.transport import address
from worker.segmind.v2_replies import Page, Stage, metered, request_id
from worker.segmind.verdict_table import Poll, poll_refused
from worker.segmind.verdicts import verdict

URL = "https://files.example.com/take.wav"
URI = "data:audio/wav;base64," + "AAEC" * 40


@pytest.mark.parametrize("status", [None, 200, 401, 404, 422, 500])
@pytest.mark.parametrize(
    ("failure", "kind", "code", "counts", "flagged"),
    [
        (Failure.FAILED, VerdictKind.RETRY, "run_failed", True, False),
        (Failure.EXPIRED, VerdictKind.RETRY, "request_expired", True, True),
        (Failure.UNFINISHED, VerdictKind.RETRY, "run_unfinished", True, False),
        (Failure.INTERRUPTED, VerdictKind.RELEASED, "interrupted", False, False),
    ],
)
def test_rows_of_a_run(
    status: int | None, *, failure: Failure, kind: VerdictKind, code: str, counts: bool, flagged: bool
) -> None:
    """What became of a run counts, whatever the status of the reply that said so; the handle's fate is passed on."""
    for spent in (False, True):
        answer = Answer(status, failure, sent=True, message="Insufficient credits", handle_spent=spent)
        found = verdict(answer)
        assert (found.kind, found.code, found.counts) == (kind, code, counts)
        assert (found.possibly_billed, found.handle_spent) == (flagged, spent)


@given(st.integers(-1, 1_000) | st.none())
def test_a_polls_error_never_fails_the_job(status: int | None) -> None:
    """Whatever a poll answers, the request was taken: polls go on, the record is gone, or a gate closes."""
    if poll_refused(status) is Poll.STOP:
        assert verdict(Answer(status)).kind is VerdictKind.GATE


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((404, 410), Poll.GONE),
        ((401, 402, 403, 406, 301, 302, 307), Poll.STOP),
        ((400, 405, 408, 418, 422, 425, 429, 500, 502, 503, 504, 524, None), Poll.AGAIN),
    ],
)
def test_errors_of_polls(statuses: tuple[int | None, ...], expected: Poll) -> None:
    """Each status has its meaning on a poll."""
    assert {poll_refused(status) for status in statuses} == {expected}


def page(status: int, document: object, body: bytes = b"x") -> Page:
    """A reply."""
    return Page(Answer(status), body, document)


@pytest.mark.parametrize(
    ("status", "document", "stage"),
    [
        (200, {"status": "QUEUED"}, Stage.RUNNING),
        (200, {"status": "PROCESSING", "output": URL}, Stage.RUNNING),
        (200, {"status": " completed "}, Stage.COMPLETED),
        (500, {"status": "COMPLETED"}, Stage.COMPLETED),
        (422, {"status": "FAILED"}, Stage.FAILED),
        (200, {"status": "FAILED"}, Stage.FAILED),
        (200, {"status": "SUCCESS", "output": URL}, Stage.RUNNING),
        (200, {"status": 3, "output": URL}, Stage.RUNNING),
        (200, {"output": URL}, Stage.COMPLETED),
        (200, {"output": "prose"}, Stage.RUNNING),
        (200, {}, Stage.RUNNING),
        (200, "<html>", Stage.RUNNING),
        (200, None, Stage.COMPLETED),
        (404, {"status": "not found"}, Stage.REFUSED),
        (404, None, Stage.REFUSED),
        (500, {"output": URL}, Stage.REFUSED),
    ],
)
def test_stages(status: int, document: object, stage: Stage) -> None:
    """The vendor's own words count under any status; other words end nothing."""
    assert page(status, document).stage is stage


@pytest.mark.parametrize(
    "nothing", [None, "", [], {}, {"output": None}, {"output": [" ", {}]}, {"status": "COMPLETED"}]
)
def test_blank(nothing: object) -> None:
    """Nothing where audio would be."""
    assert is_blank(nothing)
    assert not is_blank({"output": [nothing, "prose"]})


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"output": URL, "audio": {"url": URL, "file_size": 77}}, Link(URL, 77)),
        ({"audio": [{"url": URL, "file_size": 77}]}, Link(URL, 77)),
        ({"output": {"audio": {"url": URL, "file_size": "77"}}}, Link(URL)),
        ({"output": {"url": URL, "file_size": -1}}, Link(URL, -1)),
        ({"output": json.dumps([URL])}, Link(URL)),
        ({"output": json.dumps({"audio": {"url": URL, "file_size": 5}})}, Link(URL, 5)),
        ({"output": json.dumps(json.dumps([URL]))}, None),
        ({"output": "{not json"}, None),
        ({"output": json.dumps([{"audio": URI}])}, Inline("AAEC" * 40)),
    ],
)
def test_outputs(document: object, found: Link | Inline | None) -> None:
    """A described file brings its size along; JSON may be written into a string."""
    assert find_audio(document) == found


@pytest.mark.parametrize(
    ("named", "expected"),
    [("r-1", "r-1"), (7, "7"), (None, None), ("", None), (True, None), ("a b", None), ("a\nb", None), ("ä", None)],
)
def test_request_ids(named: object, expected: str | None) -> None:
    """Visible characters, or a number."""
    assert (request_id({"request_id": named}) or None) == expected


def test_metrics_come_before_headers() -> None:
    """What the body says of the run is the run's; headers fill the gaps; a header's id is no handle."""
    answer = Answer(200, cost=Decimal(1), remaining_credits=Decimal(2), request_id="from-a-header")
    document = {"metrics": {"cost": Decimal("0.0067"), "inference_time": 7}}
    found = metered(answer, document)
    assert (found.cost, found.remaining_credits, found.generation_seconds) == (Decimal("0.0067"), Decimal(2), 7.0)
    assert found.request_id is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers())
def test_waits_stay_within_their_bounds(polls: int, troubles: int, seed: int) -> None:
    """Never shorter than the first wait, never longer than the steady one plus the maximum that errors add."""
    wait = Cadence(2.0, 5.0).wait(polls, troubles, random.Random(seed))
    assert 2.0 <= wait <= 5.0 + (FAILURE_CAP_SECONDS if troubles else 0.0)


def test_waits_grow() -> None:
    """2, 3, 4.5, then 5 seconds."""
    waits = [Cadence(2.0, 5.0).wait(polls, 0, random.Random(1)) for polls in range(6)]
    assert waits == [2.0, 3.0, 4.5, 5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("https://api.segmind.com/v2/requests/1/status?x=1", "/v2/requests/1/status?x=1"),
        ("https://api.segmind.com:443/a", "/a"),
        ("HTTPS://API.SEGMIND.COM/a", "/a"),
        ("http://api.segmind.com/a", None),
        ("https://api.segmind.com:8443/a", None),
        ("https://api.segmind.com.example.com/a", None),
        ("https://api.segmind.com@example.com/a", None),
        ("https://key@api.segmind.com/a", None),
        ("//api.segmind.com/a", None),
        ("/a", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_the_apis_own_addresses(link: object, target: str | None) -> None:
    """Same scheme, host and port, and no login: only there does the key go."""
    api = Api(
        base_url="https://api.segmind.com",
        api_key=SecretStr("SG_0123456789abcdef"),
        connections=1,
        connect_timeout=1,
        read_timeout=1,
        reactor=Reactor(),
    )
    assert api.own_target(link) == target


@pytest.mark.parametrize(
    ("source", "api", "expected"),
    [
        ("http://localhost:8080/files/take.wav", "http://127.0.0.1:8080", True),
        ("http://127.0.0.1:9090/files/take.wav", "http://localhost:8080", True),
        ("http://[::1]:8080/files/take.wav", "http://localhost:8080", True),
        ("http://localhost:8080/files/take.wav", "https://api.segmind.com", False),
        ("http://localhost/take.wav", "https://127.0.0.1", False),
        ("https://localhost/take.wav", "http://127.0.0.1:8080", False),
        ("http://10.0.0.7/take.wav", "http://127.0.0.1:8080", False),
        ("http://localhost/take.wav", "http://10.0.0.7", False),
    ],
)
def test_a_rehearsals_files(source: str, api: str, expected: bool) -> None:
    """A rehearsal on this machine may keep its files under another of its names; nothing real may."""
    assert permitted(address(source), address(api)) is expected
