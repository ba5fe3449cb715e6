"""Outputs of v2 in every shape, and their cost."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from pathlib import Path

import pytest

from api_models.verdict import VerdictKind
from tests.integration.segmind.v2.scripted import (
    COMPLETED,
    OUTPUT,
    PCM,
    PRICE,
    PROCESSING,
    QUEUED,
    SPEECH,
    URI,
    bare,
    page,
    paths,
)
from tests.integration.segmind_clients import KEY, Notes, make_v2
from tests.servers.bare import BareServer, reply
from worker.concurrency.futures import run_here
from worker.emulator.api.responses import OutputShape
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Step, Take
from worker.emulator.server import Emulator
from worker.segmind.answers import Answer, Failure
from worker.segmind.v2 import ClientV2
from worker.segmind.verdicts import bad_take, verdict


class TestOutput:
    """What a completed run hands over."""

    @pytest.mark.parametrize("host", [None, "localhost"])
    @pytest.mark.parametrize("shape", OutputShape)
    def test_every_shape(self, spool: Path, shape: OutputShape, host: str | None) -> None:
        """Address, list, object, described file, data URI, base64; a file on another host comes without the key."""
        with Emulator(EmulatorConfig(key=KEY, output=shape, files_host=host)) as emulator:
            with contextlib.closing(make_v2(emulator.base_url)) as client:
                answer = run_here(client.synthesize(SPEECH, spool))
            state = emulator.state()
        inline = shape in {OutputShape.DATA_URI, OutputShape.BASE64}
        assert (answer.failure, answer.audio, answer.size) == (None, spool, spool.stat().st_size)
        assert spool.read_bytes()[:4] == b"RIFF"
        assert (state.files, state.files_with_key) == (0 if inline else 1, 0)

    @pytest.mark.parametrize(
        "output",
        [
            URI,
            [URI],
            {"audio": URI},
            [{"url": URI}],
            json.dumps([{"audio": URI}]),
            json.dumps({"output": {"url": URI}}),
        ],
    )
    def test_output_within_output(self, spool: Path, output: object) -> None:
        """Lists and objects in each other, and JSON written into a string."""
        with bare(QUEUED, COMPLETED, page(status="COMPLETED", error=None, output=output)) as (client, _):
            assert run_here(client.synthesize(SPEECH, spool)).size == 120

    def test_a_result_that_is_the_audio_itself(self, spool: Path) -> None:
        """The result's address may lead to the file."""
        with bare(QUEUED, COMPLETED, reply("200 OK", PCM)) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.size, answer.generation_seconds) == (100, 7.5)

    def test_metrics_are_exact_and_put_together(self, spool: Path) -> None:
        """Cost and balance are read to the last digit, from whichever page has them."""
        head = b'{"status": "COMPLETED", "metrics": {"cost": 0.00670000000000000000000001, "inference_time": 7.25}}'
        tail = b'{"status": "COMPLETED", "output": "%s", "metrics": {"remaining_credits": 12.10}}' % URI.encode()
        with bare(QUEUED, reply("200 OK", head), reply("200 OK", tail)) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert answer.cost == Decimal("0.00670000000000000000000001")
        assert str(answer.remaining_credits) == "12.10"
        assert answer.generation_seconds == 7.25

    @pytest.mark.parametrize("cost", ["NaN", "-1", '"much"', "null", "[1]", "true", "Infinity", "1e999999"])
    def test_senseless_metrics_are_none(self, spool: Path, cost: str) -> None:
        """A cost that is no amount is no cost."""
        body = f'{{"status": "COMPLETED", "output": "{URI}", "metrics": {{"cost": {cost}}}}}'
        with bare(QUEUED, reply("200 OK", body.encode())) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.audio, answer.cost) == (spool, None)

    def test_a_header_counts_if_the_metrics_have_no_cost(self, spool: Path) -> None:
        """An amount may come as v1 sends it."""
        body = json.dumps({"status": "COMPLETED", "output": URI, "metrics": {}}).encode()
        with bare(QUEUED, reply("200 OK", body, "x-cost: 0.0067", "x-request-id: other")) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.cost, answer.request_id) == (PRICE, "r-1")

    def test_a_result_that_lags_is_polled_for(self, spool: Path) -> None:
        """A result that isn't there yet, or can't be had, is asked for again."""
        error = page("500 Internal Server Error", error="x")
        cut = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n{"
        replies = [QUEUED, COMPLETED, PROCESSING, error, cut, OUTPUT]
        with bare(*replies) as (client, server):
            assert run_here(client.synthesize(SPEECH, spool)).audio == spool
        assert sum(path.startswith("POST") for path in paths(server)) == 1

    @pytest.mark.parametrize("output", [None, "", [], {}, [""], {"url": None}, "  "])
    def test_no_output_is_a_bad_take(self, spool: Path, output: object) -> None:
        """Nothing to be had: another take must be bought."""
        with bare(QUEUED, COMPLETED, page(status="COMPLETED", output=output, metrics={"cost": 0.0067})) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.status, answer.failure, answer.cost) == (200, Failure.EMPTY, PRICE)
        assert (verdict(answer).kind, answer.handle_spent) == (VerdictKind.BAD_TAKE, True)
        assert not list(spool.parent.iterdir())

    def test_an_error_where_the_output_should_be(self, client: ClientV2, emulator: Emulator, spool: Path) -> None:
        """A completed run without output was billed; its words are kept."""
        emulator.admin.rules([Rule(effect=Effect(take=Take.JSON_ERROR, message="the tape ran out"))])
        answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.failure, answer.message, answer.cost) == (Failure.RUN_FAILED, "the tape ran out", PRICE)

    @pytest.mark.parametrize("output", ["see the attached file", {"text": "hello", "url": "gs://x/y"}, ["spoken"]])
    def test_output_that_cant_be_read_is_not_bought_again(self, spool: Path, output: object) -> None:
        """It may be this program's fault: the next attempt looks at the same output again."""
        with bare(QUEUED, COMPLETED, page(status="COMPLETED", output=output)) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.failure, verdict(answer).code) == (Failure.UNREADABLE, "unreadable_answer")
        assert (answer.handle_spent, answer.cost) == (False, None)

    def test_output_over_the_cap(self, spool: Path) -> None:
        """A result over the cap isn't read to its end; another take may be smaller."""
        large = page(status="COMPLETED", output="data:audio/wav;base64," + "AAEC" * 100_000)
        with bare(QUEUED, COMPLETED, large, max_audio_bytes=100_000) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool, Notes()))
        assert (answer.failure, answer.handle_spent, answer.request_id) == (Failure.TOO_LARGE, True, "r-1")
        assert verdict(answer).kind is VerdictKind.BAD_TAKE

    @pytest.mark.parametrize(("said", "whole"), [(77, True), (76, True), (78, False), (0, True), ("77", True)])
    def test_a_file_is_held_against_its_size(self, spool: Path, said: object, whole: bool) -> None:
        """Less than the API named was cut off, even without a length; it is tried again, and then given up."""
        unmeasured = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"\x00" * 77
        with BareServer([unmeasured] * 3) as files:
            audio = {"url": f"{files.base_url}/take.wav", "content_type": "audio/wav", "file_size": said}
            result = page(status="COMPLETED", output=audio["url"], audio=audio)
            with bare(QUEUED, COMPLETED, result) as (client, _):
                answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.audio is not None) is whole
        assert len(files.requests) == (1 if whole else 3)
        if not whole:
            assert (answer.failure, answer.handle_spent) == (Failure.UNREADABLE, True)
            assert "77 bytes where the API named 78" in answer.message

    @pytest.mark.parametrize(("status", "spent"), [(404, True), (403, True), (503, False), (429, False), (302, False)])
    def test_a_file_that_cant_be_had(self, spool: Path, status: int, spent: bool) -> None:
        """A file that is gone is bought again; one that may come back is asked for by the next attempt."""
        gone = reply(f"{status} X", b"", "Connection: close")
        with BareServer([gone] * 3) as files:
            result = page(status="COMPLETED", output=f"{files.base_url}/take.wav?signature=hidden")
            with bare(QUEUED, COMPLETED, result) as (client, _):
                answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.failure, answer.handle_spent) == (Failure.UNREADABLE, spent)
        assert (verdict(answer).kind, verdict(answer).handle_spent) == (VerdictKind.RETRY, spent)
        assert "hidden" not in answer.message

    def test_a_file_on_a_shaky_host_comes_by_the_same_handle(
        self, client: ClientV2, emulator: Emulator, spool: Path
    ) -> None:
        """Nothing is paid again for a file that couldn't be fetched at first."""
        emulator.admin.rules([Rule(match=Match(step=Step.FILE), effect=Effect(status=503), times=4)])
        notes = Notes()
        assert run_here(client.synthesize(SPEECH, spool, notes)).failure is Failure.UNREADABLE
        assert run_here(client.synthesize(SPEECH, spool, notes)).audio == spool
        assert (emulator.state().submits, emulator.state().files) == (1, 5)

    @pytest.mark.parametrize(
        "url",
        [
            "http://files.example.com/take.wav",
            "https://user:secret@files.example.com/take.wav",
            "https://10.0.0.7/take.wav",
            "https://169.254.169.254/latest/meta-data",
            "https://localhost/take.wav",
        ],
    )
    def test_strange_addresses_are_not_fetched(self, spool: Path, url: str) -> None:
        """By https from the public network, or from the API's own machine; nothing is paid again for such a one."""
        with bare(QUEUED, COMPLETED, page(status="COMPLETED", audio={"url": url})) as (client, _):
            answer = run_here(client.synthesize(SPEECH, spool))
        assert (answer.failure, answer.handle_spent) == (Failure.UNREADABLE, False)
        assert "is not fetched" in answer.message
        assert "secret" not in answer.message

    def test_a_refused_take_needs_another(self) -> None:
        """Audio that was measured and not accepted would be the same again under the same handle."""
        assert bad_take(Answer(200, request_id="r-1"), "silence").handle_spent is True
