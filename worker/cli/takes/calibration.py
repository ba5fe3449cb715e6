"""`ttsq takes calibrate`: what each rung would have refused in what was bought, and how often it would have been wrong.

Takes are fetched and listened to again, by the rungs of this machine. Nothing is bought, changed or recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

from rich.table import Table

from worker.acceptance.findings import Finding, Rung
from worker.acceptance.language import guess
from worker.artifacts.errors import ArtifactsError
from worker.audio.codec.pool import CodecPool
from worker.audio.errors import BadAudioError
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.format import number
from worker.cli.console.terminal import Terminal
from worker.cli.takes.listing import of_batch
from worker.execution.destinations import Destinations
from worker.execution.hearing import Rates
from worker.execution.listening.messages import ListeningError, ListenRequest, Tools
from worker.execution.listening.pool import ListeningPool
from worker.process.factories import listening_environment, missing_for_rungs, open_destinations
from worker.settings import Settings
from worker.store.database import Database
from worker.store.queries import jobs
from worker.store.queries.jobs import JobRecord
from worker.store.queries.takes import Take
from worker.store.tables.jobs import Job
from worker.store.takes import Voice, voice_of

COLUMNS: Final = ("RUNG", "JUDGED", "WOULD REFUSE", "OF GOOD", "OF BAD", "CPU")


@dataclass(frozen=True, slots=True)
class Judged:
    take: Take
    seconds: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one rung found."""

    judged: int
    refused: int
    good: int
    """Takes that were marked good and judged."""
    good_refused: int
    bad: int
    bad_refused: int
    cost: float
    """CPU time, of the takes' own length."""

    @classmethod
    def of(cls, rung: Rung, found: Sequence[Judged]) -> Figures:
        own = [(one, finding) for one in found for finding in one.findings if finding.rung is rung]
        clear = [(one.take.mark, bool(finding.suspicious)) for one, finding in own if finding.suspicious is not None]
        seconds = sum(one.seconds for one, _ in own)
        return cls(
            len(clear),
            sum(refused for _, refused in clear),
            sum(mark == "good" for mark, _ in clear),
            sum(mark == "good" and refused for mark, refused in clear),
            sum(mark == "bad" for mark, _ in clear),
            sum(mark == "bad" and refused for mark, refused in clear),
            sum(finding.seconds_spent for _, finding in own) / seconds if seconds else 0.0,
        )


def calibrate(wanted: str, *, limit: int, as_json: bool) -> None:
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database:
        with database.read() as connection:
            # Marked takes first: they are what the figures are made of.
            kept = [take for take in of_batch(connection, wanted) if take.uri is not None]
            chosen = sorted(kept, key=lambda take: take.mark is None)[:limit]
            by_id = {job.id: job for job in jobs.jobs(connection, Job.id.in_({take.job_id for take in chosen}))}
        if not chosen:
            raise CliError(f"{wanted} has no takes to listen to", "`ttsq takes list JOB` shows those of one job")
        found = list(_listened(settings, database, chosen, by_id))
    rungs = {rung: Figures.of(rung, found) for rung in Rung}
    terminal.data({"takes": len(found), "rungs": {str(rung): _data(figures) for rung, figures in rungs.items()}})
    if as_json:
        return
    terminal.result(_table(rungs))
    marked = sum(take.mark is not None for take in chosen)
    terminal.note(f"{number(len(found), 'take')} listened to, {marked:,} of them marked.", style="dim")
    if not marked:
        terminal.note("Mark some with `ttsq takes mark JOB good|bad`, to see how often a rung is wrong.", style="dim")


def _listened(
    settings: Settings, database: Database, chosen: Sequence[Take], by_id: dict[UUID, JobRecord]
) -> Iterator[Judged]:
    rungs = tuple(missing_for_rungs(settings))
    cores = os.cpu_count() or 1
    processes, codecs, rates = ListeningPool(cores, listening_environment()), CodecPool(cores), Rates(database)
    destinations = open_destinations(settings, database, connections=cores)
    listener = _Listener(destinations, processes, codecs, rates, rungs, Tools(settings.espeak))
    try:
        with TemporaryDirectory(prefix="ttsq-") as folder, ThreadPoolExecutor(cores) as threads:
            work = threads.map(lambda take: listener.judged(take, by_id[take.job_id], Path(folder)), chosen)
            yield from (judged for judged in work if judged is not None)
    finally:
        processes.close()
        codecs.close()


@dataclass(frozen=True, slots=True)
class _Listener:
    destinations: Destinations
    processes: ListeningPool
    codecs: CodecPool
    rates: Rates
    rungs: tuple[Rung, ...]
    tools: Tools

    def judged(self, take: Take, job: JobRecord, folder: Path) -> Judged | None:
        """Listen to one take; None if it is gone or can't be decoded."""
        path = folder / f"{take.job_id}.{take.number}"
        wav = path.with_suffix(f"{path.suffix}.wav")
        try:
            place = self.destinations.containing(take.uri or "", tenant=job.tenant, batch_id=job.batch_id)
            if place is None or place.store.fetch(place.key, path) is None:
                return None
            found = self.codecs.inspect(path, wav, is_measured=False).take
            voice, language = voice_of(job.voice_1, job.voice_2), guess(job.text)
            lines = self.rates.lines(Voice(job.tenant, job.model, voice, language, ""))
            request = ListenRequest(found.path, job.text, language, job.model, voice, self.rungs, lines, self.tools)
            return Judged(take, found.frames / found.sample_rate, self.processes.listen(request).findings)
        except (ArtifactsError, BadAudioError, ListeningError, OSError):
            return None
        finally:
            for file in (path, wav):
                file.unlink(missing_ok=True)


def _table(rungs: dict[Rung, Figures]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == COLUMNS[0] else "right")
    for rung, one in rungs.items():
        good, bad = _share(one.good_refused, one.good), _share(one.bad_refused, one.bad)
        table.add_row(str(rung), f"{one.judged:,}", f"{one.refused:,}", good, bad, f"{one.cost:.2f} × real time")
    return table


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.1%})" if whole else "none marked"


def _data(one: Figures) -> dict[str, object]:
    return {
        "judged": one.judged,
        "would_refuse": one.refused,
        "marked_good": one.good,
        "false_alarms": one.good_refused,
        "false_alarm_rate": one.good_refused / one.good if one.good else None,
        "marked_bad": one.bad,
        "caught": one.bad_refused,
        "cpu_of_real_time": round(one.cost, 4),
    }
