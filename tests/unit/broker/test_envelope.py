"""No queue entry reaches Celery but in a form of our own making; all others are refused with a reason."""

from __future__ import annotations

import bz2
import gzip
import json
import random
import tracemalloc
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from tests import malformed_messages
from tests.malformed_messages import ID, attempt, message, packed, raw, submit, with_
from worker.broker import envelope
from worker.broker.envelope import DECODED, INSTALLATION
from worker.broker.messages import AttemptMessage
from worker.process.dropped_messages import UnusableMessageError

EXAMPLES = 4


def read(entry: bytes) -> envelope.Entry:
    """As a worker of the installation `mine` does."""
    return envelope.read(entry, installation="mine")


def refusal(entry: bytes) -> UnusableMessageError | None:
    """Why the entry is dropped; None if it is read. Any other error is a failure."""
    try:
        read(entry)
    except UnusableMessageError as error:
        return error
    return None


def test_every_malformed_shape_is_refused_with_a_reason(tmp_path: Path) -> None:
    """Whatever it is: one kind of error, a short printable explanation, and nothing was unpickled."""
    mark = tmp_path / "unpickled"
    made = malformed_messages.shapes(mark)
    assert len(made) >= 70
    for name, make in made.items():
        for seed in range(EXAMPLES):
            error = refusal(make(random.Random(seed)))
            assert error is not None, f"{name} was taken"
            assert error.reason.isidentifier(), name
            assert error.detail.isprintable(), name
            assert len(error.detail) < 300, name
    assert not mark.exists()


def test_a_field_of_any_value_is_read_or_refused_and_never_crashes() -> None:
    """Each field at each level missing, or of another type; what is read is in the form that Celery expects."""
    outcomes = {"read": 0, "refused": 0}
    for name, entry in malformed_messages.mutations():
        try:
            found = read(entry)
        except UnusableMessageError:
            outcomes["refused"] += 1
            continue
        outcomes["read"] += 1
        made = found.for_celery("ours")
        content = json.loads(made["body"])
        assert [type(part) for part in content] == [list, dict, dict], name
        assert made["headers"]["eta"] is made["headers"]["expires"] is None, name
        assert made["properties"]["delivery_info"] == {"exchange": "", "routing_key": "ours"}, name
    assert min(outcomes.values()) > 100


def test_a_good_message_is_decoded_once() -> None:
    """The consumer finds the job and the number beside the body."""
    made = read(raw(attempt(args=[ID, 3]))).for_celery("ours")
    assert made["properties"][DECODED] == AttemptMessage(UUID(ID), 3)
    assert made["headers"]["task"] == "ttsq.attempt"


def test_delivery_tags_are_our_own() -> None:
    """Entries with one tag, as copies of a message have, would release each other's slot."""
    copied = raw(attempt())
    tags = {read(copied).for_celery("ours")["properties"]["delivery_tag"] for _ in range(10)}
    assert len(tags) == 10


@pytest.mark.parametrize("encoding", ["base64", None])
@pytest.mark.parametrize("compression", [None, "application/x-gzip"])
def test_other_clients_ways_of_packing_are_read(encoding: str | None, compression: str | None) -> None:
    """A Celery client may compress the body, or send it as it is."""
    document = submit(kwargs={"tenant": "shop"})
    body = json.dumps([[{"text": "Hello."}], {"tenant": "shop"}, {}]).encode()
    if compression:
        body, encoding = gzip.compress(body), "base64"
        document["headers"]["compression"] = compression
    document["body"] = b64encode(body).decode() if encoding else body.decode()
    document["properties"]["body_encoding"] = encoding
    found = read(raw(document))
    assert (found.args, found.kwargs) == ([{"text": "Hello."}], {"tenant": "shop"})


@pytest.mark.parametrize(
    ("compress", "name"),
    [(zlib.compress, "zlib"), (gzip.compress, "application/x-gzip"), (bz2.compress, "application/x-bz2")],
)
def test_a_bomb_is_refused_without_being_unpacked(compress: Callable[[bytes], bytes], name: str) -> None:
    """Some kilobytes that stand for 32 MB take the memory of one entry, whatever they are packed by."""
    document = attempt()
    document["body"] = b64encode(compress(bytes(32 << 20))).decode()
    document["headers"]["compression"] = name
    entry = raw(document)
    tracemalloc.start()
    try:
        error = refusal(entry)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error is not None
    assert error.reason == "too_large"
    assert peak < 8 * envelope.MAX_BYTES


def test_the_first_protocol_of_celery_is_read() -> None:
    """Its body names the task, and its headers are empty."""
    content: dict[str, object] = {
        "task": "ttsq.submit",
        "id": ID,
        "args": [{"text": "Hello."}],
        "kwargs": {},
        "eta": None,
        "retries": 2,
    }
    found = read(raw({**submit(), "headers": {}, "body": packed(content)}))
    assert (found.task, found.id, found.args, found.retries) == ("ttsq.submit", ID, [{"text": "Hello."}], 2)


def test_a_producers_request_is_told_of_its_refusal() -> None:
    """The id of the request goes with the error wherever it can be read, and nothing else's does."""
    with_eta = submit()
    with_eta["headers"].update(id="order-17", eta="2030-01-01T00:00:00+00:00")
    for entry, told in (
        (raw(with_eta), "order-17"),
        (with_(with_eta, "content-type", value="application/x-python-serialize"), "order-17"),
        (with_(with_eta, "headers", "id", value=5), None),
        (with_(attempt(), "headers", "eta", value="2030-01-01T00:00:00+00:00"), None),
    ):
        with pytest.raises(UnusableMessageError) as caught:
            read(entry)
        assert caught.value.submission == told


def test_a_message_for_another_installation_is_not_ours() -> None:
    """It is dropped, without an event: its producer looks in the other installation."""
    for document in (attempt(), submit()):
        read(with_(document, "headers", INSTALLATION, value="mine"))
        with pytest.raises(UnusableMessageError) as caught:
            read(with_(document, "headers", INSTALLATION, value="theirs"))
        assert (caught.value.reason, caught.value.submission) == ("other_installation", None)


def test_messages_of_every_task_are_read() -> None:
    """Those that workers send each other, with the arguments that they send."""
    for task, args in {
        "ttsq.deliver": [ID, 2],
        "ttsq.finish": [ID],
        "ttsq.schedule": ["default", "nightly", malformed_messages.TIME],
    }.items():
        assert read(raw(message(task, args=args))).args == args


def test_an_entry_of_more_than_a_megabyte_is_not_parsed() -> None:
    """Whatever it holds."""
    with pytest.raises(UnusableMessageError) as refused:
        envelope.read(b" " * (envelope.MAX_BYTES + 1), installation=None)
    assert refused.value.reason == "too_large"
