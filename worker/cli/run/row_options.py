"""Options that say how a sheet is read and what its rows default to.

One list for all commands that read a sheet, so that none of them lacks an option.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

import typer

from api_models.encodings import MP3_BITRATES, SAMPLE_RATES
from api_models.formats import AudioFormat
from api_models.problems import Fault
from api_models.registry import DEFAULT_MODEL, MODELS
from api_models.timings import Timings
from api_models.wording import Clean
from worker.cli.console import complete
from worker.cli.run.options import retention
from worker.intake.kinds import Kind
from worker.intake.sheet_options import SheetOptions
from worker.intake.validation import Defaults

SHEET, SPEECH, AUDIO, QUEUE = "Reading the file", "Speech", "Audio", "Queue"


def _shown(model: str) -> str:
    return f"{model} (default)" if model == DEFAULT_MODEL else model


def _option(*names: str, panel: str, **settings: Any) -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(*names, rich_help_panel=panel, **settings)


@dataclass(frozen=True, slots=True)
class RowOptions:
    """Field names are the options' parameters."""

    sheet: Annotated[
        list[str] | None, _option("--sheet", panel=SHEET, metavar="NAME", help="Worksheet to read; repeatable.")
    ] = None
    all_sheets: Annotated[bool, _option("--all-sheets", panel=SHEET, help="Read every visible worksheet.")] = False
    text_column: Annotated[
        str | None,
        _option("--text-column", panel=SHEET, metavar="NAME", help="Column with the texts, if not `text`."),
    ] = None
    id_column: Annotated[
        str | None,
        _option("--id-column", panel=SHEET, metavar="NAME", help="Column to name files by, if not `custom_id`."),
    ] = None
    ignore_column: Annotated[
        list[str] | None,
        _option(
            "--ignore-column", panel=SHEET, metavar="NAME", help="Column to copy to manifest.csv only; repeatable."
        ),
    ] = None
    encoding: Annotated[
        str | None,
        _option("--encoding", panel=SHEET, metavar="NAME", help="Encoding if not UTF-8, such as cp1252 or mac-roman."),
    ] = None
    input_format: Annotated[
        Kind | None,
        _option(
            "--input-format", panel=SHEET, help="Format of FILE, if its name does not tell; `text` is one text a line."
        ),
    ] = None
    model: Annotated[
        str | None,
        _option(
            "--model",
            panel=SPEECH,
            metavar="NAME",
            help=f"Default model: {' or '.join(map(_shown, MODELS))}.",
            autocompletion=complete.models,
        ),
    ] = None
    voice: Annotated[
        str | None,
        _option(
            "--voice",
            panel=SPEECH,
            metavar="NAME",
            help="Default voice; `ttsq voices` lists them.",
            autocompletion=complete.voices,
        ),
    ] = None
    voice_2: Annotated[
        str | None,
        _option(
            "--voice-2",
            panel=SPEECH,
            metavar="NAME",
            help="Default voice of the second speaker.",
            autocompletion=complete.voices,
        ),
    ] = None
    temperature: Annotated[
        float | None,
        _option("--temperature", panel=SPEECH, metavar="NUMBER", help="Default expressiveness, 0 to 2."),
    ] = None
    audio_format: Annotated[
        str | None,
        _option(
            "--format",
            panel=AUDIO,
            metavar="|".join(AudioFormat),
            help="Default format; wav if none is given.",
            autocompletion=complete.formats,
        ),
    ] = None
    mp3_bitrate: Annotated[
        str | None,
        _option(
            "--mp3-bitrate",
            panel=AUDIO,
            metavar="KBITS",
            help=f"Constant MP3 bitrate, {MP3_BITRATES[0]}k to {MP3_BITRATES[-1]}k; above 160k with --sample-rate"
            " 44100. Implies --format mp3.",
        ),
    ] = None
    sample_rate: Annotated[
        str | None,
        _option(
            "--sample-rate",
            panel=AUDIO,
            metavar="HZ",
            help=f"Sample rate: {', '.join(map(str, SAMPLE_RATES))}; 24000, the API's, if none is given.",
        ),
    ] = None
    loudness: Annotated[
        float | None,
        _option("--loudness", panel=AUDIO, metavar="LUFS", help="Default loudness, -36 to -9, such as -16."),
    ] = None
    title: Annotated[
        str | None, _option("--title", panel=AUDIO, metavar="TEXT", help="Title tag of MP3s without a `title` column.")
    ] = None
    artist: Annotated[
        str | None, _option("--artist", panel=AUDIO, metavar="TEXT", help="Artist tag of MP3s; or a column `artist`.")
    ] = None
    album: Annotated[
        str | None, _option("--album", panel=AUDIO, metavar="TEXT", help="Album tag of MP3s; or a column `album`.")
    ] = None
    track: Annotated[
        str | None,
        _option("--track", panel=AUDIO, metavar="N", help="Track number of MP3s, such as 3/12; or a column `track`."),
    ] = None
    timings: Annotated[
        str | None,
        _option(
            "--timings",
            panel=AUDIO,
            metavar="|".join(Timings),
            help="Store times of parts, sentences or words beside the audio.",
        ),
    ] = None
    provenance: Annotated[
        bool | None,
        _option(
            "--provenance",
            panel=AUDIO,
            help="Store a file beside each audio that says where it is from; `ttsq verify` checks it.",
            show_default=False,
        ),
    ] = None
    expires_after: Annotated[
        str | None,
        _option(
            "--expires-after",
            panel=QUEUE,
            metavar="TIME",
            help="Delete text and audio this long after a job finishes, such as 30d.",
            callback=retention,
        ),
    ] = None
    priority: Annotated[
        int | None,
        _option("--priority", panel=QUEUE, metavar="N", help="Default priority, -100 to 100; higher starts earlier."),
    ] = None
    deadline: Annotated[
        str | None,
        _option(
            "--deadline",
            panel=QUEUE,
            metavar="TIME",
            help="Default time after which a job is not started, such as 2026-12-01T08:00:00Z.",
        ),
    ] = None
    lexicon: Annotated[
        str | None,
        _option(
            "--lexicon",
            panel=SPEECH,
            metavar="NAME|FILE",
            help="Pronunciation rules to apply; `ttsq lexicon list` shows stored ones.",
        ),
    ] = None
    clean: Annotated[
        Clean | None,
        _option("--clean", panel=SPEECH, help="Speak the words of marked-up texts alone; `ssml` follows its breaks."),
    ] = None
    tag: Annotated[list[str] | None, _option("--tag", panel=QUEUE, metavar="TAG", help="Default tag; repeatable.")] = (
        None
    )

    def defaults(self) -> Defaults:
        """What a row's empty cells stand for."""
        chosen = asdict(self)
        fields = {field: chosen[option] for field, option in _DEFAULT_OF.items()}
        return Defaults(**fields, tags=tuple(self.tag) if self.tag else None)

    def sheet_options(self) -> SheetOptions:
        return SheetOptions.of(
            self.sheet,
            self.text_column,
            self.id_column,
            self.ignore_column,
            self.encoding,
            all_sheets=self.all_sheets,
            input_format=None if self.input_format is None else str(self.input_format),
        )


_DEFAULT_OF: Final = {
    "model": "model",
    "voice_1": "voice",
    "voice_2": "voice_2",
    "temperature": "temperature",
    "format": "audio_format",
    "loudness": "loudness",
    "sample_rate": "sample_rate",
    "mp3_bitrate": "mp3_bitrate",
    "title": "title",
    "artist": "artist",
    "album": "album",
    "track": "track",
    "timings": "timings",
    "provenance": "provenance",
    "expires_after": "expires_after",
    "priority": "priority",
    "deadline": "deadline",
    "lexicon": "lexicon",
    "clean": "clean",
}
"""Fields of a row, and of `RowOptions`."""


_OPTION_OF: Final = {
    "tags": "--tag",
    **{field: f"--{option.removeprefix('audio_').replace('_', '-')}" for field, option in _DEFAULT_OF.items()},
}


def option_faults(faults: Iterable[Fault]) -> list[Fault]:
    return [
        fault.model_copy(update={"field": _OPTION_OF.get((fault.field or "").partition(".")[0], fault.field)})
        if fault.line is None
        else fault
        for fault in faults
    ]
