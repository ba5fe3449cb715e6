"""Nothing creates files but the place that makes them private, and the few whose files are for others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]

WRITERS: Final = {
    "worker/environment/private_files.py": "the place itself",
    "worker/artifacts/folder/store.py": "audio for people follows the umask",
    "worker/artifacts/folder/history.py": "second names of that audio",
    "worker/artifacts/folder/sidecar.py": "describes that audio",
    "worker/artifacts/s3/store.py": "a download for people",
    "worker/results/files.py": "result files for people, in a temporary folder of mode 0700 first",
    "worker/schedules/query.py": "in a temporary folder of mode 0700",
    "worker/audio/rendering.py": "runs in the codec process, whose umask is 0077",
    "worker/acceptance/grammar.py": "runs in the listening process, whose umask is 0077",
    "worker/execution/listening/process.py": "opens /dev/null",
    "worker/cli/takes/timings.py": "captions for people",
    "worker/cli/lexicon/commands.py": "a lexicon for people",
    "worker/cli/lexicon/trying.py": "a sheet in a temporary folder of mode 0700",
    "worker/audio/stream_encoder.py": "encodes into memory",
    "worker/cli/script/cast.py": "a cast for people",
    "worker/cli/join.py": "captions for people",
    "worker/documents/join/recording.py": "a recording for people",
    "worker/cli/plan.py": "a sheet for people",
    "worker/cli/run/run.py": "makes the folder of the audio",
    "worker/cli/batch/download.py": "makes the folder of a download",
    "worker/segmind/spool.py": "creates with mode 0600, on a hot path",
    "worker/execution/heartbeat.py": "the health check's file has no content",
    "worker/audio/codec/process.py": "opens /dev/null",
    "worker/execution/document_recording.py": "beside the recording, in the spool's private folder",
    "worker/gateway/routes/documents.py": "in a temporary folder that is its user's alone",
    "worker/gateway/archive.py": "a member of an archive that is sent",
}
"""Modules that create files without the helper, each with its reason."""
_COPIES: Final = frozenset({"copyfile", "copy", "copy2", "copytree", "mkstemp", "makedirs", "mkdir"})


def creations(tree: ast.Module) -> Iterator[int]:
    """Lines on which a file or folder may be created."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _creates(node):
            yield node.lineno
        if isinstance(node, ast.Attribute) and node.attr == "O_CREAT":
            yield node.lineno


def _creates(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="shutil" | "os" | "tempfile"), attr=name):
            return name in _COPIES
        case ast.Attribute(attr="mkdir" | "write_text" | "write_bytes" | "touch"):
            return True
        case ast.Attribute(attr="open") | ast.Name(id="open"):
            words = [*call.args, *(one.value for one in call.keywords if one.arg == "mode")]
            return any(
                isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value[:1] in {"w", "a", "x"}
                for one in words
            )
        case _:
            return False


def test_no_other_module_creates_files_but_for_a_reason() -> None:
    """A new caller uses the helper, or says here why its file is for others."""
    found = {
        name: list(creations(ast.parse(path.read_text(encoding="utf-8"))))
        for path in ROOT.glob("worker/**/*.py")
        if (name := str(path.relative_to(ROOT)))
    }
    assert {name: lines for name, lines in found.items() if lines and name not in WRITERS} == {}


@pytest.mark.parametrize(
    "source", ["p.write_text('')", "open(p, 'w')", "p.open('ab')", "p.mkdir()", "os.open(p, os.O_CREAT)", "p.touch()"]
)
def test_each_way_of_creating_is_found(source: str) -> None:
    """The check itself."""
    assert list(creations(ast.parse(source)))
