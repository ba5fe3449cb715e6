"""The host that gets the texts and the key is named, if it is neither Segmind's nor this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.terminal import Ttsq, ttsq

__all__ = ["ttsq"]


def test_a_run_names_the_host_of_a_folders_own_settings(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent: here the folder for the audio can't be made."""
    monkeypatch.delenv("SEGMIND_BASE_URL")
    monkeypatch.delenv("SEGMIND_API_KEY")
    Path(".env").write_text("SEGMIND_BASE_URL=https://api.invalid\nSEGMIND_API_KEY=SG_0123456789abcdef\n")
    Path("texts.txt").write_text("Hello there.\n")
    Path("taken").touch()
    shown = ttsq("run", "texts.txt", "--out", "taken/out")
    assert "Calls go to https://api.invalid (SEGMIND_BASE_URL), not to Segmind." in shown.err
    assert shown.code == 2


def test_a_key_of_the_shell_does_not_go_there(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends with the host's name, before anything is read or sent."""
    monkeypatch.delenv("SEGMIND_BASE_URL")
    Path(".env").write_text("SEGMIND_BASE_URL=https://api.invalid\n")
    Path("texts.txt").write_text("Hello there.\n")
    shown = ttsq("run", "texts.txt", "--yes")
    assert shown.code == 2
    assert "names api.invalid, which gets no key from the environment" in shown.err
    assert not Path(".ttsq").exists()
