"""`ttsq verify`: whether a file is the audio that its provenance and the ledger describe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.text import Text

from api_models.hints import quoted
from api_models.speech_model import DECIMAL_PLACES
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.exits import Exit
from worker.cli.console.terminal import Terminal
from worker.execution.provenance import FORMAT, SUFFIX, text_sha256
from worker.store.queries import jobs
from worker.store.queries.jobs import JobRecord

MAX_SIDE_FILE_BYTES: Final = 1_000_000
_BLOCK: Final = 1 << 20
_SECTIONS: Final = ("job", "text", "audio", "call")


class UnusableProvenanceError(CliError):
    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path}: {problem}",
            f"runs with --provenance write FILE{SUFFIX}; name another one with --provenance",
        )


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    expected: str
    found: str | None
    """None: could not be compared, and is no difference."""

    @property
    def state(self) -> str:
        if self.found is None:
            return "unknown"
        return "same" if self.found == self.expected else "different"


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The audio.")],
    provenance: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="Its provenance.", show_default=f"FILE{SUFFIX}"),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Compare with the provenance alone, without the ledger.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check that FILE is the audio that its provenance and the ledger describe.

    Exits with 1 if anything differs.
    """
    terminal = Terminal(as_json=as_json)
    side = provenance or file.with_name(file.name + SUFFIX)
    sha256, size = _digest(file)
    claimed = _read(side)
    checks = [*_of_file(claimed, sha256, size)]
    if not offline:
        checks += _of_ledger(terminal, claimed)
    differs = any(check.state == "different" for check in checks)
    terminal.data(
        {
            "ok": not differs,
            "file": str(file),
            "sha256": sha256,
            "job": claimed["job"].get("id"),
            "checks": [
                {"name": check.name, "state": check.state, "expected": check.expected, "found": check.found}
                for check in checks
            ],
        }
    )
    if not as_json:
        _show(terminal, file, checks, offline=offline)
    return Exit.SOME_FAILED if differs else Exit.DONE


def _digest(file: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    try:
        if file.exists() and not file.is_file():
            raise CliError(f"{file} is not a file", "name the audio")
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise CliError(f"{file}: {error.strerror or error}", "name the audio") from None
    return digest.hexdigest(), size


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():
            raise UnusableProvenanceError(path, "is not a file")
        with path.open("rb") as stream:
            content = stream.read(MAX_SIDE_FILE_BYTES + 1)
    except OSError as error:
        raise UnusableProvenanceError(path, error.strerror or str(error)) from None
    if len(content) > MAX_SIDE_FILE_BYTES:
        raise UnusableProvenanceError(path, f"is larger than {MAX_SIDE_FILE_BYTES:,} bytes")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise UnusableProvenanceError(path, "is not JSON") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        given = quoted(str(found.get("format"))) if isinstance(found, dict) else "no object"
        raise UnusableProvenanceError(path, f"is not a provenance of this version ({given}; known: {FORMAT})")
    if missing := next((name for name in _SECTIONS if not isinstance(found.get(name), dict)), None):
        raise UnusableProvenanceError(path, f"{missing}: is missing, or not an object")
    return found


def _of_file(claimed: Mapping[str, Any], sha256: str, size: int) -> Iterator[Check]:
    yield Check("bytes", str(claimed["audio"].get("bytes")), str(size))
    yield Check("sha256", str(claimed["audio"].get("sha256")), sha256)


def _of_ledger(terminal: Terminal, claimed: Mapping[str, Any]) -> Iterator[Check]:
    job_id = _uuid(claimed["job"].get("id"))
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.read() as connection:
        found = [] if job_id is None else jobs.by_id_prefix(connection, str(job_id), most=1)
        record = found[0] if found else None
        attempts = {} if record is None else {one.number: one for one in jobs.attempts(connection, record.id)}
    if record is None:
        yield Check("job", quoted(str(claimed["job"].get("id"))), "not in this queue")
        return
    yield from _of_job(claimed, record)
    call = claimed["call"]
    attempt = attempts.get(call.get("attempt"))
    yield Check("cost", _amount(call.get("cost")), None if attempt is None else _amount(attempt.cost))


def _of_job(claimed: Mapping[str, Any], record: JobRecord) -> Iterator[Check]:
    audio, text = claimed["audio"], claimed["text"]
    yield Check("ledger: sha256", str(audio.get("sha256")), record.sha256)
    yield Check("ledger: bytes", str(audio.get("bytes")), _shown(record.audio_bytes))
    yield Check("ledger: text", str(text.get("sha256")), None if record.purged_at else text_sha256(record.text))
    yield Check("ledger: model", str(claimed.get("model")), record.model)
    voices = [voice for voice in (record.voice_1, record.voice_2) if voice is not None]
    yield Check("ledger: voices", _listed(claimed.get("voices")), _listed(voices))


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _shown(value: int | None) -> str | None:
    return None if value is None else str(value)


def _amount(value: object) -> str:
    try:
        return f"{round(Decimal(str(value)), DECIMAL_PLACES).normalize():f}"
    except (InvalidOperation, ValueError):
        return str(value)


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _show(terminal: Terminal, file: Path, checks: list[Check], *, offline: bool) -> None:
    different = [check for check in checks if check.state == "different"]
    for check in different:
        expected, found = f"expected {check.expected}", f"found {check.found}"
        terminal.result(Text.assemble(("✗ ", "bold red"), f"{check.name}: {expected}, {found}"))
    for check in checks:
        if check.state == "unknown":
            terminal.note(f"{check.name}: not compared, because the ledger no longer has it", style="dim")
    if not different:
        source = "its provenance" if offline else "its provenance and the ledger"
        terminal.result(Text.assemble(("✓ ", "green"), f"{file} is the audio that {source} describe{'s' * offline}"))
