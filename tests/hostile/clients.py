"""Every HTTP client of the product, as one: an exchange for a mark, and whether it brought that mark's own answer.

Each fails by itself where anything of another exchange shows: audio, an id, a cost, a balance, a status.
"""

from __future__ import annotations

import base64
import hashlib
import json
from abc import ABC, abstractmethod
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Final

from botocore.credentials import Credentials

from api_models.speech import Speech
from tests.hostile.script import Honest
from tests.integration.segmind_clients import Notes, make_v1, make_v2
from worker.artifacts.s3.fast_put import FastPut
from worker.artifacts.s3.sigv4 import Signer
from worker.concurrency.futures import run_here
from worker.concurrency.reactor import Reactor
from worker.http_client.client import HttpClient
from worker.segmind.answers import Answer, Credits
from worker.segmind.client import Client
from worker.segmind.downloads import Downloads
from worker.segmind.spool import Draft
from worker.segmind.transport import address
from worker.segmind.verdicts import verdict
from worker.webhooks.addresses import Allowed
from worker.webhooks.sender import Sender

BOARD: Final = Reactor()


def audio_of(mark: int) -> bytes:
    """Bytes that can't be text, with the mark at both ends."""
    return b"RIFF\0\0\1%09d" % mark + bytes(range(256)) + b"%09d" % mark


def cost_of(mark: int) -> Decimal:
    """Each its own."""
    return Decimal(mark).scaleb(-9)


class Subject(ABC):
    """One client before a server."""

    buys: ClassVar[bool] = False
    """An exchange is one request that must never be repeated, and never be forgotten."""

    @abstractmethod
    def __init__(self, url: str, folder: Path, seconds: float) -> None:
        """Before the server at `url`, with that long for each phase of an exchange."""

    @staticmethod
    @abstractmethod
    def honest(mark: int, request: str) -> Honest:
        """The answer of a decent server."""

    @abstractmethod
    def exchange(self, mark: int) -> bool:
        """Whether it brought what the honest answer says."""

    @abstractmethod
    def close(self) -> None:
        """Give back the connections."""


class Buying(Subject):
    """Either way to the API."""

    buys = True
    client: Client
    _spool: Path

    def exchange(self, mark: int) -> bool:
        handle = Notes()
        answer = run_here(self.client.synthesize(Speech(text=f"text {mark}", voice_1="Puck"), self._spool, handle))
        assert answer.cost in {None, cost_of(mark)}
        assert answer.request_id in {None, str(mark)}
        assert set(handle.kept) <= {str(mark)}
        if answer.audio is None:
            self._check_flagged(answer)
            return False
        audio = answer.audio.read_bytes()
        assert audio_of(mark).startswith(audio), "audio of another exchange"
        return audio == audio_of(mark)

    def _check_flagged(self, answer: Answer) -> None:
        """Every request here was sent: without an answer that says what it cost, it may have been billed."""
        assert answer.sent
        assert (
            answer.request_id
            or answer.cost is not None
            or (answer.status or 0) >= 300
            or (verdict(answer).possibly_billed)
        ), answer

    def close(self) -> None:
        self.client.close()


class ApiV1(Buying):
    """`POST /v1`."""

    def __init__(self, url: str, folder: Path, seconds: float) -> None:
        self._spool = folder / "take"
        self.client = make_v1(url, read_timeout=seconds)

    @staticmethod
    def honest(mark: int, request: str) -> Honest:  # noqa: ARG004 - there is one request only
        headers = (("Content-Type", "audio/wav"), ("X-Cost", str(cost_of(mark))), ("X-Request-Id", str(mark)))
        return Honest(200, headers, audio_of(mark))


class ApiV2(Buying):
    """`POST /v2` and what follows."""

    def __init__(self, url: str, folder: Path, seconds: float) -> None:
        self._spool = folder / "take"
        self.client = make_v2(url, read_timeout=seconds, run_timeout=60)

    @staticmethod
    def honest(mark: int, request: str) -> Honest:
        document: dict[str, object] = {"request_id": str(mark), "status": "COMPLETED"}
        if request.startswith("POST"):
            document["status"] = "QUEUED"
        elif "/status " not in request:
            document["metrics"] = {"cost": str(cost_of(mark))}
            document["output"] = {"audio": base64.b64encode(audio_of(mark)).decode()}
        return Honest(200, (("Content-Type", "application/json"),), json.dumps(document).encode())


class Download(Subject):
    """A file that an answer links to."""

    def __init__(self, url: str, folder: Path, seconds: float) -> None:
        self._url, self._spool = url, folder / "file"
        self._downloads = Downloads(
            api=address(url),
            connections=4,
            connect_seconds=5,
            read_seconds=seconds,
            max_bytes=1_000_000,
            reactor=BOARD,
        )

    @staticmethod
    def honest(mark: int, request: str) -> Honest:  # noqa: ARG004 - there is one request only
        return Honest(200, (("Content-Type", "audio/wav"),), audio_of(mark))

    def exchange(self, mark: int) -> bool:
        with Draft(self._spool) as draft:
            draft.open(Answer())
            if self._downloads.fetch(f"{self._url}/files/{mark}", draft) is not None:
                return False
            found = draft.read(1_000)
            assert audio_of(mark).startswith(found), "a file of another exchange"
            return found == audio_of(mark)

    def close(self) -> None:
        self._downloads.close()


class AccountCredits(Subject):
    """The account's balance."""

    def __init__(self, url: str, folder: Path, seconds: float) -> None:  # noqa: ARG002 - as all others
        self._client = make_v1(url, read_timeout=seconds)

    @staticmethod
    def honest(mark: int, request: str) -> Honest:  # noqa: ARG004 - there is one request only
        return Honest(200, (("X-Request-Id", str(mark)),), json.dumps({"credits": mark, "free-credits": 0}).encode())

    def exchange(self, mark: int) -> bool:
        found = self._client.credits()
        if isinstance(found, Credits):
            assert found.total == mark, "the balance of another exchange"
            return True
        assert found.request_id in {None, str(mark)}
        assert not found.sent
        return False

    def close(self) -> None:
        self._client.close()


class S3FastPut(Subject):
    """The short way to S3. Every other object is refused."""

    def __init__(self, url: str, folder: Path, seconds: float) -> None:
        parts = address(url)
        assert parts.host is not None
        self._seconds = seconds
        self._source = folder / "source"
        self._source.write_bytes(b"sound")
        self._sha256 = hashlib.sha256(b"sound").hexdigest()
        lines = HttpClient(parts.host, parts.port, connections=4, reactor=BOARD)
        signer = Signer(Credentials("known", "known"), "eu-central-1", parts.netloc or "")
        self._lane = FastPut("/bucket/", signer, lines, most=4, answer_seconds=seconds)

    @staticmethod
    def honest(mark: int, request: str) -> Honest:  # noqa: ARG004 - there is one request only
        if mark % 2:
            return Honest(403, (), b"<Error><Code>AccessDenied</Code></Error>")
        return Honest(200, (("ETag", f'"{mark}"'),), b"<Stored/>")

    def exchange(self, mark: int) -> bool:
        extra = {"ContentType": "audio/wav", "Metadata": {}}
        size = run_here(self._lane.put(f"{mark}", self._source, sha256=self._sha256, extra=extra, most_bytes=100))
        assert size is None or not mark % 2, "a refused object counts as stored"
        return mark % 2 == 1 or size == len(b"sound")

    def close(self) -> None:
        self._lane.close()


class Webhook(Subject):
    """A message to a receiver. Every other one is refused."""

    def __init__(self, url: str, folder: Path, seconds: float) -> None:  # noqa: ARG002 - as all others
        self._url = f"{url}/hook"
        self._sender = Sender(Allowed.parse(["127.0.0.0/8"]), whole_seconds=seconds)

    @staticmethod
    def honest(mark: int, request: str) -> Honest:  # noqa: ARG004 - there is one request only
        return Honest(500 if mark % 2 else 200, (), b"mark %09d" % mark)

    def exchange(self, mark: int) -> bool:
        answer = self._sender.post(self._url, {"webhook-id": f"evt_{mark}"}, b'{"type": "job.succeeded"}')
        own = self.honest(mark, "").body.decode()
        assert answer.status in {None, 204, *range(300, 400), self.honest(mark, "").status}, (
            "the status of another exchange"
        )
        assert own.startswith(answer.body or "") or "mark" not in (answer.body or "")
        return answer.status is not None and answer.body == own

    def close(self) -> None:
        """It has none open."""


SUBJECTS: Final[tuple[type[Subject], ...]] = (ApiV1, ApiV2, Download, AccountCredits, S3FastPut, Webhook)
