"""Workers that differ from the others in what must be alike are named, and decide nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from tests.factories import NOW
from tests.unit.models.models_files import EXAMPLE
from worker import settings as app_settings
from worker.process import peers
from worker.process.identity import ALIKE, KEY, _name, identity
from worker.store.workers import Identity, Member


def member(age: int = 0, **values: Any) -> Member:  # noqa: ANN401 - any setting, by its environment name
    """A worker with these settings; the older ones have run longer."""
    values = {"SEGMIND_API_KEY": "SG_0123456789abcdef"} | values
    own = values.pop("identity", None) or identity(app_settings.load(**values))
    started_at = NOW - timedelta(hours=age)
    return Member(uuid7(), f"host-{age}", 1, "ttsq", 100, NOW, False, None, started_at, own)  # noqa: FBT003 - a row


def test_like_workers_have_nothing_to_report() -> None:
    """Slots, spools and addresses of services may be each host's own."""
    alike = [member(1), member(2, TTSQ_CONCURRENCY=7, TTSQ_SPOOL_DIR="/elsewhere", TTSQ_GRACE_SECONDS=5)]
    assert peers.differences(alike) == {}
    assert peers.differences([]) == {}


@pytest.mark.parametrize(
    "setting",
    [
        {"SEGMIND_RPM": "60"},
        {"SEGMIND_API": "v2"},
        {"SEGMIND_BASE_URL": "https://api.other.example"},
        {"TTSQ_ARTIFACTS_URL": "s3://another/prefix"},
        {"TTSQ_MAX_ATTEMPTS": "9"},
        {"TTSQ_SHARE_CACHE": "all"},
        {"SEGMIND_API_KEY": "SG_fedcba9876543210"},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_the_odd_one_of_three_is_named(setting: dict[str, str]) -> None:
    """With the setting that differs, though it has run for longest."""
    odd = member(9, **setting)
    members = [member(1), odd, member(2)]
    assert peers.differences(members) == {odd.id: list(setting)}
    [sentence] = peers.describe(members)
    assert "host-9" in sentence
    assert next(iter(setting)) in sentence


def test_of_two_the_longer_running_one_is_right() -> None:
    """A host that is added with another rate differs, not the one that was there."""
    old, new = member(5), member(0, SEGMIND_RPM="60")
    assert peers.differences([new, old]) == {new.id: ["SEGMIND_RPM"]}


def test_a_worker_of_an_older_version_is_odd() -> None:
    """It records nothing of itself; what it does not record is not compared."""
    older = member(1, identity=Identity())
    assert peers.differences([member(2), member(3), older]) == {older.id: [KEY, peers.VERSION]}


def test_no_key_and_no_value_is_in_a_row() -> None:
    """Digests only, of the same number of digits."""
    key = "SG_0123456789abcdef"
    own = identity(app_settings.load(SEGMIND_API_KEY=key, TTSQ_ARTIFACTS_URL="s3://secret-bucket"))
    assert key not in repr(own)
    assert "secret-bucket" not in repr(own)
    assert json.loads(own.settings or "").keys() - {"TTSQ_MODELS"} == {_name(field) for field in ALIKE}


def test_silent_and_stopping_workers_are_not_compared() -> None:
    """A worker that is about to leave decides nothing any more."""
    gone = member(1, SEGMIND_RPM="60")
    assert peers.alive([gone], NOW + timedelta(seconds=60)) == []
    assert peers.alive([gone], NOW) == [gone]


def test_other_models_are_told_apart_by_content() -> None:
    """Wherever the file lies: a worker with other parameters or prices would buy other audio."""
    written = {"a.toml": EXAMPLE, "b.toml": EXAMPLE, "c.toml": EXAMPLE.replace("Calm", "Loud"), "": None}
    digests = {}
    for file, text in written.items():
        if text is not None:
            Path(file).write_text(text, encoding="utf-8")
        own = identity(app_settings.load(TTSQ_MODELS=file or None))
        digests[file] = json.loads(own.settings or "")["TTSQ_MODELS"]
    assert digests["a.toml"] == digests["b.toml"]
    assert len(set(digests.values())) == 3
