"""`ttsq join PARTS.csv`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from worker.audio.errors import BadAudioError
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.format import duration, number
from worker.cli.console.option_groups import takes
from worker.cli.console.terminal import Terminal
from worker.cli.run.document import gaps_of
from worker.documents.captions.sidecars import Narration, chapter_marks, content
from worker.documents.containers.description import ChapterMark, Description, read_cover
from worker.documents.errors import DocumentError
from worker.documents.join.assembly import Assembly
from worker.documents.join.recording import SUFFIXES, Recording, record
from worker.documents.join.style import GAP_SECONDS, PRESETS, Style
from worker.documents.plan.languages import guess, primary
from worker.documents.plan.plan import Gap
from worker.documents.stored_plan import ENDINGS, Sidecar

_COLUMNS: Final = ("custom_id", "text", "chapter", "gap")
_WITH_COVER: Final = (".mp3", ".opus", ".ogg")
_NAMED: Final = 5
"""Missing takes that an error names."""


@dataclass(frozen=True, slots=True)
class _Row:
    custom_id: str
    text: str
    chapter: str
    gap: Gap


@dataclass(frozen=True, slots=True)
class Labels:
    """What a recording says of itself."""

    title: Annotated[str, typer.Option(help="Title, in MP3, Opus and FLAC files.")] = ""
    author: Annotated[str, typer.Option(help="Author, likewise.")] = ""
    album: Annotated[str, typer.Option(help="Album, likewise.")] = ""
    cover: Annotated[Path | None, typer.Option(metavar="IMAGE", help="JPEG or PNG to show, in MP3 and Opus files.")] = (
        None
    )

    def describer(self, rows: Sequence[_Row]) -> Callable[[Assembly], Description]:
        """Return what describes the recording once the places of its parts are known."""
        image = read_cover(self.cover) if self.cover is not None else None

        def described(assembly: Assembly) -> Description:
            return Description(self.title, self.author, self.album, tuple(_marks(rows, assembly)), image)

        return described


@takes(labels=Labels)
def join(
    sheet: Annotated[Path, typer.Argument(metavar="PARTS.csv", help="The sheet that `ttsq plan --out` wrote.")],
    *,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help=f"The recording; its suffix is its format: {', '.join(SUFFIXES)}.")
    ],
    audio: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder with the takes.", show_default="audio/<name of PARTS.csv>"),
    ] = None,
    preset: Annotated[str, typer.Option(help=f"Loudness of the whole: {', '.join(PRESETS)}.")] = "none",
    captions_as: Annotated[
        list[Sidecar] | None, typer.Option("--captions", help="Also write captions or chapters; repeatable.")
    ] = None,
    gap: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=SECONDS", help="Pause after a kind of place, such as paragraph=0.7; repeatable."),
    ] = None,
    labels: Labels,
    language: Annotated[str, typer.Option(metavar="TAG", help="Language of the text.", show_default="guessed")] = "",
    levelled: Annotated[
        bool, typer.Option("--levelled/--as-spoken", help="Bring parts near their median loudness.")
    ] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Join the takes of a planned document into one recording."""
    terminal = Terminal(as_json=as_json)
    if preset not in PRESETS:
        raise BadOptionError("--preset", preset, "is not a preset", f"use {', '.join(PRESETS)}")
    if Sidecar.STEMS in (captions_as or ()):
        raise BadOptionError("--captions", Sidecar.STEMS, "needs speakers, which parts of a sheet don't have")
    style = Style(PRESETS[preset], {**GAP_SECONDS, **gaps_of(gap or ())}, levelled)
    sidecars = {kind: out.with_suffix(ENDINGS[kind]) for kind in captions_as or ()}
    rows = _rows(sheet)
    spoken = _takes(rows, audio or Path("audio") / sheet.stem, sheet)
    _require_free([out, *sidecars.values()], [sheet, *spoken], overwrite=overwrite)
    if labels.cover is not None and out.suffix.lower() not in _WITH_COVER:
        raise BadOptionError(
            "--cover", str(labels.cover), f"can't be stored in {out.suffix} files", "use .mp3 or .opus"
        )
    try:
        parts = [(take, row.gap) for take, row in zip(spoken, rows, strict=True)]
        found = record(parts, out, style, labels.describer(rows))
        for kind, path in sidecars.items():
            path.write_text(content(kind, _narration(rows, language, found.assembly)), encoding="utf-8")
    except (DocumentError, BadAudioError) as error:
        raise CliError(str(error), getattr(error, "remedy", "")) from None
    except OSError as error:
        raise CliError(f"{error.filename or out}: {error.strerror or error}") from None
    _report(terminal, found, sidecars)


def _report(terminal: Terminal, found: Recording, sidecars: Mapping[Sidecar, Path]) -> None:
    level = f"{found.loudness.lufs:.1f} LUFS, true peak {found.loudness.true_peak_dbtp:.1f} dB"
    parts = number(len(found.assembly.placed), "part")
    lines = [
        f"✓ {found.path}: {parts}, {duration(found.seconds)}, {level}",
        *(f"  {path}" for path in sidecars.values()),
    ]
    terminal.done(
        "\n".join(lines),
        path=str(found.path),
        parts=len(found.assembly.placed),
        seconds=round(found.seconds, 3),
        lufs=round(found.loudness.lufs, 2),
        sidecars=[str(path) for path in sidecars.values()],
    )


def _require_free(written: Sequence[Path], read: Sequence[Path], *, overwrite: bool) -> None:
    sources = {path.resolve() for path in read}
    for path in written:
        if path.exists() and not overwrite:
            raise CliError(f"{path} exists already", "name a new file, or use --overwrite")
        if path.resolve() in sources:
            raise CliError(f"{path} is one of the takes, or their sheet", "name another file")


def _rows(sheet: Path) -> list[_Row]:
    try:
        with sheet.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise CliError(f"{sheet} lacks the column {missing[0]}", "use the sheet that `ttsq plan --out` wrote")
            rows = [_row(sheet, reader.line_num, row) for row in reader]
    except OSError as error:
        raise CliError(f"{sheet}: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise CliError(f"{sheet} is not a CSV in UTF-8: {error}") from None
    if not rows:
        raise CliError(f"{sheet} has no rows")
    return rows


def _row(sheet: Path, line: int, row: Mapping[str, str | None]) -> _Row:
    custom_id, text, chapter, gap = ((row[name] or "").strip() for name in _COLUMNS)
    if not custom_id or Path(custom_id).name != custom_id:
        raise CliError(f"{sheet}, line {line}: custom_id names no file", "use the sheet that `ttsq plan --out` wrote")
    if gap not in list(Gap):
        raise CliError(f"{sheet}, line {line}: gap is none of {', '.join(Gap)}")
    return _Row(custom_id, text, chapter, Gap(gap))


def _takes(rows: Sequence[_Row], folder: Path, sheet: Path) -> list[Path]:
    """Find every row's take: a recording is never shorter than its plan."""
    found = [_take(row, folder) for row in rows]
    missing = [row.custom_id for row, take in zip(rows, found, strict=True) if take is None]
    if missing:
        named = ", ".join(missing[:_NAMED]) + (" …" if len(missing) > _NAMED else "")
        message = f"{folder} lacks {number(len(missing), 'take')} of {len(rows):,}: {named}"
        raise CliError(message, f"run `ttsq run {sheet}` until all are spoken, or name their folder with --audio")
    return [take for take in found if take is not None]


def _take(row: _Row, folder: Path) -> Path | None:
    candidates = (folder / f"{row.custom_id}{suffix}" for suffix in SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _narration(rows: Sequence[_Row], language: str, assembly: Assembly) -> Narration:
    named = primary(language) if language else guess(" ".join(row.text for row in rows[:_NAMED]))
    return Narration([row.text for row in rows], [row.chapter for row in rows], named, assembly)


def _marks(rows: Sequence[_Row], assembly: Assembly) -> tuple[ChapterMark, ...]:
    return tuple(chapter_marks([row.chapter for row in rows], assembly))
