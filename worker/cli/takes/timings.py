"""`ttsq takes timings`: the times stored beside a job's audio, or else those measured of it now."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from api_models.timings import Timings, TimingsFormat
from worker.artifacts.errors import ArtifactsError
from worker.audio.codec.pool import CodecPool
from worker.audio.errors import BadAudioError
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.terminal import Terminal
from worker.documents.captions.sidecars import rendered
from worker.documents.captions.timeline import Timeline
from worker.documents.errors import DocumentError
from worker.execution import timings
from worker.execution.aligner import Aligner
from worker.execution.destinations import Destinations
from worker.execution.timings import TimedAudio
from worker.process.factories import listening_environment, open_destinations
from worker.settings import Settings
from worker.store.queries.jobs import JobRecord


def show(
    wanted: str, batch: str | None, form: TimingsFormat, level: Timings, out: Path | None, *, as_json: bool
) -> None:
    """Print or write the times. Raises CliError."""
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            job, _ = cli_database.newest_job(connection, wanted, batch)
        try:
            found = _timeline(settings, open_destinations(settings, database, connections=1), job, level)
        except ArtifactsError as error:
            raise CliError(f"the store can't be read: {error.message}") from None
        except (BadAudioError, DocumentError) as error:
            raise CliError(f"the audio of {wanted} can't be measured: {error}") from None
        except FileNotFoundError as error:
            raise CliError(str(error), "buy it again with cache: bypass") from None
    _write(terminal, form, rendered(found, form), out, as_json=as_json)


def _timeline(settings: Settings, destinations: Destinations, job: JobRecord, level: Timings) -> Timeline:
    if job.uri is None or job.purged_at is not None:
        raise CliError(f"{job.custom_id or job.id} has no audio: it is {job.status}")
    audio = TimedAudio(job.uri, job.sha256, job.tenant, job.batch_id)
    return timings.stored(destinations, audio) or _measured(settings, destinations, job, audio, level)


def _measured(
    settings: Settings, destinations: Destinations, job: JobRecord, audio: TimedAudio, level: Timings
) -> Timeline:
    place = destinations.containing(audio.uri, tenant=audio.tenant, batch_id=audio.batch_id)
    if place is None:
        raise CliError(f"{audio.uri} lies outside the stores of its tenant")
    aligner = Aligner(listening_environment, settings.espeak, settings.word_times == "on")
    with TemporaryDirectory(prefix="ttsq-") as name:
        folder, codecs = Path(name), CodecPool(1)
        try:
            wav = timings.decoded(place, audio, folder / "audio", folder / "wav", codecs)
            return timings.measured(wav, job.text, level, aligner)
        finally:
            codecs.close()
            aligner.close()


def _write(terminal: Terminal, form: TimingsFormat, content: str, out: Path | None, *, as_json: bool) -> None:
    if out is None:
        _print(terminal, form, content, as_json=as_json)
        return
    try:
        out.write_text(content, encoding="utf-8")
    except OSError as error:
        raise CliError(f"{out}: {error.strerror or error}") from None
    terminal.done(f"✓ {out}", path=str(out))


def _print(terminal: Terminal, form: TimingsFormat, content: str, *, as_json: bool) -> None:
    if form is TimingsFormat.JSON:
        terminal.documents([content])
    elif as_json:
        terminal.data({"format": str(form), "content": content})
    else:
        for line in content.splitlines():
            terminal.unbroken(line)
