"""Casting with the voices of a model that the user added."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.terminal import Ttsq, ttsq
from tests.unit.models.models_files import EXAMPLE
from worker.environment import models_file
from worker.scripts.cast.cast import assign, cast_of
from worker.scripts.plan import plan
from worker.scripts.readers.files import read_script

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


@pytest.mark.usefixtures("ttsq")
def test_directions_are_written_in_the_models_own_dialect() -> None:
    """In angle brackets where it reads those, and not at all where it would read them aloud."""
    Path(".env").write_text("TTSQ_MODELS=models.toml\n", encoding="utf-8")
    Path("play.txt").write_text("Cast: Ann\n\nAnn (sad): Hello [sigh] there.\n", encoding="utf-8")
    cast = {"Ann": {"voice": "ada", "model": "acme-voice", "style": "slow"}}
    said = {}
    for tags in ("square", "angle", "none"):
        content = re.sub(r'^tags = "\w+"', f'tags = "{tags}"', EXAMPLE, flags=re.MULTILINE)
        Path("models.toml").write_text(content, encoding="utf-8")
        models_file.install()
        made = plan(assign(read_script(Path("play.txt")), cast_of(cast, "cast"), "play.txt"))
        said[tags] = made.parts[0].spoken
    Path(".env").unlink()
    models_file.install()
    assert said["square"] == "[slow] [sad] Hello [sigh] there."
    assert said["angle"] == "<slow> <sad> Hello <sigh> there."
    assert said["none"].removeprefix("Say in this style (slow): ") == "Hello there."
