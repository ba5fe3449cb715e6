"""A producer's request: a text, its voices, and the rules checked before anything is paid."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from api_models.dialogue import SPEAKERS_OF_A_CALL, speakers_named
from api_models.encodings import (
    NO_TAGS,
    AudioTags,
    OptionalBitrate,
    OptionalRate,
    OptionalTagText,
    OptionalTrack,
    bitrate_fault,
    form_of,
    rate_fault,
)
from api_models.formats import LOUDNESS_RANGE, AudioFormat
from api_models.hints import did_you_mean, quoted
from api_models.registry import DEFAULT_MODEL, MODELS, VOICES
from api_models.speech_model import SpeechModel
from api_models.timings import Timings, TimingsName
from api_models.values import (
    MAX_CUSTOM_ID_BYTES,
    Flag,
    OptionalMoment,
    OptionalName,
    OptionalNumber,
    OptionalSpan,
    blank_is_none,
    name_fault,
)
from api_models.wording import LEXICON, Clean, Wording

MAX_TAGS: Final = 16
_SHOWN_SPEAKERS: Final = 5
MAX_LONG_TEXT_BYTES: Final = 4_000_000
"""UTF-8 bytes of a text that is divided into parts: longer than any novel."""
LONG_TEXTS: Final = "long_texts"
"""In a validation context: whether texts may be longer than one request's limit."""
TAG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


class Speech(BaseModel):
    """The fields that determine the audio. Only explicitly set fields are sent to the API."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

    # The model stands first because pydantic checks fields in this order, and the other rules are the model's own.
    model: str = DEFAULT_MODEL
    """Slug of a model in the registry."""
    text: str
    """The text, including natural-language styles and, for models that support them, inline tags."""
    voice_1: OptionalName = None
    """The (first) speaker's voice; default: the vendor's for the model."""
    voice_2: OptionalName = None
    """The second speaker's voice, for texts whose lines begin with `Name:`."""
    temperature: OptionalNumber = None
    """Expressiveness, within the model's range; default: the vendor's 0.4."""

    @field_validator("model", mode="before")
    @classmethod
    def _known_model(cls, value: object) -> object:
        if blank_is_none(value) is None:
            return DEFAULT_MODEL
        if isinstance(value, str) and (known := MODELS.named(value)):
            return known
        raise PydanticCustomError(
            "model",
            "no model {name}{hint} (known: {known})",
            {
                "name": quoted(value),
                "hint": did_you_mean(value, MODELS) if isinstance(value, str) else "",
                "known": ", ".join(MODELS),
            },
        )

    @field_validator("text")
    @classmethod
    def _speakable(cls, value: str, info: ValidationInfo) -> str:
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise PydanticCustomError("text", "contains half of a surrogate pair; write the whole character") from None
        if "\x00" in value:
            raise PydanticCustomError("text", "contains a NUL character; remove it")
        if not any(character.isalnum() for character in value):
            what = "is empty" if not value.strip() else "has no letter or digit to speak"
            raise PydanticCustomError("text", "{what}; give the words to be spoken", {"what": what})
        if _may_be_long(info) and size > MAX_LONG_TEXT_BYTES:
            raise PydanticCustomError(
                "text",
                "is {size} bytes of UTF-8, over the limit of {limit}; divide it at its chapters",
                {"size": f"{size:,}", "limit": f"{MAX_LONG_TEXT_BYTES:,}"},
            )
        if size > (limit := _text_limit(info)) and not _may_be_long(info):
            raise PydanticCustomError(
                "text",
                "is {size} bytes of UTF-8, over the limit of {limit} a request; split it into shorter lines",
                {"size": f"{size:,}", "limit": f"{limit:,}"},
            )
        return value

    @field_validator("voice_1", "voice_2")
    @classmethod
    def _known_voice(cls, value: str | None, info: ValidationInfo) -> str | None:
        models = _models(info)
        if value is not None and info.field_name == "voice_2" and _is_long(info):
            raise PydanticCustomError(
                "voice",
                "needs a text of at most {limit} bytes, because two speakers share one request; divide the text",
                {"limit": f"{_text_limit(info):,}"},
            )
        if value is not None and info.field_name == "voice_2":
            _check_speakers(info.data.get("text", ""))
        if value is not None and not any(info.field_name in model.parameters for model in models):
            raise PydanticCustomError("voice", "{message}", {"message": _no_such_voice(info.field_name, models)})
        if value is not None:
            of_model = next((found for model in models if (found := model.voice_named(value))), None)
            value = of_model or VOICES.named(value) or value
        if value is not None and not any(value in model.voices for model in models):
            voices = tuple(dict.fromkeys(voice for model in models for voice in model.voices))
            raise PydanticCustomError(
                "voice",
                "no voice {name}{hint} (`ttsq voices` lists all {count})",
                {"name": quoted(value), "hint": did_you_mean(value, voices), "count": len(voices)},
            )
        return value

    @field_validator("temperature")
    @classmethod
    def _in_range(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is None:
            return None
        ranges = [known for model in _models(info) if (known := model.temperature_range)]
        if not ranges:
            raise PydanticCustomError(
                "temperature", "can't be set for {model}; leave it out", {"model": info.data.get("model", "any model")}
            )
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        if not low <= value <= high:  # also refuses NaN
            raise PydanticCustomError(
                "temperature",
                "{value} is outside {low} to {high}; give a number in that range, such as 0.4",
                {"value": f"{value:g}", "low": f"{low:g}", "high": f"{high:g}"},
            )
        return value

    def body(self) -> dict[str, object]:
        """The request body for the API: the text, the explicitly set fields, and the model's constants."""
        values = {
            "text": self.text,
            "voice_1": self.voice_1,
            "voice_2": self.voice_2,
            "temperature": self.temperature,
        }
        known = MODELS.get(self.model)
        if known is None:  # of a producer with a longer models file
            return {name: value for name, value in values.items() if value is not None}
        return known.body(values)

    def fingerprint(self, *, origin: str, audio_format: str) -> str:
        """Identity of the content: jobs with equal fingerprints may share one paid call. 64 hex digits of SHA-256.

        `origin` is the API's address, so that a rehearsal's audio is never used as real audio.
        """
        return hashlib.sha256(self.content(origin=origin, audio_format=audio_format).encode()).hexdigest()

    def content(self, *, origin: str, audio_format: str) -> str:
        """The fingerprint's input, as JSON on one line."""
        before, after = self.around_text(origin=origin, audio_format=audio_format)
        return f"{before}{encode_basestring(self.text)}{after}"

    def around_text(self, *, origin: str, audio_format: str) -> tuple[str, str]:
        """`content` before and after the text; shared by requests that differ only in text."""
        temperature = "null" if self.temperature is None else json.dumps(self.temperature)
        # What json.dumps makes of these in a list; by hand, because a million of them are made at a time.
        return (
            f"[{_json(origin)},{_json(_content_name(self.model))},",
            f",{_json(self.voice_1)},{_json(self.voice_2)},{temperature},{_json(audio_format)}]",
        )


class JobRequest(Speech):
    """A producer's job: the speech and how to queue it."""

    custom_id: OptionalName = None
    """The producer's name for the job, unique within a batch; names the audio file."""
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    """Higher starts earlier."""
    not_before: OptionalMoment = None
    """Earliest start."""
    deadline: OptionalMoment = None
    """Latest start: a job that has not started by then expires unpaid."""
    cache: Literal["use", "bypass"] = "use"
    """`bypass` buys a new take even if the same content was bought before."""
    variant: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Another take of the same text: each variant is its own content, bought once and then copied."""

    tags: Annotated[tuple[Annotated[str, Field(pattern=f"^{TAG.pattern}$")], ...], Field(max_length=MAX_TAGS)] = ()
    """The producer's tags, for filtering."""

    format: AudioFormat = AudioFormat.WAV
    """Audio format: wav, flac, mp3 or opus."""
    loudness: OptionalNumber = None
    """Target loudness of the file in LUFS, such as -16; default: unchanged."""
    sample_rate: OptionalRate = None
    """Sample rate of the file in Hz, such as 44100; default: the API's, 24000."""
    mp3_bitrate: OptionalBitrate = None
    """Constant bitrate of an MP3 in kbit/s, such as 192 or 192k; without a format it requests MP3."""
    title: OptionalTagText = None
    """Title that players show (MP3)."""
    artist: OptionalTagText = None
    """Artist that players show (MP3)."""
    album: OptionalTagText = None
    """Album that players show (MP3)."""
    track: OptionalTrack = None
    """Track number that players show (MP3), such as 3 or 3/12."""
    expires_after: OptionalSpan = None
    """How long text and audio are kept after the job's end, in seconds or as 30d; default: the settings."""
    provenance: Flag = False
    """Whether a file beside the audio says where it is from: text hash, model, call, cost, checks, checksum."""
    timings: TimingsName = Timings.NONE
    """Times stored beside the audio, of parts, sentences or words: none, part, sentence or word."""

    lexicon: OptionalName = None
    """The lexicon whose rules are applied to the text: a name such as `brand`, or one version of it, as `brand@3`."""
    clean: Clean | None = None
    """What the text is written in, of which the words alone are spoken: html, markdown, ssml or auto; default: none."""
    wording: SkipJsonSchema[str | None] = None
    """Set when the text was changed before it was planned: what the producer wrote (`api_models.wording`)."""

    @field_validator("lexicon")
    @classmethod
    def _names_a_lexicon(cls, value: str | None) -> str | None:
        if value is not None and not LEXICON.fullmatch(value):
            raise PydanticCustomError(
                "lexicon",
                "{name} is not the name of a lexicon; `ttsq lexicon list` shows them",
                {"name": quoted(value)},
            )
        return value

    @field_validator("clean", mode="before")
    @classmethod
    def _known_markup(cls, value: object) -> object:
        value = blank_is_none(value)
        name = value.strip().lower() if isinstance(value, str) else value
        if name is not None and name not in tuple(Clean):
            raise PydanticCustomError(
                "clean", "{name} can't be cleaned (known: {known})", {"name": quoted(value), "known": ", ".join(Clean)}
            )
        return name

    @field_validator("wording", mode="before")
    @classmethod
    def _never_given(cls, value: object) -> None:
        if value is None:
            return
        raise PydanticCustomError("wording", "is written by the queue itself; leave it out")

    @model_validator(mode="before")
    @classmethod
    def _bitrate_means_mp3(cls, values: object) -> object:
        if not isinstance(values, dict) or blank_is_none(values.get("mp3_bitrate")) is None:
            return values
        return values if blank_is_none(values.get("format")) is not None else {**values, "format": AudioFormat.MP3}

    @field_validator("tags")
    @classmethod
    def _said_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            twice = next(tag for tag in value if value.count(tag) > 1)
            raise PydanticCustomError("tags", "names {tag} twice", {"tag": quoted(twice)})
        return value

    @field_validator("format", mode="before")
    @classmethod
    def _known_format(cls, value: object) -> object:
        value = blank_is_none(value)
        if value is None:
            return AudioFormat.WAV
        name = value.strip().lower().removeprefix(".") if isinstance(value, str) else value
        if not isinstance(name, str) or name not in tuple(AudioFormat):
            raise PydanticCustomError(
                "format",
                "no format {name}{hint} (known: {known})",
                {
                    "name": quoted(value),
                    "hint": did_you_mean(name, AudioFormat) if isinstance(name, str) else "",
                    "known": ", ".join(AudioFormat),
                },
            )
        return AudioFormat(name)

    @field_validator("loudness")
    @classmethod
    def _reachable(cls, value: float | None) -> float | None:
        low, high = LOUDNESS_RANGE
        if value is not None and not low <= value <= high:  # also refuses NaN
            raise PydanticCustomError(
                "loudness",
                "{value} is outside {low} to {high} LUFS; give a number in that range, such as -16",
                {"value": f"{value:g}", "low": f"{low:g}", "high": f"{high:g}"},
            )
        return value

    @field_validator("sample_rate")
    @classmethod
    def _rate_of_the_format(cls, value: int | None, info: ValidationInfo) -> int | None:
        audio_format = info.data.get("format")
        if value is not None and audio_format is not None and (fault := rate_fault(value, audio_format)):
            raise PydanticCustomError("sample_rate", "{fault}", {"fault": fault})
        return value

    @field_validator("mp3_bitrate")
    @classmethod
    def _bitrate_of_an_mp3(cls, value: int | None, info: ValidationInfo) -> int | None:
        audio_format = info.data.get("format")
        if value is None or audio_format is None:
            return value
        if audio_format is not AudioFormat.MP3:
            message = "applies to mp3, and this text is to be {format}; leave it out, or set format to mp3"
            raise PydanticCustomError("mp3_bitrate", message, {"format": str(audio_format)})
        if "sample_rate" in info.data and (fault := bitrate_fault(value, info.data["sample_rate"])):
            raise PydanticCustomError("mp3_bitrate", "{fault}", {"fault": fault})
        return value

    @field_validator("custom_id", mode="before")
    @classmethod
    def _number_as_name(cls, value: object) -> object:
        """JSON producers often send numbers."""
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**MAX_CUSTOM_ID_BYTES:
            return str(value)
        return value

    @field_validator("custom_id")
    @classmethod
    def _usable_as_file_name(cls, value: str | None) -> str | None:
        if value is not None and (fault := name_fault(value)):
            raise PydanticCustomError(
                "custom_id",
                "{name} {fault}; the audio file is named after it",
                {"name": quoted(value), "fault": fault},
            )
        return value

    @field_validator("deadline")
    @classmethod
    def _after_the_start(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        not_before = info.data.get("not_before")
        if value is not None and not_before is not None and value < not_before:
            raise PydanticCustomError("deadline", "lies before not_before, so the job could never start")
        return value

    @property
    def is_to_be_prepared(self) -> bool:
        """Whether its text is changed before it is planned, priced and fingerprinted, and has not been yet."""
        return (self.lexicon is not None or self.clean is not None) and self.wording is None

    @property
    def layout(self) -> str:
        """Breaks and voices of its markup, which make another recording of the same words; empty if there are none."""
        return "" if self.wording is None else Wording.read(self.wording).layout

    @property
    def form(self) -> str:
        """The output form in the fingerprint: audio in another form is other content."""
        return form_of(self.format, self.loudness, self.mp3_bitrate, self.sample_rate)

    @property
    def audio_tags(self) -> AudioTags:
        """The tags of the file; formats other than MP3 have none."""
        if self.format is not AudioFormat.MP3:
            return NO_TAGS
        return AudioTags(self.title, self.artist, self.album, self.track)

    def fingerprint(self, *, origin: str, audio_format: str) -> str:
        """As `Speech.fingerprint`, but distinct for each variant."""
        return self.of_variant(super().fingerprint(origin=origin, audio_format=audio_format))

    def of_variant(self, plain: str) -> str:
        """Derive a variant's fingerprint from the speech's."""
        return hashlib.sha256(f"{plain} {self.variant}".encode()).hexdigest() if self.variant else plain

    def speech(self) -> Speech:
        """Return the fields that determine the audio."""
        return Speech.model_construct(
            text=self.text,
            model=self.model,
            voice_1=self.voice_1,
            voice_2=self.voice_2,
            temperature=self.temperature,
        )


@lru_cache(maxsize=1_024)
def _json(value: str | None) -> str:
    """JSON of a value; batches repeat few values."""
    return "null" if value is None else encode_basestring(value)


def _content_name(slug: str) -> str:
    known = MODELS.get(slug)
    return slug if known is None else known.content_name


def _no_such_voice(field: str | None, models: tuple[SpeechModel, ...]) -> str:
    names = ", ".join(model.slug for model in models)
    if field == "voice_2":
        return f"needs a model with two speakers, and {names} has one; leave it out"
    return f"can't be set for {names}; leave it out"


def _models(info: ValidationInfo) -> tuple[SpeechModel, ...]:
    """The named model, or all models if the name is unknown.

    Only values that no model accepts are then faults; stricter rules would report consequences of the wrong name.
    """
    slug = info.data.get("model")
    return (MODELS[slug],) if slug else tuple(MODELS.values())


def _check_speakers(text: str) -> None:
    """Refuse a text for two voices that names more speakers: the API would give a third one's lines to either."""
    names = speakers_named(text)
    if len(names) > SPEAKERS_OF_A_CALL:
        shown = ", ".join(map(quoted, names[:_SHOWN_SPEAKERS])) + (", …" if len(names) > _SHOWN_SPEAKERS else "")
        raise PydanticCustomError(
            "voice",
            "a call has two voices, and the text names {count} speakers: {names}; submit it as a script with a cast"
            " (`ttsq run FILE --cast`, or POST /v1/documents), or divide it",
            {"count": len(names), "names": shown},
        )


def _may_be_long(info: ValidationInfo) -> bool:
    return bool((info.context or {}).get(LONG_TEXTS))


def _is_long(info: ValidationInfo) -> bool:
    return len(info.data.get("text", "").encode()) > _text_limit(info)


def _text_limit(info: ValidationInfo) -> int:
    """UTF-8 bytes per request: the validation context's limit, or the model's."""
    if limit := (info.context or {}).get("max_text_bytes"):
        return int(limit)
    return max(model.max_text_bytes for model in _models(info))
