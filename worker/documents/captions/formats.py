"""Writes captions, chapters and transcripts in the formats that players read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from worker.documents.captions.cues import Cue
from worker.documents.captions.layout import Caption

_HOUR, _MINUTE, _SECOND = 3_600_000, 60_000, 1_000


def timestamp(seconds: float, point: str) -> str:
    """Return hours, minutes, seconds and milliseconds, such as 00:01:02,345."""
    milliseconds = round(max(0.0, seconds) * _SECOND)
    hours, rest = divmod(milliseconds, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    whole, fraction = divmod(rest, _SECOND)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{fraction:03}"


def srt(captions: Iterable[Caption]) -> str:
    """Return SubRip. A speaker is named where another one spoke before."""
    return "".join(
        f"{number}\n{_times(caption, ',')}\n{name}{chr(10).join(caption.lines)}\n\n"
        for number, (caption, name) in enumerate(_with_new_names(captions), 1)
    )


def _with_new_names(captions: Iterable[Caption]) -> Iterator[tuple[Caption, str]]:
    before = ""
    for caption in captions:
        speaker = caption.cue.speaker
        yield caption, f"{speaker}: " if speaker != before else ""
        before = speaker


def vtt(captions: Iterable[Caption]) -> str:
    """Return WebVTT (W3C), with a voice span where a speaker is known. Texts are escaped."""
    cues = (
        f"{_times(caption, '.')}\n{_voice(caption)}{chr(10).join(map(_escaped, caption.lines))}\n\n"
        for caption in captions
    )
    return "WEBVTT\n\n" + "".join(cues)


def _voice(caption: Caption) -> str:
    return f"<v {_escaped(caption.cue.speaker)}>" if caption.cue.speaker else ""


_ASS_HEAD: Final = """[Script Info]
ScriptType: v4.00+
WrapStyle: 2
PlayResX: 1280
PlayResY: 720

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,sans-serif,48,&H00FFFFFF,&H000000FF,&H00000000,&H80000000,0,0,0,0,100,100,0,0,1,2,0,2,40,40,40,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
_ASS_ESCAPES: Final = str.maketrans({"\\": "\\\u2060", "{": "\\{", "}": "\\}"})
"""A word joiner behind a backslash keeps it from beginning a line break."""


def ass(captions: Iterable[Caption]) -> str:
    """Return Advanced SubStation Alpha, version 4+. Texts are escaped; times are in hundredths of a second."""
    return _ASS_HEAD + "".join(
        f"Dialogue: 0,{_centiseconds(caption.start)},{_centiseconds(caption.end)},Default,{_actor(caption)},0,0,0,,"
        + "\\N".join(line.translate(_ASS_ESCAPES) for line in caption.lines)
        + "\n"
        for caption in captions
    )


def _actor(caption: Caption) -> str:
    """The field ends at a comma, and the format has no escape for one."""
    return caption.cue.speaker.replace(",", " ")


def _centiseconds(seconds: float) -> str:
    hours, rest = divmod(round(max(0.0, seconds) * 100), 360_000)
    minutes, rest = divmod(rest, 6_000)
    whole, fraction = divmod(rest, 100)
    return f"{hours}:{minutes:02}:{whole:02}.{fraction:02}"


def _times(caption: Caption, point: str) -> str:
    return f"{timestamp(caption.start, point)} --> {timestamp(caption.end, point)}"


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cues_json(cues: Iterable[Cue]) -> str:
    """Return a list of sentences with their times, where these come from and how sure they are."""
    found = [
        {
            "start": round(cue.start, 3),
            "end": round(cue.end, 3),
            "text": cue.text,
            "part": cue.part,
            "source": cue.source,
            "confidence": cue.confidence,
            **({"speaker": cue.speaker} if cue.speaker else {}),
        }
        for cue in cues
    ]
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def chapters_json(titles: Sequence[tuple[str, float]]) -> str:
    """Return chapters as Podcasting 2.0 has them (`application/json+chapters`)."""
    found = [{"startTime": round(start, 3), "title": title} for title, start in titles]
    return json.dumps({"version": "1.2.0", "chapters": found}, ensure_ascii=False, indent=1) + "\n"


def transcript(spoken: Iterable[str], speakers: Iterable[str]) -> str:
    """Return the text of each part, behind the name of its speaker if it has one."""
    turns = (f"{speaker}: {text}" if speaker else text for text, speaker in zip(spoken, speakers, strict=True))
    return "\n\n".join(turns) + "\n"
