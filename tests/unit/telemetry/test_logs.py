"""Log events: no secret in any value, and no foreign text that commands a terminal or looks like an event."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from worker import settings
from worker.telemetry import logs

KEY = "a-key-of-any-shape"
PASSWORD = "a#broker-password"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Other tests keep their configuration of logs."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        if isinstance(handler, logging.StreamHandler):
            handler.stream.close()
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


def written(log_format: str, tmp_path: Path) -> str:
    """What one event of ours and one of a library leave in the log file."""
    chosen = settings.load(
        SEGMIND_API_KEY=KEY, TTSQ_LOG_FORMAT=log_format, TTSQ_BROKER_URL="redis://:a%23broker-password@h/0"
    )
    file = tmp_path / "folder" / "log"
    logs.configure(chosen, file)
    log = structlog.get_logger("ttsq.test")
    log.info("happened", error=ValueError(f"bad {KEY}"), listed=[{"a": PASSWORD}], name="\x1b]0;x\x07\u202e\nx=1")
    try:
        raise ValueError(f"\x1b[31m{KEY}")
    except ValueError:
        log.exception("crashed")
    logging.getLogger("library").warning("redis://u:other@h \x9b31m\n2026 [info] forged")
    for handler in logging.getLogger().handlers:
        handler.flush()
    return file.read_text()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_is_in_any_value(log_format: str, tmp_path: Path) -> None:
    """Nested, in exceptions, in tracebacks, in addresses of libraries."""
    text = written(log_format, tmp_path)
    assert "happened" in text
    assert "crashed" in text
    assert "library" in text or "forged" in text
    for secret in (KEY, PASSWORD, "other@"):
        assert secret not in text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_control_character_is_in_any_line(log_format: str, tmp_path: Path) -> None:
    """Line feeds separate events, and lines of a traceback."""
    text = written(log_format, tmp_path)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert not any(line.startswith(("x=1", "2026 [info] forged")) for line in text.splitlines())


def test_json_has_one_event_a_line(tmp_path: Path) -> None:
    """Each with its level and time."""
    events = [json.loads(line) for line in written("json", tmp_path).splitlines()]
    assert [event["level"] for event in events] == ["info", "error", "warning"]
    assert all(event["timestamp"].endswith("Z") for event in events)


def test_an_exit_message_is_safe() -> None:
    """The worker's last words quote settings and errors."""
    with pytest.raises(SystemExit) as ended:
        logs.exit_with(f"\x1b]0;x\x07 {KEY} redis://:secret@h", KEY)
    assert ended.value.code == r"\x1b]0;x\x07 *** redis://:***@h"
