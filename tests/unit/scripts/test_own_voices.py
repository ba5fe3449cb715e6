"""Casting with the voices of a model that the user added."""

from __future__ import annotations

from pathlib import Path

from tests.terminal import Ttsq, ttsq
from tests.unit.models.models_files import EXAMPLE
from worker.environment import models_file

__all__ = ["ttsq"]


def test_voices_of_an_own_model_are_suggested(ttsq: Ttsq) -> None:
    """Their characters are any words."""
    Path(".env").write_text("TTSQ_MODELS=models.toml\n", encoding="utf-8")
    Path("models.toml").write_text(EXAMPLE, encoding="utf-8")
    Path("play.txt").write_text("Cast: Ann, Ben\n\nAnn: Hello.\nBen: Good evening to you.\n", encoding="utf-8")
    shown = ttsq("cast", "suggest", "play.txt", "--model", "acme-voice", "--json")
    assert shown.code == 0, shown.err
    assert {role["voice"] for role in shown.data["cast"].values()} == {"ada", "bob"}
    Path(".env").unlink()
    models_file.install()
